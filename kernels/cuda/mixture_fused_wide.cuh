// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scoring by a precision matrix each when features are many: 16 rows of R z at a time for four points of a lane. Rows
/// stay in shared memory, and z = x - m is made again for every 16 rows.
#pragma once

#include "kernels/cuda/mixture_fused_cells.cuh"

namespace cavi::kernels::cuda {

inline constexpr int kWidePoints = 4;  ///< of a lane
inline constexpr int kCellsHigh = 4;   ///< rows of cells at a time

/// y += columns [column, column + 4) of `cells` rows of cells, the last of which is on the diagonal or left of it.
template <class Tile, int cells, bool diagonal>
__device__ inline void add_columns(const Four<float>* packed, int (&root)[kCellsHigh], const float* x,
                                   const float* centre, float (&y)[kCellsHigh][kCell][kWidePoints]) {
#pragma unroll(diagonal ? 4 : 2)
  for (int j = 0; j < kCell; ++j) {
    const Four<float> in = *reinterpret_cast<const Four<float>*>(x + j * Tile::stride);
    float z[kWidePoints];
#pragma unroll
    for (int p = 0; p < kWidePoints; ++p) z[p] = in.v[p] - centre[j];
#pragma unroll
    for (int c = 0; c < cells; ++c) {
      const Four<float> r = packed[root[c] + j];
#pragma unroll
      for (int i = 0; i < kCell; ++i)
        if (!diagonal || c + 1 < cells || i <= j) {
#pragma unroll
          for (int p = 0; p < kWidePoints; ++p) y[c][i][p] = std::fma(r.v[i], z[p], y[c][i][p]);
        }
    }
  }
#pragma unroll
  for (int c = 0; c < cells; ++c) root[c] += kCell;
}

/// Squares of `cells` rows of cells from row of cells b on.
template <class Tile, int cells>
__device__ inline void add_rows(const FullView& view, int b, const Four<float>* packed, const float* x,
                                const float* centre, float (&square)[kWidePoints]) {
  const int rows = int(cell_rows(view.features));
  int root[kCellsHigh];  // where the rows of cells are, in fours
#pragma unroll
  for (int c = 0; c < kCellsHigh; ++c) root[c] = int(packed_offset(view.features, b + c) / kCell);
  float y[kCellsHigh][kCell][kWidePoints] = {};
  x += b * Tile::cell;
  centre += b * kCell;
  add_columns<Tile, 1, true>(packed, root, x, centre, y);
  if constexpr (cells > 1) add_columns<Tile, 2, true>(packed, root, x + Tile::cell, centre + kCell, y);
  if constexpr (cells > 2) add_columns<Tile, 3, true>(packed, root, x + 2 * Tile::cell, centre + 2 * kCell, y);
  if constexpr (cells > 3) add_columns<Tile, 4, true>(packed, root, x + 3 * Tile::cell, centre + 3 * kCell, y);
#pragma unroll 1
  for (int column = cells; column < rows - b; ++column)
    add_columns<Tile, cells, false>(packed, root, x + column * Tile::cell, centre + column * kCell, y);
#pragma unroll
  for (int c = 0; c < cells; ++c)
#pragma unroll
    for (int i = 0; i < kCell; ++i)
#pragma unroll
      for (int p = 0; p < kWidePoints; ++p) square[p] = std::fma(y[c][i][p], y[c][i][p], square[p]);
}

/// Logits of all components.
template <class Tile>
__device__ inline void respond_wide(const FullView& view, const float* x, float* r) {
  constexpr int kParts = Tile::points / (kWarp * kWidePoints);
  const int rows = int(cell_rows(view.features));
#pragma unroll 1
  for (int unit = threadIdx.x / kWarp; unit < view.components * kParts; unit += Tile::warps) {
    const int k = unit / kParts, point = unit % kParts * kWarp * kWidePoints + Warp::rank() * kWidePoints;
    const float* centre = view.packed_centre_of(k);
    const auto* root = reinterpret_cast<const Four<float>*>(view.packed_root_of(k));
    float square[kWidePoints] = {};
    int b = 0;
#pragma unroll 1
    for (; b + kCellsHigh <= rows; b += kCellsHigh)
      add_rows<Tile, kCellsHigh>(view, b, root, x + point, centre, square);
    if (rows - b == 1) add_rows<Tile, 1>(view, b, root, x + point, centre, square);
    if (rows - b == 2) add_rows<Tile, 2>(view, b, root, x + point, centre, square);
    if (rows - b == 3) add_rows<Tile, 3>(view, b, root, x + point, centre, square);
    const float offset = view.offsets[k];
    Four<float> logit;
#pragma unroll
    for (int p = 0; p < kWidePoints; ++p) logit.v[p] = offset - square[p];
    *reinterpret_cast<Four<float>*>(r + k * Tile::r_stride + point) = logit;
  }
}

}  // namespace cavi::kernels::cuda
