// SPDX-License-Identifier: Apache-2.0
// The pass for a precision matrix each when the statistics of a slab are many, in rounds.
#include "kernels/cuda/mixture_fused_wide.cuh"
#include "kernels/cuda/mixture_rounds.cuh"

namespace cavi::kernels::cuda {
namespace {

constexpr int kGroup = 16;  // components of a block

__global__ void __launch_bounds__(RoundBlock::threads, 2)
    chunked_respond_kernel(MixtureSweepDevice op, const DeviceProblem* problems, Round round) {
  CAVI_DYNAMIC_SHARED(float, pool);
  respond_round<RoundBlock>(
      op, problems, round, padded(op.features), pool,
      [](const FullView& view, const float* x, float* r) { respond_wide<RoundBlock>(view, x, r); });
}

__global__ void __launch_bounds__(RoundBlock::threads, 2)
    chunked_accumulate_kernel(MixtureSweepDevice op, const DeviceProblem* problems, Round round) {
  CAVI_DYNAMIC_SHARED(float, pool);
  const int groups = (op.components + kGroup - 1) / kGroup;
  const std::int64_t slab = round.first_slab + blockIdx.x / groups;
  const int first = int(blockIdx.x % groups) * kGroup, last = min(first + kGroup, op.components);
  with_problem(op, problems, slab, [&](const FullView& shared) {
    const FullView view = shared.local();
    double* sums = view.sums + slab * view.slab_sums;
    if (round.number == 0) clear_sums(view, first, last, sums);
    const TileShared<RoundBlock> in(pool, view.features, 0);
    for (int part = 0; part < kRoundTiles; ++part) {
      const RoundTile at(view, slab, round.number, part);
      if (at.tile >= at.last) break;
      const RoundParts parts(view, slab, part);
      load_tile<RoundBlock>(view, at.tile, padded(view.features), in.x);
      __syncthreads();
      accumulate_components<RoundBlock>(first, last, parts.r, parts.scale, in.list(), view.count(sums),
                                        [&](int k, const Lives& lives) {
                                          if (Warp::rank() == 0) view.live(sums)[k] += lives.count;
                                          accumulate_cells_of_lanes<kWarp, RoundBlock>(view, k, in.x, lives, sums);
                                        });
      __syncthreads();
    }
    if (round.last && first == 0 && threadIdx.x == 0) sum_lse(view, slab, sums);
  });
}

}  // namespace

cudaError_t enqueue_chunked_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                 std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream) {
  return launch_rounds<RoundBlock>(chunked_respond_kernel, chunked_accumulate_kernel, padded(op.features),
                                   (op.components + kGroup - 1) / kGroup, op, problems, count, max_rows, slice, stream);
}

}  // namespace cavi::kernels::cuda
