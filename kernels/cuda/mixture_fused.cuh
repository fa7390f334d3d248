// SPDX-License-Identifier: Apache-2.0
/// \file
/// Steps of the fused pass in float32: two tiles of rows in shared memory, scored, normalised and accumulated by one
/// block before the next two come. Responsibilities stay beside them where there is room, else in the slab's workspace.
///
///   respond      a warp per component, four points of a lane in registers, parameters by broadcast
///   normalise    a thread per point
///   accumulate   a warp per component, over a list of the points that matter to it
#pragma once

#include "kernels/cuda/mixture_float32.hpp"
#include "kernels/cuda/mixture_tile.cuh"

#include <cstdint>

namespace cavi::kernels::cuda {

/// A point that matters to a component.
struct alignas(8) Live {
  float r;
  int point;
};

/// Where things are in shared memory, for so many points.
template <int points = kFusedPoints>
struct FusedShared {
  float* x;      ///< [padded D x fused_stride(points)]
  float* scale;  ///< [points] weight over the sum of exponentials
  Live* live;    ///< [points], of this warp
  float* r;      ///< [K x points] exponentials

  __device__ FusedShared(float* pool, int features) : x(pool) {
    scale = x + padded(features) * fused_stride(points);
    live = reinterpret_cast<Live*>(scale + points) + threadIdx.x / kWarp * points;
    r = scale + points + kFusedWarps * points * int(sizeof(Live) / sizeof(float));
  }
};

/// Tiles `tile` and the next, as far as they lie before `last`; zeros elsewhere.
template <int points, class F>
__device__ inline void load_tiles(const MixtureView<F, float>& view, int tile, int last, float* x) {
  constexpr int kFours = points / 4;
  for (int i = threadIdx.x; i < padded(view.features) * kFours; i += kFusedThreads) {
    const int d = i / kFours, at = i % kFours * 4;
    const int from = tile + at / kTile;
    Four<float> four = {};
    if (d < view.features && from < last)
      four =
          *reinterpret_cast<const Four<float>*>(view.x + (std::int64_t(from) * view.features + d) * kTile + at % kTile);
    *reinterpret_cast<Four<float>*>(x + d * fused_stride(points) + at) = four;
  }
}

/// Rows in place by whitened ones: an element of an upper triangular product needs none before it.
template <class F>
__device__ inline void whiten_tiles(const MixtureView<F, float>& view, float* x) {
  const double* root = view.packed_root_of(0);
  for (int n = threadIdx.x; n < kFusedPoints; n += kFusedThreads)
    for (int row = 0; row < view.features; row += kCell) {
      double y[kCell];
      whiten_rows(root, row, view.features, y, [=](int j) { return double(x[j * kFusedStride + n]); });
      for (int r = 0; r < kCell && row + r < view.features; ++r) x[(row + r) * kFusedStride + n] = float(y[r]);
    }
}

/// Logits to exponentials, and the scale that makes them weighted responsibilities. Returns the weighted lse in bits.
template <int points, class F>
__device__ inline double normalise_tiles(const MixtureView<F, float>& view, int tile, int last, float* r,
                                         float* scale) {
  double lse = 0;
  for (int n = threadIdx.x; n < points; n += kFusedThreads) {
    const std::int64_t row = std::int64_t(tile) * kTile + n;
    const bool inside = row < view.rows && tile + n / kTile < last;
    const float weight = !inside ? 0 : view.weight ? float(view.weight[row]) : 1;
    float* at = r + n;
    float largest = -FLT_MAX, sum = 0;
#pragma unroll 4
    for (int k = 0; k < view.components; ++k) largest = fmaxf(largest, at[k * points]);
#pragma unroll 4
    for (int k = 0; k < view.components; ++k) {
      const float e = approximate_exp2(at[k * points] - largest);
      at[k * points] = e;
      sum += e;
    }
    scale[n] = __fdividef(weight, sum);
    lse += double(weight) * (double(largest) + double(approximate_log2(sum)));
  }
  return lse;
}

/// Lists the points that matter to a component, and adds up all of its responsibilities, by a warp. Returns how many.
template <int points>
__device__ inline int list_live(const float* r, const float* scale, Live* live, float& count) {
  const int lane = Warp::rank();
  int n = 0;
  count = 0;
#pragma unroll
  for (int i = 0; i < points; i += kWarp) {
    const float at = r[i + lane] * scale[i + lane];
    count += at;
    const bool alive = at > kNegligible<float>;
    const unsigned mask = __ballot_sync(kAllLanes, alive);
    if (alive) live[n + __popc(mask & ((1u << lane) - 1))] = {at, i + lane};
    n += __popc(mask);
  }
  count = warp_sum(count);
  __syncwarp();
  return n;
}

/// Adds up components first, first + kFusedWarps, ... below `last`, a warp each, with accumulate(k, live, lives).
template <int points, class F, class Accumulate>
__device__ inline void accumulate_components(const MixtureView<F, float>& view, int first, int last, const float* r,
                                             const float* scale, Live* live, double* sums, Accumulate accumulate) {
  for (int k = first + threadIdx.x / kWarp; k < last; k += kFusedWarps) {
    const double before = view.count(sums)[k];
    float count;
    const int lives = list_live<points>(r + k * points, scale, live, count);
    if (Warp::rank() == 0) view.count(sums)[k] = before + double(count);
    if (lives > 0) accumulate(k, live, lives);
    __syncwarp();
  }
}

/// The sum over the threads of a block, for thread 0.
__device__ inline double block_sum(double value) {
  CAVI_SHARED(double, parts, [kFusedWarps]);
  value = warp_sum(value);
  if (Warp::rank() == 0) parts[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = (parts[0] + parts[1]) + (parts[2] + parts[3]);
  __syncthreads();  // parts are those of the next problem, too
  return value;
}

/// The pass over a slab: respond(x, r) and accumulate(k, x, live, lives, sums) are the family's.
template <class F, bool r_shared, class Respond, class Accumulate>
__device__ inline void fused_slab(const MixtureView<F, float>& view, std::int64_t slab, float* pool, Respond respond,
                                  Accumulate accumulate) {
  const FusedShared<> at(pool, view.features);
  float* r = r_shared ? at.r : view.workspace + slab * view.slab_workspace;
  double* sums = view.sums + slab * view.slab_sums;
  for (std::int64_t i = threadIdx.x; i < view.slab_sums; i += kFusedThreads) sums[i] = 0;

  double lse = 0;
  const unsigned tiles = tile_count(view.rows);
  const int last = slab_tile(tiles, view.slabs, slab + 1);
  for (int tile = slab_tile(tiles, view.slabs, slab); tile < last; tile += kFusedPoints / kTile) {
    load_tiles<kFusedPoints>(view, tile, last, at.x);
    __syncthreads();
    if constexpr (F::shared) {
      whiten_tiles(view, at.x);
      __syncthreads();
    }
    respond(at.x, r);
    __syncthreads();
    lse += normalise_tiles<kFusedPoints>(view, tile, last, r, at.scale);
    __syncthreads();
    accumulate_components<kFusedPoints>(
        view, 0, view.components, r, at.scale, at.live, sums,
        [&](int k, const Live* live, int lives) { accumulate(k, at.x, live, lives, sums); });
    __syncthreads();
  }
  lse = block_sum(lse);
  if (threadIdx.x == 0) *view.lse(sums) = lse * kNatsPerBit;
}

}  // namespace cavi::kernels::cuda
