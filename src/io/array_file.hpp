// SPDX-License-Identifier: Apache-2.0
/// \file
/// A matrix whose rows stay in a file.
#pragma once

#include "src/io/file.hpp"
#include "src/io/npy.hpp"

#include <cavi/io.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace cavi::io {

/// Numbers at a place of a file, row by row or column by column. Integers are converted: u1 to float32, i4 and i8 to
/// float64; reading an i8 that float64 does not hold is an IoError.
class ArrayFile final : public MatrixSource {
 public:
  ArrayFile(std::unique_ptr<const InputFile> file, NpyHeader header, std::vector<std::string> column_names = {});

  bool holds_integers() const { return header_.stored != StoredType::f4 && header_.stored != StoredType::f8; }

  std::int64_t rows() const override { return header_.rows; }
  int cols() const override { return header_.cols; }
  Scalar scalar() const override;
  std::string name() const override { return file_->name(); }
  std::vector<std::string> column_names() const override { return column_names_; }
  void read(std::int64_t first, std::int64_t count, void* out) const override;
  void prefetch(std::int64_t first, std::int64_t count) const noexcept override;

 private:
  template <class From, class To>
  void read_as(std::int64_t first, std::int64_t count, To* out) const;
  template <class From, class To>
  void copy(std::int64_t position, std::int64_t count, std::int64_t stride, To* out) const;

  std::unique_ptr<const InputFile> file_;
  NpyHeader header_;
  std::vector<std::string> column_names_;
};

/// Opens a .npy. Throws IoError; see open_matrix().
std::shared_ptr<ArrayFile> open_npy(const std::filesystem::path& file);
/// Opens raw binary. Throws IoError unless the file holds exactly the rows of the layout (some number of whole rows,
/// when it does not say how many).
std::shared_ptr<ArrayFile> open_raw(const std::filesystem::path& file, const RawLayout& layout);

}  // namespace cavi::io
