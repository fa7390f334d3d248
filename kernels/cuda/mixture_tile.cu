// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/mixture_tile.cuh"

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_regimes.hpp"

namespace cavi::kernels::cuda {
namespace {

template <class F, class T>
__global__ void __launch_bounds__(kTile, sizeof(T) == 4 ? 3 : 2)
    tile_kernel(MixtureSweepDevice op, const DeviceProblem* problems, std::int64_t count, MixtureSlice slice) {
  op.regime = MixtureRegime::tile;  // so that the compiler knows the layout
  const std::int64_t slab = slice.first_slab + blockIdx.x;
  for (std::int64_t p = blockIdx.y; p < count; p += gridDim.y) {
    if (*problems[p].active == 0) continue;
    const MixtureView<F, T> view(op, problems[p]);
    if (slab < view.slabs) mixture_tile_slab(view, slab);
  }
}

}  // namespace

cudaError_t enqueue_tile_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                              MixtureSlice slice, cudaStream_t stream) {
  return with_sweep_types(op, [&]<class F, class T>(F, T) {
    return launch(tile_kernel<F, T>, dim3(unsigned(slice.slabs), grid_of(count)), kTile, 0, stream, op, problems, count,
                  slice);
  });
}

}  // namespace cavi::kernels::cuda
