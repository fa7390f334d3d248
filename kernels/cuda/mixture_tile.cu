// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/mixture_tile.cuh"

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_regimes.hpp"

namespace cavi::kernels::cuda {
namespace {

template <class F, class T>
__global__ void __launch_bounds__(kTile, sizeof(T) == 4 ? 3 : 2)
    tile_kernel(MixtureSweepDevice op, const DeviceProblem* problems, MixtureSlice slice) {
  op.regime = MixtureRegime::tile;  // so that the compiler knows the layout
  const std::int64_t slab = slice.first_slab + blockIdx.x;
  const DeviceProblem& problem = problems[blockIdx.y];
  if (*problem.active == 0) return;
  const MixtureView<F, T> view(op, problem);
  if (slab < view.slabs) mixture_tile_slab(view, slab);
}

}  // namespace

cudaError_t enqueue_tile_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                              MixtureSlice slice, cudaStream_t stream) {
  return with_sweep_types(op, [&]<class F, class T>(F, T) {
    return launch(tile_kernel<F, T>, dim3(unsigned(slice.slabs), unsigned(count)), kTile, 0, stream, op, problems,
                  slice);
  });
}

}  // namespace cavi::kernels::cuda
