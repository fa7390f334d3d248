// SPDX-License-Identifier: Apache-2.0
/// \file
/// Steps of k-means on a device; see cuda_start_centres() in ops.hpp.
#pragma once

#include "kernels/cuda/problem.hpp"
#include "kernels/ops.hpp"

#include <cstdint>

namespace cavi::kernels::cuda {

/// What the kernels of k-means work on. Rows are cut into slabs of whole tiles.
struct Clusters {
  const void* x = nullptr;         ///< tiles of rows
  const double* weight = nullptr;  ///< [rows], or ones
  std::int64_t rows = 0;
  std::int64_t slabs = 1;
  int features = 0;
  Scalar precision = Scalar::float32;
  void* distance = nullptr;       ///< [rows] to the nearest centre, squared, in the precision of the rows
  std::int32_t* label = nullptr;  ///< [rows]
  void* centres = nullptr;        ///< [centres x features] in the precision of the rows
  double* sums = nullptr;         ///< [slabs], then [slabs x centres x (features + 1)]
};
__host__ __device__ constexpr std::int64_t cluster_slab_begin(std::int64_t rows, std::int64_t slabs,
                                                              std::int64_t slab) {
  const std::int64_t begin = (rows + kTile - 1) / kTile * slab / slabs * kTile;
  return begin < rows ? begin : rows;
}

/// Rows move to the nearest of centres [first, end) when it is nearer than what they have, or, with `afresh`, whatever
/// they have. sums[slab] = sum of weight times distance.
cudaError_t enqueue_move_to_nearest(const Clusters& clusters, int first, int end, bool afresh, cudaStream_t stream);
/// Centre number k = row n.
cudaError_t enqueue_centre_on_row(const Clusters& clusters, int k, std::int64_t n, cudaStream_t stream);
/// Centres become the (weighted) means of their rows; those without rows stay.
cudaError_t enqueue_means(const Clusters& clusters, int centres, cudaStream_t stream);

}  // namespace cavi::kernels::cuda
