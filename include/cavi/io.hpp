// SPDX-License-Identifier: Apache-2.0
/// \file
/// Matrices from and to files.
#pragma once

#include <cavi/matrix.hpp>

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace cavi {

/// Opens a matrix: `.npy` (versions 1 to 3, little-endian f4, f8, C order; one dimension is read as one column) or
/// `.csv` (numbers separated by commas, a header line or none, CR, LF or CRLF line ends; read into memory as float64).
/// The rows of a `.npy` stay in the file and are read when needed. Throws IoError naming the file, the place (byte, or
/// line and column) and the cause: missing, empty, truncated or foreign file, ragged rows, a field that is no number,
/// zero rows, zero columns.
Matrix open_matrix(const std::filesystem::path& file);

/// Throws NumericalError naming row and column (both from 0) of the first number that is NaN or infinite. Reads block
/// by block; `name` of the matrix opens the message.
void require_finite(const Matrix& x);

/// One integer per row from a `.npy` (i4, i8 or u1, one dimension) or a `.csv` with one column. Throws IoError.
std::vector<std::int32_t> read_labels(const std::filesystem::path& file);

/// True when the file is a `.npy` of integers, or a `.csv` of one column: labels rather than responsibilities.
bool holds_labels(const std::filesystem::path& file);

/// Writes [rows x cols] as version 1 `.npy`, C order. The file appears complete or not at all: it is written beside the
/// target and renamed. Throws IoError.
void write_npy(const std::filesystem::path& file, std::span<const double> values, std::int64_t rows, int cols);
void write_npy(const std::filesystem::path& file, std::span<const float> values, std::int64_t rows, int cols);

}  // namespace cavi
