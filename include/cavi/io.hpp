// SPDX-License-Identifier: Apache-2.0
/// \file
/// Matrices from and to files.
#pragma once

#include <cavi/matrix.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cavi {

/// Types of stored numbers, all little-endian. Integers are exact: u1 is read as float32, i4 and i8 as float64, and an
/// i8 beyond 2^53 is an IoError that names its place.
enum class StoredType { f4, f8, i4, i8, u1 };

/// What a file without a header holds: rows x cols numbers, row by row.
struct RawLayout {
  StoredType type = StoredType::f4;
  std::int64_t rows = 0;  ///< 0: as many as the file has
  int cols = 1;
};

struct ReadOptions {
  std::vector<std::string> columns;    ///< names in the header or numbers from 0, in this order; empty: all
  std::optional<RawLayout> raw;        ///< the file is raw binary, whatever its name
  std::optional<std::int64_t> memory;  ///< bytes that the numbers may take; default: default_memory()
};

/// A quarter of the memory that this process may have: the machine's, or less where a limit of the process
/// (RLIMIT_AS, RLIMIT_DATA) or of its control group says so.
std::int64_t default_memory();

/// Opens a matrix: `.npy`, `.csv`, `file.h5:dataset` (or .hdf5), "-" for a .csv on standard input, or any file with
/// ReadOptions::raw. Numbers that fit into ReadOptions::memory are read once; of larger files the rows are read when
/// needed, block by block, from any thread: the result of a fit has the same bits. Such a file must not change
/// meanwhile (one that becomes shorter is an IoError then).
///
/// `.npy`: versions 1 to 3, one dimension (read as one column) or two, C or Fortran order, any StoredType.
///
/// `.csv`: numbers separated by commas, in any of the forms 1, -2.5, +3e-7, nan, inf; quotes and blanks around a field;
/// CR, LF or CRLF line ends; lines that begin with # are comments; empty lines at the end only. A first line of
/// names without a number (in the selected columns) is a header; numbers beside text, or nothing but missing values
/// (empty, NA, N/A, ?, null), are an IoError there: a row that lacks a value is no header. Float64. Columns that are
/// not selected may hold any text. Numbers beyond the memory go to a file without a name in the folder for temporary
/// files (TMPDIR).
///
/// HDF5: a dataset of one or two dimensions of floating-point numbers of 4 or 8 bytes or integers, of any byte order,
/// chunking and compression; integers of 1 or 2 bytes are read as float32, others as float64. Needs a build with
/// libhdf5, whose calls wait for each other.
///
/// Throws IoError naming the file, the place (byte from 0, or line and column from 1) and the cause: missing, empty,
/// truncated or foreign file, more bytes than the shape says, ragged rows, a field that is no number, zero rows, zero
/// columns, a column that is not there. NaN and infinity are numbers here; see require_finite().
Matrix open_matrix(const std::filesystem::path& file, const ReadOptions& options = {});

/// The names in the header line of a `.csv`; nothing when it has none, and for other files. Throws IoError. Matrix has
/// those of the columns that were selected.
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
