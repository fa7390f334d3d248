// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/rows.hpp"

#include "kernels/cpu/mixture.hpp"

#include <cavi/error.hpp>

#include <algorithm>

namespace cavi::kernels::cpu {

std::int64_t Slabs::begin(std::int64_t slab) const {
  const std::int64_t grains = (rows + grain - 1) / grain;
  return std::min(rows, (grains * slab / count) * grain);
}

Slabs cut_slabs(std::int64_t rows, std::int64_t grain, std::size_t bytes, std::int64_t rows_per_slab) {
  constexpr std::int64_t kMost = 64, kLeast = 8;  // kLeast: threads that a problem with large sums can keep busy
  constexpr std::int64_t kBytes = 64 << 20;
  const std::int64_t affordable = std::max(kLeast, kBytes / std::max<std::int64_t>(1, std::int64_t(bytes)));
  return {rows, grain, int(std::clamp<std::int64_t>(rows / rows_per_slab, 1, std::min(kMost, affordable)))};
}

void tree_sum(double* parts, int slabs, std::int64_t size, std::int64_t stride, ThreadPool& pool) {
  constexpr std::int64_t kChunk = 4096;
  pool.run((size + kChunk - 1) / kChunk, [&](std::int64_t chunk, int) {
    const std::int64_t begin = chunk * kChunk, end = std::min(size, begin + kChunk);
    for (int step = 1; step < slabs; step *= 2)
      for (int s = 0; s + step < slabs; s += 2 * step) {
        double* to = parts + s * stride;
        const double* from = to + step * stride;
        for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
      }
  });
}

namespace {

// Points are taken a few at a time so that a feature's values are written as whole cache lines.
template <class T, class In>
void transpose(const In* x, std::int64_t row_stride, std::int64_t count, int features, const double* origin, T* out,
               std::int64_t stride) {
  constexpr std::int64_t kPoints = 16;
  for (std::int64_t i0 = 0; i0 < count; i0 += kPoints) {
    const std::int64_t i1 = std::min(count, i0 + kPoints);
    for (int d = 0; d < features; ++d) {
      const double o = origin ? origin[d] : 0;
      for (std::int64_t i = i0; i < i1; ++i) out[d * stride + i] = T(double(x[i * row_stride + d]) - o);
    }
  }
}

}  // namespace

template <class T>
void load_features(const Rows& rows, std::int64_t first, std::int64_t count, double* raw, T* out, std::int64_t stride) {
  const MatrixSource& source = *rows.source;
  const int features = source.cols();
  std::int64_t row_stride = features;
  const void* x = raw;
  if (source.data()) {
    row_stride = source.row_stride();
    const std::int64_t offset = (rows.first + first) * row_stride;
    x = static_cast<const char*>(source.data()) + offset * size_of(source.scalar());
  } else {
    source.read(rows.first + first, count, raw);
  }
  if (source.scalar() == Scalar::float32)
    transpose(static_cast<const float*>(x), row_stride, count, features, rows.origin, out, stride);
  else
    transpose(static_cast<const double*>(x), row_stride, count, features, rows.origin, out, stride);
}

template void load_features(const Rows&, std::int64_t, std::int64_t, double*, float*, std::int64_t);
template void load_features(const Rows&, std::int64_t, std::int64_t, double*, double*, std::int64_t);

}  // namespace cavi::kernels::cpu
