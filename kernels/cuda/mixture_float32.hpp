// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sizes of the passes in float32; see mixture_fused.cuh and mixture_points.cu.
#pragma once

#include "kernels/cuda/mixture_cells.hpp"
#include "kernels/cuda/problem.hpp"

namespace cavi::kernels::cuda {

inline constexpr int kFusedThreads = 128, kFusedWarps = kFusedThreads / kWarp;
inline constexpr int kFusedPoints = 2 * kTile;  ///< in shared memory at a time
CAVI_HOST_DEVICE constexpr int fused_stride(int points) { return points + 4; }
inline constexpr int kFusedStride = fused_stride(kFusedPoints);  ///< between features: spreads them over the banks
inline constexpr int kFusedBytes = 96 << 10;                     ///< of shared memory: every GPU has them since sm_80
inline constexpr int kFusedFeatures = 32;  ///< most of a full family, whose rows are held in registers

/// The pass with statistics in registers: components of a thread, and lanes that share a point.
inline constexpr int kPointsFeatures = 4, kPointsSharing = 8, kPointsThreads = 256;
CAVI_HOST_DEVICE constexpr int points_slots(int components, int features) {
  if (components <= 4 || features == 4) return 4;
  return components <= 8 || features == 3 ? 8 : 16;
}
CAVI_HOST_DEVICE constexpr int points_sharing(int components, int features) {
  int sharing = 1;
  while (points_slots(components, features) * sharing < components) sharing *= 2;
  return sharing;
}
/// Rows of a slab: 512 of a thread, which float32 sums can bear.
CAVI_HOST_DEVICE constexpr std::int64_t points_rows(int components, int features) {
  return 512 * kPointsThreads / points_sharing(components, features);
}

inline constexpr int kRoundTiles = 16;  ///< of a slab in a round of a pass in rounds

/// Features that tensor cores are for, and as they want them: second moments have sixteen rows at a time.
inline constexpr int kTensorFewest = 32, kTensorMost = 128;
CAVI_HOST_DEVICE constexpr int tensor_padded(int features) { return (features + 15) / 16 * 16; }

/// Bytes of shared memory without responsibilities.
CAVI_HOST_DEVICE constexpr std::int64_t fused_rows_bytes(int features, int points = kFusedPoints) {
  return 4 * (std::int64_t(padded(features)) * fused_stride(points) + points) + 8 * kFusedWarps * points;
}
CAVI_HOST_DEVICE constexpr std::int64_t fused_r_bytes(int components) {
  return 4 * std::int64_t(components) * kFusedPoints;
}
/// Whether responsibilities fit beside the rows.
CAVI_HOST_DEVICE constexpr bool fused_r_shared(int components, int features) {
  return fused_rows_bytes(features) + fused_r_bytes(components) <= kFusedBytes;
}

}  // namespace cavi::kernels::cuda
