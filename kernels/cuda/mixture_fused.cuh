// SPDX-License-Identifier: Apache-2.0
/// \file
/// Steps of the fused pass in float32: some points in shared memory, scored, normalised and accumulated by one block
/// before the next come. Responsibilities stay beside them where there is room, else in the slab's workspace.
///
///   respond      warps deal out components; a lane has a few points, parameters come by broadcast
///   normalise    a thread per point, or lanes of a warp that share the components
///   accumulate   a warp per component, over a list of the points that matter to it
///
/// Parameters are read again for every tile, and should stay in L1: what is read once goes past it.
#pragma once

#include "kernels/cuda/mixture_float32.hpp"
#include "kernels/cuda/mixture_tile.cuh"

#include <cstddef>
#include <cstdint>

namespace cavi::kernels::cuda {

/// The points that matter to a component, in order: weighted responsibilities and numbers.
struct Lives {
  const float* r;
  const std::uint16_t* point;
  int count;
};

template <int n>
struct alignas(4 * n) Pack {
  float v[n];
};

/// A load past L1.
__device__ inline Four<float> load_far(const Four<float>* from) {
#if defined(__CUDACC__)
  const float4 v = __ldcg(reinterpret_cast<const float4*>(from));
  return {v.x, v.y, v.z, v.w};
#else
  return *from;
#endif
}
__device__ inline double load_far(const double* from) {
#if defined(__CUDACC__)
  return __ldcg(from);
#else
  return *from;
#endif
}

/// A number of this lane, from a shuffle: what follows from it is found anew for each tile. Found before the loop over
/// tiles it would take more registers than there are.
__device__ inline int anew(int x) { return __shfl_sync(kAllLanes, x, Warp::rank()); }

/// The view of a block's problem in shared memory: what a step needs of it is read when it begins (`local()`), and
/// takes no registers from the others. Once in a kernel, by all threads.
template <class F>
__device__ inline const MixtureView<F, float>& shared_view(const MixtureSweepDevice& op, const DeviceProblem& problem) {
  using View = MixtureView<F, float>;
  CAVI_SHARED(std::uint64_t, room, [(sizeof(View) + 7) / 8]);
  View& view = *reinterpret_cast<View*>(room);
  const View found(op, problem);
  if (threadIdx.x == 0) view = found;
  __syncthreads();
  return view;
}

/// Where things are in shared memory.
template <class Tile>
struct TileShared {
  float* x;          ///< features Tile::at() apart
  float* scale;      ///< [points] weight over the sum of exponentials
  double* count;     ///< [K] responsibilities of the slab so far
  std::byte* lists;  ///< [warps] of points, or a component's record
  int of_warp;       ///< bytes of these
  float* r;          ///< [K x r_stride] exponentials

  __device__ TileShared(float* pool, int features, int components, int record = 0)
      : x(pool), of_warp(Tile::warp_bytes(record)) {
    scale = x + Tile::at(padded(features));
    count = reinterpret_cast<double*>(scale + Tile::points);
    lists = reinterpret_cast<std::byte*>(count + (components + 1) / 2 * 2);
    r = reinterpret_cast<float*>(lists + Tile::warps * of_warp);
  }
  __device__ std::byte* list() const { return lists + threadIdx.x / kWarp * of_warp; }  ///< of this warp
};

inline constexpr int kHalf = kTile / 2;  ///< points by which a pass goes on, at the least

/// Points from half tile `first` on, as far as they lie before half tile `last`; zeros elsewhere.
template <class Tile, class F>
__device__ inline void load_points(const MixtureView<F, float>& view, int first, int last, float* x) {
  constexpr int kFours = Tile::points / 4;
  const int thread = anew(int(threadIdx.x)), at = thread % kFours * 4, half = first + at / kHalf;
  const float* from = view.x + std::int64_t(half / 2) * view.features * kTile + half % 2 * kHalf + at % kHalf;
#pragma unroll 4
  for (int d = thread / kFours; d < padded(view.features); d += Tile::threads / kFours) {
    Four<float> four = {};
    if (d < view.features && half < last) four = load_far(reinterpret_cast<const Four<float>*>(from + d * kTile));
    *reinterpret_cast<Four<float>*>(x + Tile::at(d) + at) = four;
  }
}

/// Rows in place by whitened ones: an element of an upper triangular product needs none before it.
template <class Tile, class F>
__device__ inline void whiten_points(const MixtureView<F, float>& view, float* x) {
  const double* root = view.packed_root_of(0);
  for (int n = threadIdx.x; n < Tile::points; n += Tile::threads)
    for (int row = 0; row < view.features; row += kCell) {
      double y[kCell];
      whiten_rows(root, row, view.features, y, [=](int j) { return double(x[Tile::at(j) + n]); });
      for (int r = 0; r < kCell && row + r < view.features; ++r) x[Tile::at(row) + r * Tile::stride + n] = float(y[r]);
    }
}

/// Logits to exponentials, and the scale that makes them weighted responsibilities. Returns the weighted lse in bits.
template <class Tile, class F>
__device__ inline double normalise_points(const MixtureView<F, float>& view, int first, int last, float* r,
                                          float* scale) {
  constexpr int kSharing = Tile::sharing, kOfWarp = kWarp / kSharing;
  const int thread = anew(int(threadIdx.x)), lane = thread % kWarp, part = lane / kOfWarp;
  double lse = 0;
  for (int n = thread / kWarp * kOfWarp + lane % kOfWarp; n < Tile::points; n += Tile::warps * kOfWarp) {
    const std::int64_t row = std::int64_t(first) * kHalf + n;
    const bool inside = row < view.rows && first + n / kHalf < last;
    const float weight = !inside ? 0 : view.weight ? float(view.weight[row]) : 1;
    float* at = r + n;
    float largest = -FLT_MAX, sum = 0;
#pragma unroll 4
    for (int k = part; k < view.components; k += kSharing) largest = fmaxf(largest, at[k * Tile::r_stride]);
#pragma unroll
    for (int step = kOfWarp; step < kWarp; step *= 2)
      largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, step));
#pragma unroll 4
    for (int k = part; k < view.components; k += kSharing) {
      const float e = approximate_exp2(at[k * Tile::r_stride] - largest);
      at[k * Tile::r_stride] = e;
      sum += e;
    }
#pragma unroll
    for (int step = kOfWarp; step < kWarp; step *= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
    if (part != 0) continue;
    scale[n] = __fdividef(weight, sum);
    lse += double(weight) * (double(largest) + double(approximate_log2(sum)));
  }
  return lse;
}

/// Lists the points that matter to a component, and adds up all of its responsibilities, by a warp.
template <class Tile>
__device__ inline Lives list_live(float* r, const float* scale, std::byte* list, float& count) {
  const int lane = anew(Warp::rank());
  float* to = Tile::in_place ? r : reinterpret_cast<float*>(list);
  auto* point = reinterpret_cast<std::uint16_t*>(list + (Tile::in_place ? 0 : Tile::points * int(sizeof(float))));
  float at[Tile::points / kWarp];
  count = 0;
#pragma unroll
  for (int i = 0; i < Tile::points / kWarp; ++i) {
    at[i] = r[i * kWarp + lane] * scale[i * kWarp + lane];
    count += at[i];
  }
  __syncwarp();
  int n = 0;
#pragma unroll
  for (int i = 0; i < Tile::points / kWarp; ++i) {
    const bool alive = at[i] >= kNegligible<float>;
    const unsigned mask = __ballot_sync(kAllLanes, alive);
    if (alive) {
      const int place = n + __popc(mask & ((1u << lane) - 1));
      to[place] = at[i];
      point[place] = std::uint16_t(i * kWarp + lane);
    }
    n += __popc(mask);
  }
  count = warp_sum(count);
  __syncwarp();
  return {to, point, n};
}

/// Adds up components first, first + warps, ... below `last`, a warp each, with accumulate(k, lives).
template <class Tile, class Accumulate>
__device__ inline void accumulate_components(int first, int last, float* r, const float* scale, std::byte* list,
                                             double* counts, Accumulate accumulate) {
  for (int k = first + anew(int(threadIdx.x)) / kWarp; k < last; k += Tile::warps) {
    float count;
    const Lives lives = list_live<Tile>(r + k * Tile::r_stride, scale, list, count);
    if (Warp::rank() == 0) counts[k] += double(count);
    if (lives.count > 0) accumulate(k, lives);
    __syncwarp();  // before the list is written anew
  }
}

/// The pass over a slab by a block: respond(view, in, r) and accumulate(view, k, x, lives, sums) are the family's.
template <class F, class Tile, bool r_shared, class Respond, class Accumulate>
__device__ inline void fused_pass(MixtureSweepDevice op, const DeviceProblem& problem, int slab, float* pool,
                                  Respond respond, Accumulate accumulate) {
  using View = MixtureView<F, float>;
  CAVI_SHARED(double, lse, [Tile::warps]);
  CAVI_SHARED(std::int64_t, live, [Tile::warps]);  // pairs
  if (*problem.active == 0) return;
  op.regime = MixtureRegime::fused;  // so that the compiler knows the layout
  const View& shared = shared_view<F>(op, problem);
  if (slab >= shared.slabs) return;
  const auto place = [&](const View& view) {
    return TileShared<Tile>(pool, view.features, view.components, record_bytes(F::kind, view.features));
  };
  const auto sums_of = [=](const View& view) { return view.sums + std::int64_t(slab) * view.slab_sums; };
  const auto r_of = [&](const View& view) {
    return r_shared ? place(view).r : view.workspace + std::int64_t(slab) * view.slab_workspace;
  };
  {
    const View view = shared.local();
    for (std::int64_t i = threadIdx.x; i < view.slab_sums; i += Tile::threads) sums_of(view)[i] = 0;
    for (int k = threadIdx.x; k < view.components; k += Tile::threads) place(view).count[k] = 0;
  }
  if (threadIdx.x < Tile::warps) lse[threadIdx.x] = 0, live[threadIdx.x] = 0;
  __syncthreads();
  int at, last;  // in half tiles
  {
    const unsigned tiles = tile_count(shared.rows);
    at = 2 * slab_tile(tiles, shared.slabs, slab);
    last = 2 * slab_tile(tiles, shared.slabs, slab + 1);
  }
#pragma unroll 1
  for (; at < last; at += Tile::points / kHalf) {
    load_points<Tile>(shared.local(), at, last, pool);
    __syncthreads();
    if constexpr (F::shared) {
      whiten_points<Tile>(shared.local(), pool);
      __syncthreads();
    }
    {
      const View view = shared.local();
      respond(view, place(view), r_of(view));
    }
    __syncthreads();
    {
      const View view = shared.local();
      const double part = warp_sum(normalise_points<Tile>(view, at, last, r_of(view), place(view).scale));
      if (Warp::rank() == 0) lse[threadIdx.x / kWarp] += part;
    }
    __syncthreads();
    {
      const View view = shared.local();
      const TileShared<Tile> in = place(view);
      accumulate_components<Tile>(0, view.components, r_of(view), in.scale, in.list(), in.count,
                                  [&](int k, const Lives& lives) {
                                    if (Warp::rank() == 0) live[k % Tile::warps] += lives.count;  // of this warp
                                    accumulate(view, k, in.x, lives, sums_of(view));
                                  });
    }
    __syncthreads();
  }
  const View view = shared.local();
  for (int k = threadIdx.x; k < view.components; k += Tile::threads)
    view.count(sums_of(view))[k] = place(view).count[k];
  if (threadIdx.x != 0) return;
  double total = 0;
  for (const double part : lse) total += part;
  *view.lse(sums_of(view)) = total * kNatsPerBit;
  std::int64_t pairs = 0;
  for (const std::int64_t part : live) pairs += part;
  *view.live(sums_of(view)) = double(pairs);
}

}  // namespace cavi::kernels::cuda
