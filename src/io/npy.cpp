// SPDX-License-Identifier: Apache-2.0
#include "src/io/npy.hpp"

#include "src/memory_source.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

namespace cavi::io {

Scalar NpyFile::scalar() const {
  return header_.stored == Stored::f4 || header_.stored == Stored::u1 ? Scalar::float32 : Scalar::float64;
}

void NpyFile::read(std::int64_t first, std::int64_t count, void* out) const {
  require_rows(*this, first, count);
  switch (header_.stored) {
    case Stored::f4: return read_as<float>(first, count, static_cast<float*>(out));
    case Stored::f8: return read_as<double>(first, count, static_cast<double*>(out));
    case Stored::i4: return read_as<std::int32_t>(first, count, static_cast<double*>(out));
    case Stored::i8: return read_as<std::int64_t>(first, count, static_cast<double*>(out));
    case Stored::u1: return read_as<std::uint8_t>(first, count, static_cast<float*>(out));
  }
}

template <class From, class To>
void NpyFile::read_as(std::int64_t first, std::int64_t count, To* out) const {
  const std::int64_t cols = header_.cols;
  if (!header_.fortran_order) return copy<From>(first * cols, count * cols, 1, out);
  for (std::int64_t c = 0; c < cols; ++c) copy<From>(c * header_.rows + first, count, cols, out + c);
}

/// `count` stored numbers from number `position` on, to every stride-th place of `out`.
template <class From, class To>
void NpyFile::copy(std::int64_t position, std::int64_t count, std::int64_t stride, To* out) const {
  if constexpr (std::is_same_v<From, To>) {
    if (stride == 1) return file_.read(header_.data + position * sizeof(From), count * sizeof(From), out);
  }
  std::array<From, 8192> block;
  for (std::int64_t done = 0; done < count; done += std::int64_t(block.size())) {
    const std::int64_t n = std::min(count - done, std::int64_t(block.size()));
    file_.read(header_.data + (position + done) * std::int64_t(sizeof(From)), n * sizeof(From), block.data());
    for (std::int64_t i = 0; i < n; ++i) out[(done + i) * stride] = To(block[i]);
  }
}

}  // namespace cavi::io
