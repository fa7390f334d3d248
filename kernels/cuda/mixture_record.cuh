// SPDX-License-Identifier: Apache-2.0
/// \file
/// A component of a full family as a warp scores it: the root as packed, a shift, the offset and whether its mean is
/// far from the origin. Near means shift the product, y = R x + shift, which saves the differences; far ones the rows,
/// y = R (x - shift), since there products cancel.
#pragma once

#include "kernels/cuda/mixture_layout.hpp"
#include "kernels/cuda/team.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::cuda {

/// Standard deviations from the origin up to which a mean is near, the terms of R m taken by their magnitude: an
/// element of y is off by some 2^-16 then.
inline constexpr double kNear = 256;

struct Record {
  float *shift, *offset, *far;  ///< [padded D], [1], [1]

  __device__ Record(const FullView& view, int k)
      : shift(view.record_of(k) + packed_size(Component::full, view.features)),
        offset(shift + padded(view.features)),
        far(offset + 1) {}
};

/// Element i of R x.
__device__ inline double whitened(const FullView& view, int k, int i, const double* x) {
  const double* root = view.root_of(k) + std::int64_t(i) * view.features;
  double sum = 0;
  for (int j = i; j < view.features; ++j) sum += root[j] * x[j];
  return sum;
}

/// What follows the root in a record, from rounded parameters.
__device__ inline void finish_record(const FullView& view, int k, Warp warp) {
  const Record record(view, k);
  const int d = view.features;
  const double* centre = view.centre_of(k);
  double square = 0;
  for (int i = warp.rank(); i < padded(d); i += warp.size()) {
    record.shift[i] = i < d ? float(-whitened(view, k, i, centre)) : 0;
    double magnitude = 0;
    for (int j = i; j < d; ++j) magnitude += std::fabs(view.root_of(k)[std::int64_t(i) * d + j] * centre[j]);
    square += magnitude * magnitude;
  }
  const bool far = !(warp.sum(square) <= kNear * kNear * kBitsPerNat / 2);
  for (int i = warp.rank(); far && i < padded(d); i += warp.size()) record.shift[i] = i < d ? float(centre[i]) : 0;
  for (int i = warp.rank(); i < kCell; i += warp.size())  // read as a whole
    record.offset[i] = i == 0 ? view.offsets[k] : i == 1 && far ? 1.0f : 0.0f;
}

__device__ inline double count_near(const FullView& view, Warp warp) {
  double near = 0;
  for (int k = warp.rank(); k < view.components; k += warp.size()) near += *Record(view, k).far == 0;
  return warp.sum(near);
}

/// What rows whose moments about the centre are `count` and `first` lack more to the offset when the shift, which was
/// rounded, is not quite -R m.
__device__ inline double shortfall_of_shift(const FullView& view, int k, double count, const double* first, Warp warp) {
  const Record record(view, k);
  if (*record.far != 0) return 0;
  double sum = 0;
  for (int i = warp.rank(); i < view.features; i += warp.size()) {
    const double error = record.shift[i] + whitened(view, k, i, view.centre_of(k));
    sum += error * (2 * whitened(view, k, i, first) + count * error);
  }
  return warp.sum(sum);
}

}  // namespace cavi::kernels::cuda
