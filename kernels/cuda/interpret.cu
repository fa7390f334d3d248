// SPDX-License-Identifier: Apache-2.0
// Runs lists of operations.
//
//   work    list: a block per problem, which meets where an operation needs what came before; wide: a grid
//   memory  what an operation reads and writes is in global memory, small enough for L2
//   order   units do not depend on who takes them (interpret.cuh)
#include "kernels/cuda/interpret.hpp"

#include "kernels/cuda/interpret.cuh"
#include "kernels/cuda/launch.hpp"

namespace cavi::kernels::cuda {
namespace {

constexpr int kThreads = 128;

static __global__ void __launch_bounds__(kListThreads, 1) run_list(OpList list, const DeviceProblem* problems) {
  const DeviceProblem& p = problems[blockIdx.x];
  if (!__syncthreads_or(*p.active)) return;  // all have read it before the bound may write it
  std::int64_t turn = 0;
  for (int i = 0; i < list.count; ++i) {
    execute(list.ops[i], p, threadIdx.x, kListThreads, list.sweeping, turn);
    if (list.ops[i].meet) __syncthreads();
  }
}

static __global__ void __launch_bounds__(kThreads, 1) run_wide(OpList one, const DeviceProblem* problems) {
  const DeviceProblem& p = problems[blockIdx.y];
  if (*p.active == 0) return;
  std::int64_t turn = 0;
  execute(*one.ops, p, std::int64_t(blockIdx.x) * kThreads + threadIdx.x, std::int64_t(gridDim.x) * kThreads,
          one.sweeping, turn);
}

static __global__ void __launch_bounds__(kThreads)
    go_on(const DeviceProblem* problems, std::int64_t count, cudaGraphConditionalHandle handle) {
  int active = 0;
  for (std::int64_t b = threadIdx.x; b < count; b += kThreads) active |= *problems[b].active;
  active = __syncthreads_or(active);
  if (threadIdx.x == 0) cudaGraphSetConditional(handle, active != 0);
}

}  // namespace

cudaError_t enqueue_list(const OpList& list, const DeviceProblem* problems, std::int64_t count, cudaStream_t stream) {
  if (list.count == 0 || count == 0) return cudaSuccess;
  return launch(run_list, dim3(unsigned(count)), dim3(kListThreads), 0, stream, list, problems);
}

cudaError_t enqueue_wide(const OpList& one, bool warp, std::int64_t units, const DeviceProblem* problems,
                         std::int64_t count, cudaStream_t stream) {
  if (units == 0) return cudaSuccess;
  const unsigned blocks = blocks_for(units * (warp ? kWarp : 1), kThreads);
  return in_grids(problems, count, [&](const DeviceProblem* some, std::int64_t many) {
    return launch(run_wide, dim3(blocks, unsigned(many)), dim3(kThreads), 0, stream, one, some);
  });
}

cudaError_t enqueue_go_on(const DeviceProblem* problems, std::int64_t count, cudaGraphConditionalHandle handle,
                          cudaStream_t stream) {
  return launch(go_on, dim3(1), dim3(kThreads), 0, stream, problems, count, handle);
}

}  // namespace cavi::kernels::cuda
