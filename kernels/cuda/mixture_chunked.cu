// SPDX-License-Identifier: Apache-2.0
// The pass for a precision matrix each when the statistics of a slab are so many that slabs must be few. It goes in
// rounds over a few tiles of every slab, so that the responsibilities of a round stay in the second-level cache:
//
//   respond      a block per tile
//   accumulate   a block per slab and group of components
#include "kernels/cuda/mixture_fused_wide.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

#include <algorithm>

namespace cavi::kernels::cuda {
namespace {

constexpr int kGroup = 16;  // components of a block

struct Round {
  std::int64_t first_slab;
  int number;
  bool last;
};

// Responsibilities of the tiles of a round, in a slab's workspace.
struct ChunkParts {
  float *r, *scale;  // [K x kTile], [kTile] of one part
  double* lse;       // of this part in all rounds, in bits

  __device__ ChunkParts(const FullView& view, std::int64_t slab, int part) {
    float* workspace = view.workspace + slab * view.slab_workspace;
    r = workspace + std::int64_t(part) * (view.components + 1) * kTile;
    scale = r + std::int64_t(view.components) * kTile;
    lse = reinterpret_cast<double*>(workspace + std::int64_t(kChunkTiles) * (view.components + 1) * kTile) + part;
  }
};

// Tile `part` of a round, and where its slab ends.
struct ChunkTile {
  int tile, last;

  __device__ ChunkTile(const FullView& view, std::int64_t slab, int round, int part) {
    const unsigned tiles = tile_count(view.rows);
    tile = slab_tile(tiles, view.slabs, slab) + round * kChunkTiles + part;
    last = slab_tile(tiles, view.slabs, slab + 1);
  }
};

__global__ void __launch_bounds__(kFusedThreads, 2)
    chunked_respond_kernel(MixtureSweepDevice op, const DeviceProblem* problems, std::int64_t count, Round round) {
  CAVI_DYNAMIC_SHARED(float, pool);
  const std::int64_t slab = round.first_slab + blockIdx.x / kChunkTiles;
  const int part = int(blockIdx.x % kChunkTiles);
  for (std::int64_t p = blockIdx.y; p < count; p += gridDim.y) {
    if (*problems[p].active == 0) continue;
    const FullView view(op, problems[p]);
    if (slab >= view.slabs) continue;
    const ChunkTile at(view, slab, round.number, part);
    const ChunkParts parts(view, slab, part);
    double lse = 0;
    if (at.tile < at.last) {
      load_tiles<kTile>(view, at.tile, at.last, pool);
      __syncthreads();
      respond_wide<kTile>(view, pool, parts.r);
      __syncthreads();
      lse = block_sum(normalise_tiles<kTile>(view, at.tile, at.last, parts.r, parts.scale));
    }
    if (threadIdx.x == 0) *parts.lse = (round.number == 0 ? 0 : *parts.lse) + lse;
  }
}

__global__ void __launch_bounds__(kFusedThreads, 2)
    chunked_accumulate_kernel(MixtureSweepDevice op, const DeviceProblem* problems, std::int64_t count, Round round) {
  CAVI_DYNAMIC_SHARED(float, pool);
  const int groups = (op.components + kGroup - 1) / kGroup;
  const std::int64_t slab = round.first_slab + blockIdx.x / groups;
  const int first = int(blockIdx.x % groups) * kGroup, last = min(first + kGroup, op.components);
  for (std::int64_t p = blockIdx.y; p < count; p += gridDim.y) {
    if (*problems[p].active == 0) continue;
    const FullView view(op, problems[p]);
    if (slab >= view.slabs) continue;
    double* sums = view.sums + slab * view.slab_sums;
    if (round.number == 0) {
      const auto clear = [&](double* from, std::int64_t size) {
        for (std::int64_t i = first * size + threadIdx.x; i < last * size; i += kFusedThreads) from[i] = 0;
      };
      clear(view.count(sums), 1);
      clear(view.first(sums), view.features);
      clear(view.second(sums), cells_size(view.features));
      __syncthreads();
    }
    const FusedShared<kTile> shared(pool, view.features);
    for (int part = 0; part < kChunkTiles; ++part) {
      const ChunkTile at(view, slab, round.number, part);
      if (at.tile >= at.last) break;
      const ChunkParts parts(view, slab, part);
      load_tiles<kTile>(view, at.tile, at.last, shared.x);
      __syncthreads();
      accumulate_components<kTile>(view, first, last, parts.r, parts.scale, shared.live, sums,
                                   [&](int k, const Live* live, int lives) {
                                     accumulate_cells_of_lanes<kWarp, kTile>(view, k, shared.x, live, lives, sums);
                                   });
      __syncthreads();
    }
    if (!round.last || first != 0 || threadIdx.x != 0) continue;
    double lse = 0;
    for (int part = 0; part < kChunkTiles; ++part) lse += *ChunkParts(view, slab, part).lse;
    *view.lse(sums) = lse * kNatsPerBit;
  }
}

}  // namespace

cudaError_t enqueue_chunked_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                 std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream) {
  const std::int64_t tiles = tile_count(max_rows), slabs = slab_count(op, max_rows);
  const std::int64_t longest = (tiles + slabs - 1) / slabs;
  const int rounds = int(std::max<std::int64_t>(1, (longest + kChunkTiles - 1) / kChunkTiles));
  const std::int64_t bytes = fused_rows_bytes(op.features, kTile), groups = (op.components + kGroup - 1) / kGroup;
  for (int number = 0; number < rounds; ++number) {
    const Round round{slice.first_slab, number, number + 1 == rounds};
    cudaError_t error = launch_shared(chunked_respond_kernel, dim3(unsigned(slice.slabs * kChunkTiles), grid_of(count)),
                                      kFusedThreads, bytes, stream, op, problems, count, round);
    if (error == cudaSuccess)
      error = launch_shared(chunked_accumulate_kernel, dim3(unsigned(slice.slabs * groups), grid_of(count)),
                            kFusedThreads, bytes, stream, op, problems, count, round);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace cavi::kernels::cuda
