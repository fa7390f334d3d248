// SPDX-License-Identifier: Apache-2.0
/// \file
/// NumPy's array files: "\x93NUMPY", version, length of the header, the header (a Python dict literal with `descr`,
/// `fortran_order` and `shape`), numbers (NumPy Enhancement Proposal 1 and numpy.lib.format).
#pragma once

#include "src/io/file.hpp"

#include <cavi/io.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cavi::io {

/// Bytes of one stored number.
int size_of(StoredType type);

inline constexpr std::int64_t kMostExact = std::int64_t(1) << 53;  ///< up to which float64 holds every integer

/// What the header of any array says.
struct NpyLayout {
  StoredType stored = StoredType::f8;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::int64_t bytes = 0;     ///< of the numbers, by type and shape
  std::int64_t shape_at = 0;  ///< byte where the shape stands, for messages
  std::int64_t data = 0;      ///< byte where the numbers begin
};

inline constexpr std::size_t kLongestNpyStart = 12 + (1 << 16);  ///< longer headers describe records

/// `start` holds the first kLongestNpyStart bytes of an array of `size` bytes, or all. Throws IoError that opens with
/// `name` and names the byte. Whether the array has as many bytes as the layout says is left to require_bytes().
NpyLayout parse_npy(const std::string& name, std::string_view start, std::int64_t size);
void require_bytes(const std::string& name, const NpyLayout& layout, std::int64_t size);

/// What stands before the numbers of a version 1 array in C order: `type` as in "<f8".
std::string npy_start(const char* type, const std::vector<std::int64_t>& shape);

struct NpyHeader {
  StoredType stored = StoredType::f8;
  bool fortran_order = false;
  std::int64_t rows = 0;  ///< at least 1
  int cols = 0;           ///< at least 1; 1 when the array has one dimension
  std::int64_t data = 0;  ///< byte where the numbers begin
};

/// Throws IoError naming the byte unless the file is an array of one or two dimensions with as many bytes of numbers
/// as its shape says.
NpyHeader read_npy_header(const InputFile& file);

}  // namespace cavi::io
