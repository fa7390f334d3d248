// SPDX-License-Identifier: Apache-2.0
// Given responsibilities, and the statistics of the rows under them, in float64.
//
//   work    a warp per (component, slab, kAtOnce rows and columns of the moment matrix): lanes take every 32nd point
//   memory  rows come feature-major, so a load of a warp is a line or, of some points, a few sectors; responsibilities
//           are looked up or made up anew
//   order   a lane sums its points in their order, lanes meet in a butterfly, slabs in a contraction afterwards
#include "kernels/cuda/mixture_start.hpp"

#include "kernels/cuda/given.cuh"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/team.hpp"

namespace cavi::kernels::cuda {
namespace {

constexpr int kThreads = 128;

/// Calls visit(n) for every kWarp-th row of [begin, end) from this lane's on whose label is k. Labels are looked at
/// many at a time, so that lanes visit theirs together.
template <class Visit>
__device__ inline void for_labelled(const std::int32_t* labels, int k, std::int64_t begin, std::int64_t end,
                                    Visit visit) {
  constexpr int kMany = 32;
  for (std::int64_t from = begin + Warp::rank(); from < end; from += kMany * kWarp) {
    unsigned mine = 0;
#pragma unroll 8
    for (int i = 0; i < kMany; ++i) {
      const std::int64_t n = from + i * kWarp;
      mine |= unsigned(n < end && labels[n] == k) << i;
    }
    for (; mine != 0; mine &= mine - 1) visit(from + (__ffs(int(mine)) - 1) * kWarp);
  }
}

/// Features f, f + 1, ... of a row: after the last comes a one, then zeros.
template <class T>
__device__ inline void take_features(const T* x, int features, std::int64_t n, int f, double (&out)[kAtOnce]) {
  const T* from = x + (n / kTile * features + f) * kTile + n % kTile;
#pragma unroll
  for (int c = 0; c < kAtOnce; ++c) out[c] = f + c < features ? double(from[c * kTile]) : f + c == features ? 1.0 : 0.0;
}

template <class T>
__device__ void start_unit(const DeviceMixtureStart& s, const DeviceProblem& p, std::int64_t unit) {
  const int lane = Warp::rank(), d = s.features;
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
  const int slab = int(unit / shape.per_slab()), k = int(unit / shape.columns / shape.groups % shape.sets);
  const int i = int(unit / shape.columns % shape.groups) * kAtOnce, j = int(unit % shape.columns) * kAtOnce;
  const bool all = k == s.components;                                // the moment of all rows, of a tied family
  const bool last_column = shape.sets > s.components && !all;        // and nothing else
  if (shape.matrix && j + kAtOnce <= (last_column ? d : i)) return;  // the matrix is symmetric

  const std::int64_t size = start_size(s.component, s.components, d), slabs = start_slabs(rows, size);
  const std::int64_t begin = slab < slabs ? start_slab_begin(rows, slabs, slab) : rows;
  const std::int64_t end = slab < slabs ? start_slab_begin(rows, slabs, slab + 1) : rows;
  const T* x = static_cast<const T*>(p.rows[s.source].x);
  double sum[kAtOnce][kAtOnce] = {};  // without a matrix: the last column, the diagonal
  const auto add = [&](std::int64_t n, double r) {
    double row[kAtOnce], column[kAtOnce];
    take_features(x, d, n, i, row);
    if (shape.matrix) {
      take_features(x, d, n, j, column);
#pragma unroll
      for (int a = 0; a < kAtOnce; ++a)
#pragma unroll
        for (int c = 0; c < kAtOnce; ++c) sum[a][c] = std::fma(r * row[a], column[c], sum[a][c]);
      return;
    }
#pragma unroll
    for (int a = 0; a < kAtOnce; ++a) {
      sum[a][0] = std::fma(r, row[a], sum[a][0]);
      sum[a][1] = std::fma(r * row[a], row[a], sum[a][1]);
    }
  };
  const auto weight_of = [&](std::int64_t n) { return weight ? double(T(weight[n])) : 1.0; };
  if (all || !s.given.labels)
    for (std::int64_t n = begin + lane; n < end; n += kWarp) {
      double r = weight_of(n);
      if (!all && r != 0) {
        r *= given_value(s.given, first_row, n, k, s.components);
        r /= given_scale(s.given, n, s.components);
      }
      if (r != 0) add(n, r);
    }
  else
    for_labelled(s.given.labels + first_row, k, begin, end, [&](std::int64_t n) {
      if (const double r = weight_of(n); r != 0) add(n, r);
    });

  double* out = p[s.sums] + slab * size;
  double *count = out + k, *moment = out + s.components + std::int64_t(k) * d;
  double* second = out + s.components + std::int64_t(s.components) * d;
  double* matrix = second + (all ? 0 : std::int64_t(k) * d * d);
  const auto put_last = [&](int row, double total) { *(row == d ? count : moment + row) = total; };
#pragma unroll
  for (int a = 0; a < kAtOnce; ++a)
#pragma unroll
    for (int c = 0; c < kAtOnce; ++c) {
      if (!shape.matrix && c > 1) continue;
      const double total = warp_sum(sum[a][c]);
      const int row = i + a, column = j + c;
      if (lane != 0 || row > d) continue;
      if (!shape.matrix) {
        if (c == 0)
          put_last(row, total);
        else if (row < d && s.component != Component::linear)
          second[std::int64_t(k) * d + row] = total;
      } else if (row <= column && column == d && !all) {
        put_last(row, total);
      } else if (row <= column && column < d && !last_column) {
        matrix[row * d + column] = matrix[column * d + row] = total;
      }
    }
}

template <class T>
__global__ void __launch_bounds__(kThreads, 1)
    start_kernel(DeviceMixtureStart s, UnitRange range, const DeviceProblem* problems) {
  const DeviceProblem& p = problems[blockIdx.y];
  if (*p.active == 0) return;
  const std::int64_t end = min(start_units(s, p.rows[s.source].count), range.end);
  const std::int64_t warps = std::int64_t(gridDim.x) * (kThreads / kWarp);
  for (std::int64_t unit = range.first + (std::int64_t(blockIdx.x) * kThreads + threadIdx.x) / kWarp; unit < end;
       unit += warps)
    start_unit<T>(s, p, unit);
}

}  // namespace

cudaError_t enqueue_mixture_start(const DeviceMixtureStart& s, UnitRange range, const DeviceProblem* problems,
                                  std::int64_t count, cudaStream_t stream) {
  if (range.end <= range.first) return cudaSuccess;
  const auto kernel = s.precision == Scalar::float32 ? start_kernel<float> : start_kernel<double>;
  const unsigned blocks = blocks_for((range.end - range.first) * kWarp, kThreads);
  return in_grids(problems, count, [&](const DeviceProblem* some, std::int64_t many) {
    return launch(kernel, dim3(blocks, unsigned(many)), dim3(kThreads), 0, stream, s, range, some);
  });
}

}  // namespace cavi::kernels::cuda
