// SPDX-License-Identifier: Apache-2.0
// Whole fits of problems without a mixture, and the choice of the kernel for those with one.
#include "kernels/cuda/whole.cuh"

namespace cavi::kernels::cuda {

extern template cudaError_t enqueue_whole_of<components::Full>(const OpList&, int, const DeviceProblem*, std::int64_t,
                                                               cudaStream_t);
extern template cudaError_t enqueue_whole_of<components::Tied>(const OpList&, int, const DeviceProblem*, std::int64_t,
                                                               cudaStream_t);
extern template cudaError_t enqueue_whole_of<components::Diag>(const OpList&, int, const DeviceProblem*, std::int64_t,
                                                               cudaStream_t);
extern template cudaError_t enqueue_whole_of<components::Spherical>(const OpList&, int, const DeviceProblem*,
                                                                    std::int64_t, cudaStream_t);

cudaError_t enqueue_whole(const OpList& list, std::optional<Component> sweep, int times, const DeviceProblem* problems,
                          std::int64_t count, cudaStream_t stream) {
  if (list.count == 0 || count == 0) return cudaSuccess;
  if (!sweep) return enqueue_whole_of<NoSweep>(list, times, problems, count, stream);
  return components::with_gaussian_family(
      *sweep, [&]<class F>(F) { return enqueue_whole_of<F>(list, times, problems, count, stream); });
}

}  // namespace cavi::kernels::cuda
