// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/whole.cuh"

namespace cavi::kernels::cuda {

template cudaError_t enqueue_whole_of<components::Full>(const OpList&, int, const DeviceProblem*, std::int64_t,
                                                        cudaStream_t);

}  // namespace cavi::kernels::cuda
