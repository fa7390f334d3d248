// SPDX-License-Identifier: Apache-2.0
#include <cavi/error.hpp>
#include <cavi/io.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

namespace cavi {
namespace {

/// All bits of the exponent are set in NaN and infinity alone; without early exit the loop is a vector loop.
template <class T>
bool all_finite(const T* values, std::int64_t count) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits kExponent = sizeof(T) == 4 ? Bits(0x7f800000u) : Bits(0x7ff0000000000000u);
  Bits found = 0;
  for (std::int64_t i = 0; i < count; ++i) found |= Bits((std::bit_cast<Bits>(values[i]) & kExponent) == kExponent);
  return found == 0;
}

template <class T>
void require_finite(const MatrixSource& source) {
  const std::int64_t cols = source.cols();
  if (cols == 0) return;
  const std::int64_t block = std::max<std::int64_t>(1, (1 << 17) / cols);  // rows
  const T* data = static_cast<const T*>(source.data());
  std::vector<T> copy(data ? 0 : std::size_t(std::min(block, source.rows()) * cols));
  const std::int64_t stride = data ? source.row_stride() : cols;
  for (std::int64_t first = 0; first < source.rows(); first += block) {
    const std::int64_t count = std::min(block, source.rows() - first);
    if (!data) source.read(first, count, copy.data());
    const T* rows = data ? data + first * stride : copy.data();
    if (stride == cols && all_finite(rows, count * cols)) continue;
    for (std::int64_t i = 0; i < count; ++i) {
      const T* row = rows + i * stride;
      if (all_finite(row, cols)) continue;
      const std::int64_t c = std::find_if_not(row, row + cols, [](T x) { return std::isfinite(x); }) - row;
      throw NumericalError(fmt::format("{}: row {}, column {} (from 0): {}; drop or impute such rows", source.name(),
                                       first + i, c, std::isnan(row[c]) ? "NaN" : "infinity"));
    }
  }
}

}  // namespace

void require_finite(const Matrix& x) {
  if (!x.source()) return;
  return x.scalar() == Scalar::float32 ? require_finite<float>(*x.source()) : require_finite<double>(*x.source());
}

}  // namespace cavi
