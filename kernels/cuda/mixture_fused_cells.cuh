// SPDX-License-Identifier: Apache-2.0
/// \file
/// Second moments of a full family in cells, from a list of points.
#pragma once

#include "kernels/cuda/mixture_fused.cuh"

#include <cstdint>

namespace cavi::kernels::cuda {

/// Lanes that the cells of a matrix want, a power of two.
CAVI_HOST_DEVICE constexpr int lanes_of_cells(int rows) {
  const int cells = rows * (rows + 1) / 2;
  return cells > 16 ? 32 : cells > 8 ? 16 : cells > 1 ? 8 : 1;
}

/// A cell of the upper triangle of a matrix of cells.
struct Cell {
  int row, column;

  /// The i-th, in strips of eight columns: 32 in a row are of eight columns and few rows, which lie in different banks.
  __device__ Cell(int i, int rows) {
    int first = 0, wide = min(rows, 8);
    for (int cells; i >= (cells = first * wide + wide * (wide + 1) / 2); wide = min(rows - first, 8)) {
      i -= cells;
      first += 8;
    }
    if (i < first * wide) {
      row = i / wide;
      column = first + i % wide;
      return;
    }
    i -= first * wide;
    for (row = 0; i >= wide - row; ++row) i -= wide - row;
    column = first + row + i;
    row += first;
  }
};
/// The place of cell (row, column) among the sums of a matrix.
CAVI_HOST_DEVICE constexpr int cell_number(int rows, int row, int column) {
  return row * rows - row * (row - 1) / 2 + column - row;
}

/// Moments of a component, a lane per cell and, where cells are few, several points at once. Little to fold: best for
/// few points. width: lanes_of_cells(rows of cells).
template <int width, class Tile>
__device__ inline void accumulate_cells_of_lanes(const FullView& view, int k, const float* x, const Lives& lives,
                                                 double* sums) {
  // Lanes that meet in the end share what they store.
  constexpr int kSharing = kWarp / width < kCell ? kWarp / width : kCell, kColumns = kCell / kSharing;
  const int rows = int(cell_rows(view.features)), cells = rows * (rows + 1) / 2;
  const int lane = anew(Warp::rank()), features = view.features, part = lane / width;
  for (int from = 0; from < cells; from += width) {
    const auto [row, column] = Cell(min(from + lane % width, cells - 1), rows);
    const bool mine = part < kSharing && from + lane % width < cells;
    const bool own_first = mine && part == 0 && row == column;
    double* second = view.second(sums) + (std::int64_t(k) * cells + cell_number(rows, row, column)) * kCell * kCell +
                     part * kColumns * kCell;
    double* first = view.first(sums) + std::int64_t(k) * features + row * kCell;
    double before[kColumns * kCell], first_before[kCell];
    const auto read = [&] {
#pragma unroll
      for (int i = 0; i < kColumns * kCell; ++i) before[i] = mine ? load_far(second + i) : 0;
#pragma unroll
      for (int f = 0; f < kCell; ++f)
        first_before[f] = own_first && row * kCell + f < features ? load_far(first + f) : 0;
    };
    if (kSharing > 1) read();  // they come from far; where they are many they would be in the way
    const Four<float> m = *reinterpret_cast<const Four<float>*>(view.packed_centre_of(k) + row * kCell);
    const Four<float> other = *reinterpret_cast<const Four<float>*>(view.packed_centre_of(k) + column * kCell);
    const float *of_row = x + row * Tile::cell, *of_column = x + column * Tile::cell;
    float sum[kCell][kCell] = {}, one[kCell] = {};
#pragma unroll 2
    for (int at = lane / width; at < lives.count; at += kWarp / width) {
      const float r = lives.r[at];
      const int point = lives.point[at];
      float weighted[kCell], z[kCell];
#pragma unroll
      for (int f = 0; f < kCell; ++f) {
        weighted[f] = r * (of_row[f * Tile::stride + point] - m.v[f]);
        z[f] = of_column[f * Tile::stride + point] - other.v[f];
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
    if (kSharing == 1) read();
    if (!mine) continue;
#pragma unroll
    for (int c = 0; c < kColumns; ++c)
#pragma unroll
      for (int f = 0; f < kCell; ++f) {
        float of_part = sum[c][f];
#pragma unroll
        for (int p = 1; p < kSharing; ++p) of_part = part == p ? sum[p * kColumns + c][f] : of_part;
        second[c * kCell + f] = before[c * kCell + f] + double(of_part);
      }
#pragma unroll
    for (int f = 0; f < kCell; ++f)
      if (own_first && row * kCell + f < features) first[f] = first_before[f] + double(one[f]);
  }
}

}  // namespace cavi::kernels::cuda
