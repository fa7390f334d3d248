// SPDX-License-Identifier: Apache-2.0
/// \file
/// Matrices from and to files.
#pragma once

#include <cavi/matrix.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cavi {

/// Opens a matrix by its extension, `.npy` or `.csv`.
///
/// `.npy`: versions 1 to 3, one dimension (read as one column) or two, C or Fortran order, little-endian f4 and f8, and
/// integers i4, i8 (read as float64) and u1 (read as float32). The file stays open, its rows are read when needed, from
/// any thread; it must not change meanwhile (one that becomes shorter is an IoError then).
///
/// `.csv`: numbers separated by commas, in any of the forms 1, -2.5, +3e-7, nan, inf; quotes and blanks around a field;
/// CR, LF or CRLF line ends; empty lines at the end only. A first line with a field that is no number is a header.
/// Read into memory as float64.
///
/// Throws IoError naming the file, the place (byte from 0, or line and column from 1) and the cause: missing, empty,
/// truncated or foreign file, more bytes than the shape says, ragged rows, a field that is no number, zero rows, zero
/// columns. NaN and infinity are numbers here; see require_finite().
Matrix open_matrix(const std::filesystem::path& file);

/// The names in the header line of a `.csv`; nothing when it has none, and for a `.npy`. Throws IoError.
std::vector<std::string> column_names(const std::filesystem::path& file);

/// Throws NumericalError naming row and column (both from 0) of the first number that is NaN or infinite. Reads block
/// by block; `name` of the matrix opens the message.
void require_finite(const Matrix& x);

/// One integer per row from a `.npy` (i4, i8 or u1) or a `.csv`, of one column. Throws IoError.
std::vector<std::int32_t> read_labels(const std::filesystem::path& file);

/// True for a `.npy` of integers or any `.csv`, of one column: labels rather than responsibilities. Throws IoError.
bool holds_labels(const std::filesystem::path& file);

/// Writes [rows x cols] as version 1 `.npy`, C order. The file appears complete or not at all: it is written beside the
/// target and renamed. Throws IoError, and ShapeError unless the number of values fits.
void write_npy(const std::filesystem::path& file, std::span<const double> values, std::int64_t rows, int cols);
void write_npy(const std::filesystem::path& file, std::span<const float> values, std::int64_t rows, int cols);
/// Writes labels, one dimension.
void write_npy(const std::filesystem::path& file, std::span<const std::int32_t> values);

/// The same for numbers that come block by block and need never be in memory together; T is float, double or
/// std::int32_t. Without commit() nothing is left on the disk.
///
///     NpyWriter<double> out("scores.npy", {x.rows()});
///     mixture.score_samples(x, [&](std::span<const double> block) { out.append(block); });
///     out.commit();
template <class T>
class NpyWriter {
 public:
  /// `shape`: rows, or rows and columns. Throws IoError, and ShapeError for a negative size.
  NpyWriter(const std::filesystem::path& file, std::vector<std::int64_t> shape);
  ~NpyWriter();
  NpyWriter(NpyWriter&&) noexcept;
  NpyWriter& operator=(NpyWriter&&) noexcept;

  /// Throws IoError, and ShapeError for more numbers than the shape has.
  void append(std::span<const T> values);
  /// Puts the file into its place. Throws IoError, and ShapeError when numbers are missing.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cavi
