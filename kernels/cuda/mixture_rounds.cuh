// SPDX-License-Identifier: Apache-2.0
/// \file
/// A pass in rounds over a few tiles of every slab, for statistics so many that slabs must be few: there is a block per
/// tile, and responsibilities need not be kept for longer than a round.
///
///   respond      a block per tile
///   accumulate   a block per slab and group of components
#pragma once

#include "kernels/cuda/mixture_fused_cells.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

#include <algorithm>
#include <cstdint>

namespace cavi::kernels::cuda {

struct Round {
  std::int64_t first_slab;
  int number;
  bool last;
};

/// Responsibilities of the tiles of a round, in a slab's workspace.
struct RoundParts {
  float *r, *scale;  ///< [K x kTile], [kTile] of one part
  double* lse;       ///< of this part in all rounds, in bits

  __device__ RoundParts(const FullView& view, std::int64_t slab, int part) {
    float* workspace = view.workspace + slab * view.slab_workspace;
    r = workspace + std::int64_t(part) * (view.components + 1) * kTile;
    scale = r + std::int64_t(view.components) * kTile;
    lse = reinterpret_cast<double*>(workspace + std::int64_t(kRoundTiles) * (view.components + 1) * kTile) + part;
  }
};

/// Tile `part` of a round, and where its slab ends.
struct RoundTile {
  int tile, last;

  __device__ RoundTile(const FullView& view, std::int64_t slab, int round, int part) {
    const unsigned tiles = tile_count(view.rows);
    tile = slab_tile(tiles, view.slabs, slab) + round * kRoundTiles + part;
    last = slab_tile(tiles, view.slabs, slab + 1);
  }
};

/// A tile of rows to shared memory, zeros from the last feature to `height`.
template <class Block>
__device__ inline void load_tile(const FullView& view, int tile, int height, float* x) {
  const int thread = anew(int(threadIdx.x)), at = thread % kWarp * 4;
  const float* from = view.x + std::int64_t(tile) * view.features * kTile + at;
#pragma unroll 4
  for (int d = thread / kWarp; d < height; d += Block::warps) {
    Four<float> four = {};
    if (d < view.features) four = *reinterpret_cast<const Four<float>*>(from + d * kTile);
    *reinterpret_cast<Four<float>*>(x + Block::at(d) + at) = four;
  }
}

/// Calls work(view) when the block's problem is active and has the slab; the view is in shared memory.
template <class Work>
__device__ inline void with_problem(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t slab,
                                    Work work) {
  const DeviceProblem& problem = problems[blockIdx.y];
  if (*problem.active == 0) return;
  const FullView& view = shared_view<components::Full>(op, problem);
  if (slab < view.slabs) work(view);
}

/// The sum over the threads of a block, for thread 0. Once in a kernel.
__device__ inline double block_sum(double value) {
  CAVI_SHARED(double, parts, [RoundBlock::warps]);
  value = warp_sum(value);
  if (Warp::rank() == 0) parts[threadIdx.x / kWarp] = value;
  __syncthreads();
  return (parts[0] + parts[1]) + (parts[2] + parts[3]);
}

/// Responsibilities of a tile with respond(view, x, r), where rows have `height` features in shared memory.
template <class Block, class Respond>
__device__ inline void respond_round(const MixtureSweepDevice& op, const DeviceProblem* problems, Round round,
                                     int height, float* pool, Respond respond) {
  const std::int64_t slab = round.first_slab + blockIdx.x / kRoundTiles;
  const int part = int(blockIdx.x % kRoundTiles);
  with_problem(op, problems, slab, [&](const FullView& shared) {
    const RoundTile at(shared, slab, round.number, part);
    double lse = 0;
    if (at.tile < at.last) {
      load_tile<Block>(shared.local(), at.tile, height, pool);
      __syncthreads();
      {
        const FullView view = shared.local();
        respond(view, pool, RoundParts(view, slab, part).r);
      }
      __syncthreads();
      const FullView view = shared.local();
      const RoundParts parts(view, slab, part);
      lse = block_sum(normalise_points<Block>(view, 2 * at.tile, 2 * at.last, parts.r, parts.scale));
    }
    if (threadIdx.x != 0) return;
    double& sum = *RoundParts(shared.local(), slab, part).lse;
    sum = (round.number == 0 ? 0 : sum) + lse;
  });
}

/// No sums yet for components [first, last), as all threads see after the next barrier: the one after a tile is loaded.
__device__ inline void clear_sums(const FullView& view, int first, int last, double* sums) {
  const auto clear = [&](double* from, std::int64_t size) {
    for (std::int64_t i = first * size + threadIdx.x; i < last * size; i += RoundBlock::threads) from[i] = 0;
  };
  clear(view.count(sums), 1);
  clear(view.first(sums), view.features);
  clear(view.second(sums), cells_size(view.features));
  clear(view.live(sums), 1);
}

__device__ inline void sum_lse(const FullView& view, std::int64_t slab, double* sums) {
  double lse = 0;
#pragma unroll 4
  for (int part = 0; part < kRoundTiles; ++part) lse += *RoundParts(view, slab, part).lse;
  *view.lse(sums) = lse * kNatsPerBit;
}

using RoundKernel = void (*)(MixtureSweepDevice, const DeviceProblem*, Round);

/// All rounds of a slice, rows `height` features high in shared memory; accumulate has `groups` blocks per slab.
template <class Block>
cudaError_t launch_rounds(RoundKernel respond, RoundKernel accumulate, int height, int groups,
                          const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                          std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream) {
  const std::int64_t tiles = tile_count(max_rows), slabs = slab_count(op, max_rows);
  const std::int64_t longest = (tiles + slabs - 1) / slabs, bytes = Block::bytes(height, 0);
  const int rounds = int(std::max<std::int64_t>(1, (longest + kRoundTiles - 1) / kRoundTiles));
  for (int number = 0; number < rounds; ++number) {
    const Round round{slice.first_slab, number, number + 1 == rounds};
    const auto put = [&](RoundKernel kernel, std::int64_t blocks) {
      return launch_shared(kernel, dim3(unsigned(slice.slabs * blocks), unsigned(count)), Block::threads, bytes, stream,
                           op, problems, round);
    };
    cudaError_t error = put(respond, kRoundTiles);
    if (error == cudaSuccess) error = put(accumulate, groups);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace cavi::kernels::cuda
