// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows in host memory, owned or borrowed.
#pragma once

#include <cavi/error.hpp>
#include <cavi/matrix.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace cavi {

/// Throws ShapeError unless rows [first, first + count) belong to the source.
inline void require_rows(const MatrixSource& source, std::int64_t first, std::int64_t count) {
  if (first < 0 || count < 0 || first > source.rows() - count)
    throw ShapeError(
        fmt::format("{}: {} rows from row {} on asked for, there are {}", source.name(), count, first, source.rows()));
}

template <class T>
class MemorySource final : public MatrixSource {
 public:
  MemorySource(std::vector<T> values, std::int64_t rows, int cols, std::string name,
               std::vector<std::string> column_names = {})
      : owned_(std::move(values)),
        data_(owned_.data()),
        rows_(rows),
        cols_(cols),
        stride_(cols),
        name_(std::move(name)),
        column_names_(std::move(column_names)) {
    if (rows < 0 || cols < 0 ||
        (cols > 0 ? owned_.size() % cols != 0 || std::int64_t(owned_.size() / cols) != rows : !owned_.empty()))
      throw ShapeError(fmt::format("{}: {} numbers are not {} x {}", name_, owned_.size(), rows, cols));
  }
  MemorySource(const T* data, std::int64_t rows, int cols, std::int64_t stride)
      : data_(data), rows_(rows), cols_(cols), stride_(stride) {
    if (rows < 0 || cols < 0) throw ShapeError(fmt::format("{}: {} x {} is no size", name_, rows, cols));
    if (stride < cols) throw ShapeError(fmt::format("{}: rows of {} numbers lie {} apart", name_, cols, stride));
    if (data == nullptr && rows > 0 && cols > 0) throw ShapeError(name_ + ": the address is null");
  }
  // data_ points into owned_.
  MemorySource(const MemorySource&) = delete;
  MemorySource& operator=(const MemorySource&) = delete;

  std::int64_t rows() const override { return rows_; }
  int cols() const override { return cols_; }
  Scalar scalar() const override { return std::is_same_v<T, float> ? Scalar::float32 : Scalar::float64; }
  std::string name() const override { return name_; }
  std::vector<std::string> column_names() const override { return column_names_; }
  const void* data() const override { return data_; }
  std::int64_t row_stride() const override { return stride_; }

  void read(std::int64_t first, std::int64_t count, void* out) const override {
    require_rows(*this, first, count);
    T* to = static_cast<T*>(out);
    for (std::int64_t i = first; i < first + count; ++i) to = std::copy_n(data_ + i * stride_, cols_, to);
  }

 private:
  std::vector<T> owned_;
  const T* data_;
  std::int64_t rows_;
  int cols_;
  std::int64_t stride_;
  std::string name_ = "array";
  std::vector<std::string> column_names_;
};

}  // namespace cavi
