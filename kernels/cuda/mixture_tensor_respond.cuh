// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scoring by tensor cores: y = R (x - m) for 64 points of a warp and four rows of blocks of R at a time, column by
/// column. Rows stay in shared memory, and x - m is made and cut in two again for every four rows of blocks.
///
/// Features are the inner dimension of the products, and any order of them will do: lane 4 g + t takes features 2 t and
/// 2 t + 1 of eight where a fragment has t and t + 4. So a lane's part of a block of R is two numbers in a row, and
/// rows in shared memory (132 numbers from feature to feature) come without bank conflicts.
#pragma once

#include "kernels/cuda/mixture_fused_cells.cuh"
#include "kernels/cuda/tensor_core.cuh"

namespace cavi::kernels::cuda {

inline constexpr int kTensorPoints = 64;                 ///< of a warp
inline constexpr int kTensorParts = kTensorPoints / 16;  ///< as the rows of a product

struct alignas(8) Two {
  float v[2];
};

using TensorRows = FragmentSum[kBlocksHigh][kTensorParts];

/// y += a column of blocks, `rows` of them. x, centre: of this lane.
template <int rows>
__device__ inline void add_block_column(const Two (&blocks)[kBlocksHigh], const float* x, const float* centre,
                                        TensorRows& y) {
  constexpr int kStride = TensorBlock::stride;
  FragmentB root[rows];
#pragma unroll
  for (int b = 0; b < rows; ++b)
#pragma unroll
    for (int j = 0; j < 2; ++j) root[b].set(j, blocks[b].v[j]);
  const Two m = *reinterpret_cast<const Two*>(centre);
#pragma unroll
  for (int half = 0; half < kTensorParts / 2; ++half) {
    FragmentA z[2];
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const Four<float> in = *reinterpret_cast<const Four<float>*>(x + j * kStride + half * kWarp);
#pragma unroll
      for (int p = 0; p < 4; ++p) z[p / 2].set(p % 2 + 2 * j, in.v[p] - m.v[j]);
    }
#pragma unroll
    for (int b = 0; b < rows; ++b)
#pragma unroll
      for (int p = 0; p < 2; ++p) add_product(y[b][2 * half + p], z[p], root[b]);
  }
}

/// `rows` blocks, of this lane.
template <int rows>
__device__ inline void take_blocks(const Two*& root, Two (&blocks)[kBlocksHigh]) {
#pragma unroll
  for (int b = 0; b < rows; ++b) blocks[b] = root[b * kWarp];
  root += rows * kWarp;
}

/// Squares of `rows` rows of blocks, as many as are left or kBlocksHigh, from row of blocks `row` on: of points 4 g + 2
/// (part % 2) + 32 (part / 2) and the next.
template <int rows>
__device__ inline void add_block_rows(const FullView& view, int row, const Two*& root, const float* x,
                                      const float* centre, float (&square)[kTensorParts][2]) {
  constexpr int kColumn = kBlock * TensorBlock::stride;
  const int columns = block_rows(view.features) - row;
  x += row * kColumn;
  centre += row * kBlock;
  TensorRows y = {};
  Two blocks[kBlocksHigh];
  take_blocks<1>(root, blocks);
  add_block_column<1>(blocks, x, centre, y);
  if constexpr (rows > 1) {
    take_blocks<2>(root, blocks);
    add_block_column<2>(blocks, x + kColumn, centre + kBlock, y);
  }
  if constexpr (rows > 2) {
    take_blocks<3>(root, blocks);
    add_block_column<3>(blocks, x + 2 * kColumn, centre + 2 * kBlock, y);
  }
  if constexpr (rows > 3) {
    take_blocks<4>(root, blocks);
    add_block_column<4>(blocks, x + 3 * kColumn, centre + 3 * kBlock, y);
    if (rows < columns) take_blocks<rows>(root, blocks);
#pragma unroll 1
    for (int column = rows; column < columns; ++column) {
      Two next[kBlocksHigh] = {};  // asked for before the products of this column: it comes from far
      if (column + 1 < columns) take_blocks<rows>(root, next);
      add_block_column<rows>(blocks, x + column * kColumn, centre + column * kBlock, y);
#pragma unroll
      for (int b = 0; b < rows; ++b) blocks[b] = next[b];
    }
  }
#pragma unroll
  for (int b = 0; b < rows; ++b)
#pragma unroll
    for (int p = 0; p < kTensorParts; ++p)
#pragma unroll
      for (int i = 0; i < 4; ++i) square[p][i / 2] = std::fma(y[b][p].v[i], y[b][p].v[i], square[p][i / 2]);
}

/// Logits of all components for a tile.
__device__ inline void respond_tensor(const FullView& view, const float* x, float* r) {
  constexpr int kHalves = kTile / kTensorPoints;
  const int rows = block_rows(view.features), g = Warp::rank() / 4, t = Warp::rank() % 4;
#pragma unroll 1
  for (int unit = threadIdx.x / kWarp; unit < view.components * kHalves; unit += TensorBlock::warps) {
    const int k = unit / kHalves, point = unit % kHalves * kTensorPoints + 4 * g;
    const Two* root = reinterpret_cast<const Two*>(view.blocks_of(k)) + Warp::rank();
    const float* centre = view.tensor_centre_of(k) + 2 * t;
    const float* from = x + 2 * t * TensorBlock::stride + point;
    float square[kTensorParts][2] = {};
    int row = 0;
#pragma unroll 1
    for (; row + kBlocksHigh <= rows; row += kBlocksHigh)
      add_block_rows<kBlocksHigh>(view, row, root, from, centre, square);
    if (rows - row == 1) add_block_rows<1>(view, row, root, from, centre, square);
    if (rows - row == 2) add_block_rows<2>(view, row, root, from, centre, square);
    if (rows - row == 3) add_block_rows<3>(view, row, root, from, centre, square);
    // A lane has the squares of two rows in eight; the four lanes of a point add up theirs.
    const float offset = view.offsets[k];
    Four<float> logit[2];
#pragma unroll
    for (int p = 0; p < kTensorParts; ++p)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float sum = square[p][i];
        sum += __shfl_xor_sync(kAllLanes, sum, 1);
        sum += __shfl_xor_sync(kAllLanes, sum, 2);
        logit[p / 2].v[p % 2 * 2 + i] = offset - sum;
      }
    if (t < 2) *reinterpret_cast<Four<float>*>(r + k * kTile + point + t * kWarp) = t == 0 ? logit[0] : logit[1];
  }
}

}  // namespace cavi::kernels::cuda
