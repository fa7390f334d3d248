// SPDX-License-Identifier: Apache-2.0
/// \file
/// A whole sweep by one block, for problems of few rows.
#pragma once

#include "kernels/cuda/mixture_finish.cuh"
#include "kernels/cuda/mixture_frame.cuh"
#include "kernels/cuda/mixture_tile.cuh"

namespace cavi::kernels::cuda {

/// By all kTile threads of a block, blockDim.x = kTile. What it reads was written before the last __syncthreads(), what
/// it writes may be read after the next.
template <class F, class T>
__device__ void mixture_sweep_block(MixtureSweepDevice op, const DeviceProblem& problem) {
  op.regime = MixtureRegime::tile;
  const MixtureView<F, T> view(op, problem);
  const Warp warp;
  const int number = int(threadIdx.x) / kWarp, warps = int(blockDim.x) / kWarp;
  mixture_frame<F, T>(op, problem, 0, warps);
  __syncthreads();
  for (std::int64_t slab = 0; slab < view.slabs; ++slab) mixture_tile_slab(view, slab);
  join_slabs(view.sums, view.slabs, view.slab_sums);
  __syncthreads();
  for (int k = number; k < view.components; k += warps) finish_component(view, op, problem, k, warp);
  __syncthreads();
  if (number == 0) finish_entropy(view, op, problem, warp);
}

}  // namespace cavi::kernels::cuda
