// SPDX-License-Identifier: Apache-2.0
/// \file
/// Matrices over features as cells of 4 x 4 and, for tensor cores, blocks of 8 x 8.
#pragma once

#include "kernels/math/host_device.hpp"
#include "kernels/ops.hpp"

#include <cstdint>

namespace cavi::kernels::cuda {

inline constexpr int kCell = 4;
CAVI_HOST_DEVICE constexpr std::int64_t cell_rows(int features) { return (features + kCell - 1) / kCell; }
/// The upper triangle of a D x D matrix as cells, row of cells by row, each cell column-major.
CAVI_HOST_DEVICE constexpr std::int64_t cells_size(int features) {
  return cell_rows(features) * (cell_rows(features) + 1) / 2 * kCell * kCell;
}
/// Parameters are read four features at a time, and padded with zeros.
CAVI_HOST_DEVICE constexpr int padded(int features) { return int(cell_rows(features)) * kCell; }
/// An upper triangular root in the order in which it is read: four rows at a time, column by column from the diagonal,
/// zeros where there is nothing.
CAVI_HOST_DEVICE constexpr std::int64_t packed_offset(int features, std::int64_t cell_row) {
  return kCell * (cell_row * padded(features) - 2 * cell_row * (cell_row - 1));
}
CAVI_HOST_DEVICE constexpr std::int64_t packed_size(Component c, int features) {
  if (c == Component::full || c == Component::tied) return packed_offset(features, cell_rows(features));
  return c == Component::diag ? padded(features) : c == Component::spherical ? 1 : 0;
}

inline constexpr int kBlock = 8, kBlocksHigh = 4;
CAVI_HOST_DEVICE constexpr int block_rows(int features) { return (features + kBlock - 1) / kBlock; }
/// The upper triangle of a D x D matrix as blocks in the order in which they are read: kBlocksHigh rows of blocks at a
/// time, column by column from the diagonal, each block row-major.
CAVI_HOST_DEVICE constexpr std::int64_t blocks_size(int features) {
  return std::int64_t(block_rows(features)) * (block_rows(features) + 1) / 2 * kBlock * kBlock;
}

}  // namespace cavi::kernels::cuda
