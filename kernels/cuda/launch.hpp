// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

/// put(problems, count) for as many problems as a grid has rows: a block has the problem blockIdx.y. Kernels have no
/// loop over problems: what is found before a loop is kept in registers, a hundred of them.
template <class Problem, class Put>
[[nodiscard]] cudaError_t in_grids(const Problem* problems, std::int64_t count, Put put) {
  constexpr std::int64_t kMost = 65535;
  for (std::int64_t first = 0; first < count; first += kMost)
    if (const cudaError_t error = put(problems + first, std::min(kMost, count - first)); error != cudaSuccess)
      return error;
  return cudaSuccess;
}

/// Blocks of a grid whose threads take turns at so many pieces of work.
inline unsigned blocks_for(std::int64_t pieces, int threads) {
  constexpr std::int64_t kMost = 1 << 16;  // far below a grid's limit
  return unsigned(std::min(kMost, (pieces + threads - 1) / threads));
}

}  // namespace cavi::kernels::cuda
