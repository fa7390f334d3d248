// SPDX-License-Identifier: Apache-2.0
// The frame and the end of a sweep; the pass over the rows is in the files of its regimes.
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_finish.cuh"
#include "kernels/cuda/mixture_frame.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

#include <algorithm>

namespace cavi::kernels::cuda {
namespace {

constexpr int kFrameThreads = 128, kFrameWarps = kFrameThreads / kWarp;

template <class F, class T>
__global__ void __launch_bounds__(kFrameThreads, 4) frame_kernel(MixtureSweepDevice op, const DeviceProblem* problems) {
  const DeviceProblem& problem = problems[blockIdx.y];
  if (*problem.active != 0)
    mixture_frame<F, T>(op, problem, int(blockIdx.x) * kFrameWarps, int(gridDim.x) * kFrameWarps);
}

template <class F, class T>
__global__ void __launch_bounds__(kBranches* kWarp) join_kernel(MixtureSweepDevice op, const DeviceProblem* problems) {
  const DeviceProblem& problem = problems[blockIdx.y];
  if (*problem.active == 0) return;
  const MixtureView<F, T> view(op, problem);
  if (view.slabs > 1) join_32(view.sums, view.slabs, view.slab_sums, std::int64_t(blockIdx.x) * kWarp);
}

template <class F, class T>
__global__ void __launch_bounds__(kFrameThreads, 4)
    finish_kernel(MixtureSweepDevice op, const DeviceProblem* problems) {
  const int k = int(blockIdx.x) * kFrameWarps + int(threadIdx.x) / kWarp;
  const DeviceProblem& problem = problems[blockIdx.y];
  if (k < op.components && *problem.active != 0)
    finish_component(MixtureView<F, T>(op, problem), op, problem, k, Warp());
}

template <class F, class T>
__global__ void __launch_bounds__(kWarp) entropy_kernel(MixtureSweepDevice op, const DeviceProblem* problems) {
  const DeviceProblem& problem = problems[blockIdx.y];
  if (*problem.active != 0) finish_entropy(MixtureView<F, T>(op, problem), op, problem, Warp());
}

template <class F, class T>
cudaError_t enqueue_finish(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                           std::int64_t max_rows, cudaStream_t stream) {
  const unsigned y = unsigned(count);
  cudaError_t error = cudaSuccess;
  if (slab_count(op, max_rows) > 1)
    error = launch(join_kernel<F, T>, dim3((sums_size(op) + kWarp - 1) / kWarp, y), kBranches * kWarp, 0, stream, op,
                   problems);
  if (error == cudaSuccess)
    error = launch(finish_kernel<F, T>, dim3((op.components + kFrameWarps - 1) / kFrameWarps, y), kFrameThreads, 0,
                   stream, op, problems);
  if (error == cudaSuccess) error = launch(entropy_kernel<F, T>, dim3(1, y), kWarp, 0, stream, op, problems);
  return error;
}

// A pass over the rows.
cudaError_t enqueue_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                         std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream) {
  switch (regime_of(op)) {
    case MixtureRegime::automatic:
    case MixtureRegime::tile: break;
    case MixtureRegime::chunked: return enqueue_chunked_pass(op, problems, count, max_rows, slice, stream);
    case MixtureRegime::tensor: return enqueue_tensor_pass(op, problems, count, max_rows, slice, stream);
    case MixtureRegime::points: return enqueue_points_pass(op, problems, count, slice, stream);
    case MixtureRegime::fused:
      if (op.component != Component::full) return enqueue_fused_axes_pass(op, problems, count, slice, stream);
      return op.features <= kFusedFeatures ? enqueue_fused_full_pass(op, problems, count, slice, stream)
                                           : enqueue_fused_wide_pass(op, problems, count, slice, stream);
  }
  return enqueue_tile_pass(op, problems, count, slice, stream);
}

}  // namespace

std::int64_t mixture_slabs(const MixtureSweepDevice& op, std::int64_t rows) { return slab_count(op, rows); }

std::int64_t mixture_slab_begin(const MixtureSweepDevice& op, std::int64_t rows, std::int64_t slab) {
  const std::int64_t tile = slab_tile(tile_count(rows), slab_count(op, rows), slab);
  return std::min(rows, tile * kTile);
}

std::int64_t mixture_sweep_scratch(const MixtureSweepDevice& op, std::int64_t rows) {
  MixtureSweepDevice block = op;
  block.regime = MixtureRegime::tile;
  return std::max(MixtureLayout(op, rows).bytes, rows <= kBlockRows ? MixtureLayout(block, rows).bytes : 0);
}

std::string mixture_regime(const MixtureSweepDevice& op, std::int64_t) {
  switch (regime_of(op)) {
    case MixtureRegime::automatic:
    case MixtureRegime::tile: break;
    case MixtureRegime::points: return "points";
    case MixtureRegime::fused: return "fused";
    case MixtureRegime::chunked: return "chunked";
    case MixtureRegime::tensor: return "tensor";
  }
  return "tile";
}

cudaError_t enqueue_mixture_frame(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                  cudaStream_t stream) {
  return with_sweep_types(op, [&]<class F, class T>(F, T) {
    const unsigned blocks = F::shared ? 1 : (op.components + kFrameWarps - 1) / kFrameWarps;
    return in_grids(problems, count, [&](const DeviceProblem* some, std::int64_t n) {
      return launch(frame_kernel<F, T>, dim3(blocks, unsigned(n)), kFrameThreads, 0, stream, op, some);
    });
  });
}

cudaError_t enqueue_mixture_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                 std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream) {
  if (slice.slabs == 0) return cudaSuccess;
  return in_grids(problems, count, [&](const DeviceProblem* some, std::int64_t n) {
    return enqueue_pass(op, some, n, max_rows, slice, stream);
  });
}

cudaError_t enqueue_mixture_finish(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                   std::int64_t max_rows, cudaStream_t stream) {
  return with_sweep_types(op, [&]<class F, class T>(F, T) {
    return in_grids(problems, count, [&](const DeviceProblem* some, std::int64_t n) {
      return enqueue_finish<F, T>(op, some, n, max_rows, stream);
    });
  });
}

}  // namespace cavi::kernels::cuda
