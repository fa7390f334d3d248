// SPDX-License-Identifier: Apache-2.0
#include <cavi/matrix.hpp>

#include "src/memory_source.hpp"

namespace cavi {
namespace {

template <class T>
std::vector<double> read_all(const MatrixSource& source) {
  std::vector<T> values(std::size_t(source.rows()) * source.cols());
  source.read(0, source.rows(), values.data());
  if constexpr (std::is_same_v<T, double>)
    return values;
  else
    return {values.begin(), values.end()};
}

}  // namespace

Matrix::Matrix(std::vector<float> values, std::int64_t rows, int cols)
    : source_(std::make_shared<MemorySource<float>>(std::move(values), rows, cols, "array")) {}

Matrix::Matrix(std::vector<double> values, std::int64_t rows, int cols)
    : source_(std::make_shared<MemorySource<double>>(std::move(values), rows, cols, "array")) {}

Matrix Matrix::view(const float* data, std::int64_t rows, int cols, std::int64_t row_stride) {
  return Matrix(std::make_shared<MemorySource<float>>(data, rows, cols, row_stride ? row_stride : cols));
}

Matrix Matrix::view(const double* data, std::int64_t rows, int cols, std::int64_t row_stride) {
  return Matrix(std::make_shared<MemorySource<double>>(data, rows, cols, row_stride ? row_stride : cols));
}

std::vector<double> Matrix::to_vector() const {
  if (!source_) return {};
  return scalar() == Scalar::float32 ? read_all<float>(*source_) : read_all<double>(*source_);
}

}  // namespace cavi
