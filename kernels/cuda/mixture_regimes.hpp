// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pass over the rows, by regime, and what their launches share.
#pragma once

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_layout.hpp"
#include "kernels/cuda/mixture_sweep.hpp"

#include <cstdint>

namespace cavi::kernels::cuda {

cudaError_t enqueue_tile_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                              MixtureSlice slice, cudaStream_t stream);

cudaError_t enqueue_points_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                MixtureSlice slice, cudaStream_t stream);
/// full, at most kFusedFeatures features; full, more features; and the other families.
cudaError_t enqueue_fused_full_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream);
cudaError_t enqueue_fused_wide_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream);
cudaError_t enqueue_fused_axes_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream);
/// full; max_rows: of the longest problem.
cudaError_t enqueue_chunked_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                 std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream);
/// full, at most kTensorMost features.
cudaError_t enqueue_tensor_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream);

/// A launch with so much dynamic shared memory that a kernel must ask for it.
template <class... P, class... A>
cudaError_t launch_shared(void (*kernel)(P...), dim3 grid, dim3 block, std::int64_t bytes, cudaStream_t stream,
                          const A&... arguments) {
  const cudaError_t error = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                                 cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes));
  if (error != cudaSuccess) return error;
  return launch(kernel, grid, block, std::size_t(bytes), stream, arguments...);
}

using MixturePass = void (*)(MixtureSweepDevice, const DeviceProblem*, std::int64_t, MixtureSlice);

/// A block per slab, with all the shared memory that a fused pass wants.
inline cudaError_t launch_fused(MixturePass kernel, const MixtureSweepDevice& op, const DeviceProblem* problems,
                                std::int64_t count, MixtureSlice slice, cudaStream_t stream) {
  const bool r_shared = fused_r_shared(op.components, op.features);
  const std::int64_t bytes = fused_rows_bytes(op.features) + (r_shared ? fused_r_bytes(op.components) : 0);
  return launch_shared(kernel, dim3(unsigned(slice.slabs), unsigned(count)), kFusedThreads, bytes, stream, op, problems,
                       count, slice);
}

/// Calls visit(F{}, T{}) with the family and the precision of a sweep. Linear logits are float64 alone.
template <class Visit>
auto with_sweep_types(const MixtureSweepDevice& op, Visit visit) {
  if (op.component == Component::linear) return visit(components::Linear(), double());
  return components::with_gaussian_family(op.component, [&]<class F>(F family) {
    return op.precision == Scalar::float32 ? visit(family, float()) : visit(family, double());
  });
}

}  // namespace cavi::kernels::cuda
