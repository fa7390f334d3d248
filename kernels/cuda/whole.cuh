// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whole fits of small problems. A kernel for each family, in a file of its own (whole_*.cu): ptxas takes its time.
///
///   work    a block per problem: it runs sweep after sweep until the problem is over or has had its share
///   memory  the problem's rows and numbers stay in L1 and L2 for as long as the block lives
///   order   units do not depend on who takes them (interpret.cuh), a mixture sweep by one block has an order of its
///   own
#pragma once

#include "kernels/cuda/interpret.cuh"
#include "kernels/cuda/interpret.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_block.cuh"

namespace cavi::kernels::cuda {

inline constexpr int kWholeThreads = kTile;

struct NoSweep {};

namespace {

template <class F>
__device__ void sweep_block(const MixtureSweepDevice& op, const DeviceProblem& p) {
  if constexpr (!std::is_same_v<F, NoSweep>) mixture_sweep_block<F, float>(op, p);
}

template <class F>
__global__ void __launch_bounds__(kWholeThreads, 2) run_whole(OpList list, int times, const DeviceProblem* problems) {
  const DeviceProblem& p = problems[blockIdx.x];
  for (int s = 0; s < times; ++s) {
    if (!__syncthreads_or(*p.active)) return;  // all have read it before the bound may write it
    std::int64_t turn = 0;
    for (int i = 0; i < list.count; ++i) {
      const DeviceOp& op = list.ops[i];
      if (op.kind == DeviceOp::Kind::mixture_sweep)
        sweep_block<F>(op.mixture_sweep, p);
      else
        execute(op, p, threadIdx.x, kWholeThreads, list.sweeping, turn);
      if (op.meet) __syncthreads();
    }
  }
}

}  // namespace

template <class F>
cudaError_t enqueue_whole_of(const OpList& list, int times, const DeviceProblem* problems, std::int64_t count,
                             cudaStream_t stream) {
  return launch(run_whole<F>, dim3(unsigned(count)), dim3(kWholeThreads), 0, stream, list, times, problems);
}

}  // namespace cavi::kernels::cuda
