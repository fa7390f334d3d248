// SPDX-License-Identifier: Apache-2.0
/// \file
/// The plain pass over a slab, for every family, precision and size: tile by tile, kTile threads.
///
///   respond      a thread per point scores all components; responsibilities stay in the slab's workspace
///   accumulate   a warp per component, points along the lanes, 16 sums at a time in registers
#pragma once

#include "kernels/cuda/approximate.hpp"
#include "kernels/cuda/mixture_layout.hpp"
#include "kernels/cuda/team.hpp"

#include <cfloat>
#include <cmath>
#include <cstdint>

namespace cavi::kernels::cuda {

/// A responsibility below is far below what rounding leaves of others.
template <class T>
inline constexpr T kNegligible = sizeof(T) == 4 ? T(0x1p-40) : T(0x1p-80);

template <class T>
struct alignas(16) Four {
  T v[kCell];
};

/// Rows [row, row + 4) of root z, where z(j) is element j of z.
template <class T, class Z>
__device__ inline void whiten_rows(const T* root, int row, int features, T (&y)[kCell], Z z) {
  root += packed_offset(features, row / kCell);
  for (int r = 0; r < kCell; ++r) y[r] = 0;
#pragma unroll 4
  for (int j = row; j < features; ++j, root += kCell) {
    const Four<T> c = *reinterpret_cast<const Four<T>*>(root);
    const T at = z(j);
#pragma unroll
    for (int r = 0; r < kCell; ++r) y[r] = std::fma(c.v[r], at, y[r]);
  }
}

/// What the logit of a point lacks to the offset. x: of the point, features kTile apart; tied: whitened.
template <class F, class T>
__device__ inline T shortfall_of(const MixtureView<F, T>& view, int k, const T* x) {
  const int features = view.features;
  const T* centre = view.packed_centre_of(k);
  T square = 0;
  if constexpr (F::kind == Component::linear) {
#pragma unroll 4
    for (int j = 0; j < features; ++j) square = std::fma(-centre[j], x[std::int64_t(j) * kTile], square);
  } else if constexpr (F::kind == Component::full) {
    const T* root = view.packed_root_of(k);
    for (int row = 0; row < features; row += kCell) {
      T y[kCell];
      whiten_rows(root, row, features, y, [=](int j) { return x[std::int64_t(j) * kTile] - centre[j]; });
#pragma unroll
      for (int r = 0; r < kCell; ++r) square = std::fma(y[r], y[r], square);
    }
  } else {
    const auto* root = view.packed_root_of(k);
#pragma unroll(sizeof(T) == 4 ? 4 : 2)
    for (int j = 0; j < features; ++j) {
      const T at = x[std::int64_t(j) * kTile];
      const T z = F::kind == Component::diag ? std::fma(T(root[j]), at, centre[j]) : at - centre[j];
      square = std::fma(z, z, square);
    }
    if constexpr (F::kind == Component::spherical) square *= *root;
  }
  return square;
}

/// y = root x in float64 whatever T is: far from the origin the products cancel.
template <class F, class T>
__device__ inline void whiten_point(const MixtureView<F, T>& view, const T* x, T* out) {
  const double* root = view.packed_root_of(0);
  for (int row = 0; row < view.features; row += kCell) {
    double y[kCell];
    whiten_rows(root, row, view.features, y, [=](int j) { return double(x[std::int64_t(j) * kTile]); });
    for (int r = 0; r < kCell && row + r < view.features; ++r) out[std::int64_t(row + r) * kTile] = T(y[r]);
  }
}

/// Weighted responsibilities of one point, components kTile apart; returns the weighted lse in bits.
template <class F, class T>
__device__ inline double respond_point(const MixtureView<F, T>& view, const T* x, T weight, T* r) {
  T largest = sizeof(T) == 4 ? T(-FLT_MAX) : T(-DBL_MAX);
  for (int k = 0; k < view.components; ++k) {
    const T logit = view.offsets[k] - shortfall_of(view, k, x);
    r[std::int64_t(k) * kTile] = logit;
    largest = logit > largest ? logit : largest;
  }
  T sum = 0;
  for (int k = 0; k < view.components; ++k) {
    T& at = r[std::int64_t(k) * kTile];
    at = approximate_exp2(at - largest);
    sum += at;
  }
  const T scale = weight / sum;
  for (int k = 0; k < view.components; ++k) r[std::int64_t(k) * kTile] *= scale;
  return double(weight) * (double(largest) + double(approximate_log2(sum)));
}

/// Half of the numbers go to the other half of the lanes, until one is left.
template <int half, class T>
__device__ inline void fold_lanes(T (&a)[16]) {
  const bool upper = Warp::rank() & (2 * half);
#pragma unroll
  for (int i = 0; i < half; ++i) {
    const T kept = upper ? a[i + half] : a[i];
    a[i] = kept + __shfl_xor_sync(kAllLanes, upper ? a[i] : a[i + half], 2 * half);
  }
  if constexpr (half > 1) fold_lanes<half / 2>(a);
}

/// The sums over a warp's lanes of 16 numbers: lane l gets that of number l / 2.
template <class T>
__device__ inline T sum_of_16(T (&a)[16]) {
  fold_lanes<8>(a);
  return a[0] + __shfl_xor_sync(kAllLanes, a[0], 1);
}

/// Adds 16 sums over lanes to the numbers that place(i) points at, or to none where it is null.
template <class T, class Place>
__device__ inline void add_16(T (&a)[16], Place place) {
  const T total = sum_of_16(a);
  if (Warp::rank() % 2 != 0) return;
  if (double* at = place(Warp::rank() / 2)) *at += double(total);
}

inline constexpr int kPointsOfALane = kTile / kWarp;

/// Four features of a lane's points in the frame of component k, from feature `row` on; zero beyond the last.
template <class F, class T>
__device__ inline void frame_rows(const MixtureView<F, T>& view, int k, const T* x, int row,
                                  T (&z)[kCell][kPointsOfALane]) {
  [[maybe_unused]] const T* centre = view.packed_centre_of(k);
  [[maybe_unused]] const auto* root = view.packed_root_of(k);
#pragma unroll
  for (int i = 0; i < kCell; ++i) {
    const int j = row + i;
#pragma unroll
    for (int p = 0; p < kPointsOfALane; ++p) {
      z[i][p] = 0;
      if (j >= view.features) continue;
      const T at = x[std::int64_t(j) * kTile + p * kWarp];
      z[i][p] = F::kind == Component::diag     ? std::fma(T(root[j]), at, centre[j])
                : F::kind == Component::linear ? at
                                               : at - centre[j];
    }
  }
}

/// First moments of several features at a time; diag: also second ones.
template <class F, class T>
__device__ inline void accumulate_axes(const MixtureView<F, T>& view, int k, const T* x, const T (&r)[kPointsOfALane],
                                       double* sums) {
  constexpr bool diag = F::kind == Component::diag;
  constexpr int kFeatures = diag || sizeof(T) == 8 ? 8 : 16;
  const int features = view.features;
  double* first = view.first(sums) + std::int64_t(k) * features;
  double* second = view.second(sums) + std::int64_t(k) * features;
  T trace = 0;
  for (int row = 0; row < features; row += kFeatures) {
    T sum[16] = {};
#pragma unroll
    for (int part = 0; part < kFeatures; part += kCell) {
      T z[kCell][kPointsOfALane];
      frame_rows(view, k, x, row + part, z);
#pragma unroll
      for (int i = 0; i < kCell; ++i)
#pragma unroll
        for (int p = 0; p < kPointsOfALane; ++p) {
          const T weighted = r[p] * z[i][p];
          sum[part + i] += weighted;
          if constexpr (diag) sum[8 + part + i] = std::fma(weighted, z[i][p], sum[8 + part + i]);
          if constexpr (F::kind == Component::spherical) trace = std::fma(weighted, z[i][p], trace);
        }
    }
    add_16(sum, [=](int i) -> double* {
      const int j = row + i % kFeatures;
      if (i < kFeatures) return j < features ? first + j : nullptr;
      return diag && j < features ? second + j : nullptr;
    });
  }
  if constexpr (F::kind == Component::spherical) {
    trace = warp_sum(trace);
    if (Warp::rank() == 0) view.second(sums)[k] += double(trace);
  }
}

/// Second moments, cell by cell.
template <class F, class T>
__device__ inline void accumulate_cells(const MixtureView<F, T>& view, int k, const T* x, const T (&r)[kPointsOfALane],
                                        double* sums) {
  double* cell = view.second(sums) + k * cells_size(view.features);
  for (int row = 0; row < view.features; row += kCell) {
    T weighted[kCell][kPointsOfALane];
    frame_rows(view, k, x, row, weighted);
#pragma unroll
    for (int i = 0; i < kCell; ++i)
#pragma unroll
      for (int p = 0; p < kPointsOfALane; ++p) weighted[i][p] *= r[p];
    for (int column = row; column < view.features; column += kCell, cell += kCell * kCell) {
      T z[kCell][kPointsOfALane], sum[16] = {};
      frame_rows(view, k, x, column, z);
#pragma unroll
      for (int j = 0; j < kCell; ++j)
#pragma unroll
        for (int i = 0; i < kCell; ++i)
#pragma unroll
          for (int p = 0; p < kPointsOfALane; ++p)
            sum[j * kCell + i] = std::fma(weighted[i][p], z[j][p], sum[j * kCell + i]);
      add_16(sum, [=](int i) { return cell + i; });
    }
  }
}

/// Adds the sums of a tile, a warp per component. A component that no point of the tile matters to is left out, but for
/// its count.
template <class F, class T>
__device__ inline void accumulate_tile(const MixtureView<F, T>& view, const T* x, const T* r, double* sums) {
  const int lane = Warp::rank(), warps = blockDim.x / kWarp;
  for (int k = threadIdx.x / kWarp; k < view.components; k += warps) {
    T at[kPointsOfALane], count = 0, live = 0;
#pragma unroll
    for (int p = 0; p < kPointsOfALane; ++p) {
      at[p] = r[std::int64_t(k) * kTile + p * kWarp + lane];
      count += at[p];
      live += at[p] >= kNegligible<T> ? 1 : 0;
    }
    count = warp_sum(count);
    live = warp_sum(live);
    if (lane == 0) {
      view.count(sums)[k] += double(count);
      view.live(sums)[k] += double(live);
    }
    if (live == 0) continue;
    accumulate_axes(view, k, x + lane, at, sums);
    if constexpr (F::kind == Component::full) accumulate_cells(view, k, x + lane, at, sums);
  }
}

/// All sums of a slab by a block of kTile threads. A function of its own: inlined beside all else that a block of a
/// whole fit does, ptxas takes many minutes over it.
template <class F, class T>
CAVI_OUT_OF_LINE __device__ void mixture_tile_slab(const MixtureView<F, T>& view, std::int64_t slab) {
  CAVI_SHARED(double, parts, [kTile / kWarp]);
  const int point = threadIdx.x;
  double* sums = view.sums + slab * view.slab_sums;
  T* r = view.workspace + slab * view.slab_workspace;
  T* whitened = r + std::int64_t(view.components) * kTile;
  for (std::int64_t i = point; i < view.slab_sums; i += kTile) sums[i] = 0;

  double lse = 0;
  const unsigned tiles = tile_count(view.rows);
  const int last = slab_tile(tiles, view.slabs, slab + 1);
  for (int tile = slab_tile(tiles, view.slabs, slab); tile < last; ++tile) {
    const T* x = view.x + std::int64_t(tile) * view.features * kTile;
    const std::int64_t row = std::int64_t(tile) * kTile + point;
    const T weight = row >= view.rows ? T(0) : view.weight ? T(view.weight[row]) : T(1);
    if constexpr (F::shared) {
      whiten_point(view, x + point, whitened + point);
      x = whitened;
    }
    lse += respond_point(view, x + point, weight, r + point);
    __syncthreads();
    accumulate_tile(view, x, r, sums);
    __syncthreads();
  }
  lse = warp_sum(lse);
  if (point % kWarp == 0) parts[point / kWarp] = lse;
  __syncthreads();
  if (point == 0) *view.lse(sums) = ((parts[0] + parts[1]) + (parts[2] + parts[3])) * kNatsPerBit;
  __syncthreads();
}

}  // namespace cavi::kernels::cuda
