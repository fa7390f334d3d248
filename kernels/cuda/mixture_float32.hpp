// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sizes of the passes in float32; see mixture_fused.cuh and mixture_points.cu.
#pragma once

#include "kernels/cuda/mixture_cells.hpp"
#include "kernels/cuda/problem.hpp"

namespace cavi::kernels::cuda {

/// Shared memory of a block that every GPU has since sm_80, and what of it a tile may take: the rest is for the view
/// and a few sums.
inline constexpr int kBlockBytes = 99 << 10, kTileBytes = kBlockBytes - (1 << 10);

/// A block of a pass that has points in shared memory, how many, and what an entry of a list of them takes: from 6
/// bytes on a list has responsibilities of its own, else they take the place of those they were made of.
///
/// Features are `stride` numbers apart and fours of them `cell`: over the banks. With 8 more than the points are (and
/// four more between cells) neither eight features of a point share a bank nor eight that are fours of features apart;
/// with 4 more neither do features 0, 2, 4 and 6 of two fours of points.
template <int threads_, int points_, int entry = 2, int more = 8>
struct BlockTile {
  static constexpr int threads = threads_, warps = threads / kWarp, points = points_;
  static constexpr int list_bytes = points * entry;
  static constexpr bool in_place = entry < 6;
  static constexpr int stride = points + more, cell = kCell * stride + (more == 8 ? kCell : 0);
  static constexpr int sharing = threads > points ? threads / points : 1;        ///< threads that normalise a point
  static constexpr int r_stride = points + (sharing > 1 ? kWarp / sharing : 0);  ///< between components, likewise

  /// Where a feature is.
  CAVI_HOST_DEVICE static constexpr int at(int feature) { return feature / kCell * cell + feature % kCell * stride; }

  /// Bytes of shared memory without responsibilities, and of these. record: bytes of a component's parameters where a
  /// warp has them in the place of its list while it scores.
  CAVI_HOST_DEVICE static constexpr std::int64_t bytes(int features, int components, int record = 0) {
    return 4 * (cell_rows(features) * cell + points) + 8 * ((components + 1) / 2 * 2) + warps * warp_bytes(record);
  }
  CAVI_HOST_DEVICE static constexpr int warp_bytes(int record) { return record > list_bytes ? record : list_bytes; }
  CAVI_HOST_DEVICE static constexpr std::int64_t r_bytes(int components) {
    return 4 * std::int64_t(components) * r_stride;
  }
};

/// The fused pass: most features of a full family whose rows a thread holds while it scores all components, and most
/// that leave registers for 256 threads.
inline constexpr int kFusedFeatures = 32, kFusedFew = 16;
CAVI_HOST_DEVICE constexpr int fused_threads(Component c, int features) {
  return c == Component::full && features > kFusedFew ? 128 : 256;
}
/// A component of such a family as a warp scores it; see mixture_record.cuh.
CAVI_HOST_DEVICE constexpr int record_size(int features) {
  return int(packed_size(Component::full, features)) + padded(features) + kCell;
}
CAVI_HOST_DEVICE constexpr int record_bytes(Component c, int features) {
  return c == Component::full && features <= kFusedFeatures ? 4 * record_size(features) : 0;
}
/// How many points, and whether their responsibilities are in shared memory. No points: rows are too long.
struct FusedChoice {
  int points = 0;
  bool r_shared = false;
  std::int64_t bytes = 0;
};
/// Calls visit(BlockTile) with the tiles of so many threads, largest first, until it returns true. The smallest has
/// lists with responsibilities of their own, so that it can do without shared ones.
template <int threads, class Visit>
CAVI_HOST_DEVICE constexpr void with_fused_tiles(Visit visit) {
  if constexpr (threads == 128)
    static_cast<void>(visit(BlockTile<128, 256, 6>()));
  else if (!visit(BlockTile<256, 256>()) && !visit(BlockTile<256, 128>()))
    static_cast<void>(visit(BlockTile<256, 64, 6>()));
}
/// The largest tile that holds responsibilities, else the smallest without.
template <int threads>
CAVI_HOST_DEVICE constexpr FusedChoice fused_choice_of(Component c, int components, int features) {
  FusedChoice choice;
  with_fused_tiles<threads>([&](auto tile) {
    const std::int64_t rows = tile.bytes(features, components, record_bytes(c, features)), r = tile.r_bytes(components);
    const bool r_shared = rows + r <= kTileBytes;
    choice = {rows <= kTileBytes ? tile.points : 0, r_shared, rows + (r_shared ? r : 0)};
    return r_shared;
  });
  return choice;
}
CAVI_HOST_DEVICE constexpr FusedChoice fused_choice(Component c, int components, int features) {
  return fused_threads(c, features) == 128 ? fused_choice_of<128>(c, components, features)
                                           : fused_choice_of<256>(c, components, features);
}

/// The pass with parameters and statistics in registers: components of a thread, and lanes that share a point.
inline constexpr int kPointsFeatures = 4, kPointsThreads = 128, kPointsSlots = 4;
inline constexpr int kPointsComponents = kPointsSlots * kWarp;
CAVI_HOST_DEVICE constexpr int points_sharing(int components) {
  int sharing = 1;
  while (kPointsSlots * sharing < components) sharing *= 2;
  return sharing;
}

/// A pass in rounds: its blocks, those of tensor cores, and tiles of a slab in a round.
using RoundBlock = BlockTile<128, kTile, 8>;
using TensorBlock = BlockTile<RoundBlock::threads, kTile, 8, 4>;
inline constexpr int kRoundTiles = 16;

/// Features that tensor cores are for, and as they want them: second moments have sixteen rows at a time.
inline constexpr int kTensorFewest = 32, kTensorMost = 128;
CAVI_HOST_DEVICE constexpr int tensor_padded(int features) { return (features + 15) / 16 * 16; }

}  // namespace cavi::kernels::cuda
