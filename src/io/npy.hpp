// SPDX-License-Identifier: Apache-2.0
/// \file
/// NumPy's array files: "\x93NUMPY", version, length of the header, the header (a Python dict literal with `descr`,
/// `fortran_order` and `shape`), numbers (NumPy Enhancement Proposal 1 and numpy.lib.format).
#pragma once

#include "src/io/file.hpp"

#include <cavi/matrix.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cavi::io {

/// Types of stored numbers, all little-endian.
enum class Stored { f4, f8, i4, i8, u1 };

/// What the header of any array says.
struct NpyLayout {
  Stored stored = Stored::f8;
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
  Stored stored = Stored::f8;
  bool fortran_order = false;
  std::int64_t rows = 0;  ///< at least 1
  int cols = 0;           ///< at least 1; 1 when the array has one dimension
  std::int64_t data = 0;  ///< byte where the numbers begin
};

/// Throws IoError naming the byte unless the file is an array of one or two dimensions with as many bytes of numbers
/// as its shape says.
NpyHeader read_npy_header(const InputFile& file);

/// Rows stay in the file. Integers are converted: u1 to float32, i4 and i8 to float64.
class NpyFile final : public MatrixSource {
 public:
  explicit NpyFile(const std::filesystem::path& file) : file_(file), header_(read_npy_header(file_)) {}

  bool holds_integers() const { return header_.stored != Stored::f4 && header_.stored != Stored::f8; }

  std::int64_t rows() const override { return header_.rows; }
  int cols() const override { return header_.cols; }
  Scalar scalar() const override;
  std::string name() const override { return file_.name(); }
  void read(std::int64_t first, std::int64_t count, void* out) const override;

 private:
  template <class From, class To>
  void read_as(std::int64_t first, std::int64_t count, To* out) const;
  template <class From, class To>
  void copy(std::int64_t position, std::int64_t count, std::int64_t stride, To* out) const;

  InputFile file_;
  NpyHeader header_;
};

}  // namespace cavi::io
