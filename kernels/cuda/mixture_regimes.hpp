// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pass over the rows, by regime, and what their launches share.
#pragma once

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_layout.hpp"
#include "kernels/cuda/mixture_sweep.hpp"

#include <cstdint>
#include <type_traits>

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

using MixturePass = void (*)(MixtureSweepDevice, const DeviceProblem*, MixtureSlice);

/// A block of so many threads per slab of the fused pass, by kernel_of(BlockTile(), std::bool_constant<r_shared>()).
template <int threads, class KernelOf>
cudaError_t launch_fused(KernelOf kernel_of, const MixtureSweepDevice& op, const DeviceProblem* problems,
                         std::int64_t count, MixtureSlice slice, cudaStream_t stream) {
  const FusedChoice choice = fused_choice_of<threads>(op.component, op.components, op.features);
  cudaError_t error = cudaErrorInvalidValue;
  with_fused_tiles<threads>([&]<class Tile>(Tile tile) {
    if (Tile::points != choice.points) return false;
    MixturePass kernel = kernel_of(tile, std::true_type());
    if constexpr (!Tile::in_place)
      if (!choice.r_shared) kernel = kernel_of(tile, std::false_type());
    error = launch_shared(kernel, dim3(unsigned(slice.slabs), unsigned(count)), Tile::threads, choice.bytes, stream, op,
                          problems, slice);
    return true;
  });
  return error;
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
