// SPDX-License-Identifier: Apache-2.0
// The fused pass for a precision matrix each and many features: rows stay in shared memory.
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_fused_cells.cuh"
#include "kernels/cuda/mixture_fused_wide.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

namespace cavi::kernels::cuda {
namespace {

template <class Tile, bool r_shared>
__global__ void __launch_bounds__(Tile::threads, 2)
    fused_wide_kernel(MixtureSweepDevice op, const DeviceProblem* problems, MixtureSlice slice) {
  CAVI_DYNAMIC_SHARED(float, pool);
  fused_pass<components::Full, Tile, r_shared>(
      op, problems[blockIdx.y], int(slice.first_slab + blockIdx.x), pool,
      [](const FullView& view, const TileShared<Tile>& in, float* r) { respond_wide<Tile>(view, in.x, r); },
      [](const FullView& view, int k, const float* x, const Lives& lives, double* sums) {
        accumulate_cells_of_lanes<kWarp, Tile>(view, k, x, lives, sums);
      });
}

}  // namespace

cudaError_t enqueue_fused_wide_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream) {
  return launch_fused<fused_threads(Component::full, kFusedFeatures + 1)>(
      []<class Tile, bool r_shared>(Tile, std::bool_constant<r_shared>) -> MixturePass {
        return fused_wide_kernel<Tile, r_shared>;
      },
      op, problems, count, slice, stream);
}

}  // namespace cavi::kernels::cuda
