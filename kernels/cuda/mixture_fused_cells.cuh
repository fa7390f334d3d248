// SPDX-License-Identifier: Apache-2.0
/// \file
/// Second moments of a full family in cells, from a list of points.
#pragma once

#include "kernels/cuda/mixture_fused.cuh"

#include <cstdint>

namespace cavi::kernels::cuda {

using FullView = MixtureView<components::Full, float>;

/// Lanes that the cells of a matrix want, a power of two.
CAVI_HOST_DEVICE constexpr int lanes_of_cells(int rows) {
  const int cells = rows * (rows + 1) / 2;
  return cells > 16 ? 32 : cells > 8 ? 16 : cells > 1 ? 8 : 1;
}

/// Moments of a component, a lane per cell and, where cells are few, several points at once. Nothing to fold: best for
/// few points. width: lanes_of_cells(rows of cells).
template <int width, int points = kFusedPoints>
__device__ inline void accumulate_cells_of_lanes(const FullView& view, int k, const float* x, const Live* live,
                                                 int lives, double* sums) {
  const int rows = int(cell_rows(view.features)), cells = rows * (rows + 1) / 2;
  const int lane = Warp::rank(), features = view.features;
  for (int from = 0; from < cells; from += width) {
    const int cell = min(from + lane % width, cells - 1);
    const bool mine = lane < width && from + lane < cells;
    int row = 0, column = cell;
    for (; column >= rows - row; ++row) column -= rows - row;
    column += row;
    const Four<float> m = *reinterpret_cast<const Four<float>*>(view.packed_centre_of(k) + row * kCell);
    const Four<float> other = *reinterpret_cast<const Four<float>*>(view.packed_centre_of(k) + column * kCell);
    constexpr int kStride = fused_stride(points);
    const float *of_row = x + row * kCell * kStride, *of_column = x + column * kCell * kStride;
    float sum[kCell][kCell] = {}, one[kCell] = {};
#pragma unroll 2
    for (int at = lane / width; at < lives; at += kWarp / width) {
      const Live point = live[at];
      float weighted[kCell], z[kCell];
#pragma unroll
      for (int f = 0; f < kCell; ++f) {
        weighted[f] = point.r * (of_row[f * kStride + point.point] - m.v[f]);
        z[f] = of_column[f * kStride + point.point] - other.v[f];
        one[f] += weighted[f];
      }
#pragma unroll
      for (int g = 0; g < kCell; ++g)
#pragma unroll
        for (int f = 0; f < kCell; ++f) sum[g][f] = std::fma(weighted[f], z[g], sum[g][f]);
    }
#pragma unroll
    for (int step = kWarp / 2; step >= width; step /= 2)
#pragma unroll
      for (int f = 0; f < kCell; ++f) {
        one[f] += __shfl_xor_sync(kAllLanes, one[f], step);
#pragma unroll
        for (int g = 0; g < kCell; ++g) sum[g][f] += __shfl_xor_sync(kAllLanes, sum[g][f], step);
      }
    if (!mine) continue;
    double* second = view.second(sums) + (std::int64_t(k) * cells + cell) * kCell * kCell;
    double before[kCell][kCell];
#pragma unroll
    for (int g = 0; g < kCell; ++g)
#pragma unroll
      for (int f = 0; f < kCell; ++f) before[g][f] = second[g * kCell + f];
#pragma unroll
    for (int g = 0; g < kCell; ++g)
#pragma unroll
      for (int f = 0; f < kCell; ++f) second[g * kCell + f] = before[g][f] + double(sum[g][f]);
    double* first = view.first(sums) + std::int64_t(k) * features + row * kCell;
#pragma unroll
    for (int f = 0; f < kCell; ++f)
      if (row == column && row * kCell + f < features) first[f] += double(one[f]);
  }
}

}  // namespace cavi::kernels::cuda
