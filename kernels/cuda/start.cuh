// SPDX-License-Identifier: Apache-2.0
// Given responsibilities, and the statistics of the rows under them, in float64.
//
//   work    a warp per (component, slab, row of the moment matrix, kAtOnce of its columns): lanes take every 32nd point
//   memory  rows come feature-major, so a load of a warp is one line; responsibilities are looked up or made up anew
//   order   a lane sums its points in their order, lanes meet in a butterfly, slabs in a contraction afterwards
#pragma once

#include "kernels/cuda/device_ops.hpp"
#include "kernels/cuda/team.hpp"
#include "kernels/math/random.hpp"

namespace cavi::kernels::cuda {

/// Responsibility of component k for row n of the problem. A random one needs the sum over all components: see
/// row_scale.
__device__ inline double given_value(const DeviceResponsibilities& given, std::int64_t first_row, std::int64_t n, int k,
                                     int components) {
  if (given.labels) return given.labels[first_row + n] == k ? 1 : 0;
  if (given.dense) return given.dense[(first_row + n) * components + k];
  return random::start_responsibility(given.seed, std::uint64_t(n), k);
}
__device__ inline double given_scale(const DeviceResponsibilities& given, std::int64_t n, int components) {
  if (given.labels || given.dense) return 1;
  double sum = 0;
  for (int k = 0; k < components; ++k) sum += random::start_responsibility(given.seed, std::uint64_t(n), k);
  return sum;
}
__device__ inline double given_entropy(const DeviceResponsibilities& given, std::int64_t first_row, std::int64_t n,
                                       int components) {
  if (given.labels) return 0;
  const double scale = given_scale(given, n, components);
  double sum = 0;
  for (int k = 0; k < components; ++k)
    if (const double r = given_value(given, first_row, n, k, components) / scale; r > 0) sum -= r * log(r);
  return sum;
}

template <class T>
__device__ double feature(const T* x, int features, std::int64_t n, int f) {
  return f == features ? 1.0 : double(x[((n / kTile) * features + f) * kTile + n % kTile]);
}

template <class T>
__device__ void start_unit(const DeviceMixtureStart& s, const DeviceProblem& p, std::int64_t unit) {
  const int lane = int(threadIdx.x % kWarp), d = s.features;
  const std::int64_t rows = p.rows[s.source].count, first_row = p.first(s.elements);
  const double* weight = s.weight == kNoBuffer ? nullptr : p[s.weight];
  const StartShape shape(s);
  const std::int64_t sums = shape.sums(s.slabs);
  if (unit >= sums) {
    const std::int64_t n = (unit - sums) * kWarp + lane;
    if (n >= rows) return;
    const double w = weight ? double(T(weight[n])) : 1;
    p[s.entropies][n] = w == 0 ? 0 : w * given_entropy(s.given, first_row, n, s.components);
    return;
  }
  const int slab = int(unit / shape.per_slab()), k = int(unit / shape.groups / shape.rows % shape.sets);
  const int i = int(unit / shape.groups % shape.rows), group = int(unit % shape.groups);
  const bool all = k == s.components;                          // the moment of all rows, of a tied family
  const bool last_column = shape.sets > s.components && !all;  // and nothing else
  const int first = shape.matrix ? group * kAtOnce : d;
  if (first + kAtOnce <= (last_column ? d : i)) return;  // the matrix is symmetric

  const std::int64_t size = start_size(s.component, s.components, d), slabs = start_slabs(rows, size);
  const std::int64_t begin = slab < slabs ? start_slab_begin(rows, slabs, slab) : rows;
  const std::int64_t end = slab < slabs ? start_slab_begin(rows, slabs, slab + 1) : rows;
  const T* x = static_cast<const T*>(p.rows[s.source].x);
  double sum[kAtOnce] = {}, diagonal = 0;
  for (std::int64_t n = begin + lane; n < end; n += kWarp) {
    double r = weight ? double(T(weight[n])) : 1;
    if (!all) r *= given_value(s.given, first_row, n, k, s.components);
    if (r == 0) continue;
    if (!all) r /= given_scale(s.given, n, s.components);
    const double xi = feature(x, d, n, i);
#pragma unroll
    for (int c = 0; c < kAtOnce; ++c)
      if (first + c <= d) sum[c] += r * xi * feature(x, d, n, first + c);
    if (!shape.matrix) diagonal += r * xi * xi;
  }

  double* out = p[s.sums] + slab * size;
  double *count = out + k, *moment = out + s.components + std::int64_t(k) * d;
  double* second = out + s.components + std::int64_t(s.components) * d;
#pragma unroll
  for (int c = 0; c < kAtOnce; ++c) {
    const double total = warp_sum(sum[c]);
    const int j = first + c;
    if (lane != 0 || j > d || j < i) continue;
    if (j == d && !all) {
      *(i == d ? count : moment + i) = total;
    } else if (j < d && !last_column) {
      double* matrix = second + (all ? 0 : std::int64_t(k) * d * d);
      matrix[i * d + j] = matrix[j * d + i] = total;
    }
  }
  if (shape.matrix || i == d || s.component == Component::linear) return;
  const double total = warp_sum(diagonal);
  if (lane == 0) second[std::int64_t(k) * d + i] = total;
}

}  // namespace cavi::kernels::cuda
