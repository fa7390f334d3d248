// SPDX-License-Identifier: Apache-2.0
// Data that are no Gaussian's: which values they can have, and their terms.
#pragma once

#include "src/model_impl.hpp"

#include <cavi/matrix.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace cavi {

/// Whole numbers up to this one are float32 numbers.
inline constexpr double kLargestFloat32Count = 1 << 24;
std::string too_large_for_float32(double count);

/// "row 3, column 1 (from 0): 0.5 is not 0 or 1".
std::string wrong_value(std::int64_t row, std::int64_t column, double value, const std::string& needed);

/// Terms of log p(child | parents) for a conditional of a family, over the child's labels. A problem whose data cannot
/// be is refused. Throws NotConjugate, ShapeError.
std::vector<Term> observed_terms(Model::Impl& model, const Reference& child, const Conditional& c);

/// Calls visit(row, numbers) for `rows` rows from the first on, block by block, in float64.
template <class Visit>
void for_each_row(const MatrixSource& x, std::int64_t first, std::int64_t rows, Visit visit) {
  if (rows == 0 || x.cols() == 0) return;
  const std::int64_t cols = x.cols(), block = std::clamp<std::int64_t>((1 << 16) / cols, 1, rows), end = first + rows;
  std::vector<double> wide(std::size_t(block * cols));
  std::vector<float> narrow(x.scalar() == Scalar::float32 ? wide.size() : 0);
  for (; first < end; first += block) {
    const std::int64_t count = std::min(block, end - first);
    if (narrow.empty()) {
      x.read(first, count, wide.data());
    } else {
      x.read(first, count, narrow.data());
      std::copy_n(narrow.data(), count * cols, wide.data());
    }
    for (std::int64_t i = 0; i < count; ++i) visit(first + i, wide.data() + i * cols);
  }
}
template <class Visit>
void for_each_row(const Matrix& x, Visit visit) {
  if (x.source()) for_each_row(*x.source(), 0, x.rows(), visit);
}

}  // namespace cavi
