// SPDX-License-Identifier: Apache-2.0
// The fused pass for a precision matrix each and many features: rows stay in shared memory.
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_fused_cells.cuh"
#include "kernels/cuda/mixture_fused_wide.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

namespace cavi::kernels::cuda {
namespace {

template <bool r_shared>
__global__ void __launch_bounds__(kFusedThreads, 2)
    fused_wide_kernel(MixtureSweepDevice op, const DeviceProblem* problems, std::int64_t count, MixtureSlice slice) {
  CAVI_DYNAMIC_SHARED(float, pool);
  op.regime = MixtureRegime::fused;  // so that the compiler knows the layout
  const std::int64_t slab = slice.first_slab + blockIdx.x;
  for (std::int64_t p = blockIdx.y; p < count; p += gridDim.y) {
    if (*problems[p].active == 0) continue;
    const FullView view(op, problems[p]);
    if (slab >= view.slabs) continue;
    fused_slab<components::Full, r_shared>(
        view, slab, pool, [&](const float* x, float* r) { respond_wide<kFusedPoints>(view, x, r); },
        [&](int k, const float* x, const Live* live, int lives, double* sums) {
          accumulate_cells_of_lanes<kWarp>(view, k, x, live, lives, sums);
        });
  }
}

}  // namespace

cudaError_t enqueue_fused_wide_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream) {
  return launch_fused(fused_r_shared(op.components, op.features) ? fused_wide_kernel<true> : fused_wide_kernel<false>,
                      op, problems, count, slice, stream);
}

}  // namespace cavi::kernels::cuda
