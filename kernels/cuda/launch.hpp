// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

namespace cavi::kernels::cuda {

/// kernel<<<grid, block, shared_bytes, stream>>>(arguments...) in plain C++, so that the same source also builds for
/// the emulated device. Arguments are converted to the kernel's parameter types here. The error is of the launch
/// itself; what goes wrong inside the kernel comes from the next call that waits.
template <class... P, class... A>
[[nodiscard]] cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes,
                                 cudaStream_t stream, A&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<P>(std::forward<A>(arguments))...);
}

}  // namespace cavi::kernels::cuda
