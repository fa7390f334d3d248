// SPDX-License-Identifier: Apache-2.0
// Runs lists of operations.
//
//   work    list and whole: a block per problem, which meets where an operation needs what came before; wide: a grid of
//           warps per operation
//   memory  whole: a small problem's rows stay in L1 and L2 for as long as its block lives
//   order   units do not depend on who takes them (interpret.cuh)
#include "kernels/cuda/interpret.hpp"

#include "kernels/cuda/interpret.cuh"
#include "kernels/cuda/launch.hpp"

namespace cavi::kernels::cuda {
namespace {

constexpr int kThreads = 128;
constexpr std::int64_t kMostBlocks = 1 << 16;  // of a grid's x, far below the limit
constexpr std::int64_t kGridY = 65535;

static __global__ void __launch_bounds__(kListThreads, 1) run_list(OpList list, const DeviceProblem* problems) {
  const DeviceProblem& p = problems[blockIdx.x];
  if (!__syncthreads_or(*p.active)) return;  // all have read it before the bound may write it
  std::int64_t turn = 0;
  for (int i = 0; i < list.count; ++i) {
    execute<false>(list.ops[i], p, {0, units_of(list.ops[i], p)}, threadIdx.x, kListThreads, list.sweeping, turn);
    if (list.ops[i].meet) __syncthreads();
  }
}

static __global__ void __launch_bounds__(kThreads, 1)
    run_wide(OpList one, UnitRange range, const DeviceProblem* problems, std::int64_t count) {
  for (std::int64_t b = blockIdx.y; b < count; b += gridDim.y) {
    const DeviceProblem& p = problems[b];
    if (!*p.active) continue;
    const std::int64_t units = units_of(*one.ops, p);
    std::int64_t turn = 0;
    execute<true>(*one.ops, p, {range.first, min(units, range.end)}, std::int64_t(blockIdx.x) * kThreads + threadIdx.x,
                  std::int64_t(gridDim.x) * kThreads, one.sweeping, turn);
  }
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

cudaError_t enqueue_wide(const OpList& one, bool warp, UnitRange range, const DeviceProblem* problems,
                         std::int64_t count, cudaStream_t stream) {
  const std::int64_t threads = (range.end - range.first) * (warp ? kWarp : 1);
  if (threads <= 0 || count == 0) return cudaSuccess;
  const std::int64_t blocks = (threads + kThreads - 1) / kThreads;
  const dim3 grid(unsigned(blocks < kMostBlocks ? blocks : kMostBlocks), unsigned(count < kGridY ? count : kGridY));
  return launch(run_wide, grid, dim3(kThreads), 0, stream, one, range, problems, count);
}

cudaError_t enqueue_go_on(const DeviceProblem* problems, std::int64_t count, cudaGraphConditionalHandle handle,
                          cudaStream_t stream) {
  return launch(go_on, dim3(1), dim3(kThreads), 0, stream, problems, count, handle);
}

}  // namespace cavi::kernels::cuda
