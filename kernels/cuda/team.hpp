// SPDX-License-Identifier: Apache-2.0
/// \file
/// Teams of CUDA threads for the functions of kernels/math/; see math/team.hpp.
#pragma once

#include "kernels/cuda/problem.hpp"
#include "kernels/cuda/simt.hpp"

namespace cavi::kernels::cuda {

template <class T>
__device__ inline T warp_sum(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

template <class T>
__device__ inline T warp_max(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, value, step);
    value = other > value ? other : value;
  }
  return value;
}

/// The 32 lanes of a warp, all of which take part.
struct Warp {
  __device__ static int rank() { return int(threadIdx.x % kWarp); }
  __device__ static constexpr int size() { return kWarp; }
  __device__ static void sync() { __syncwarp(); }
  __device__ static double sum(double x) { return warp_sum(x); }
  __device__ static bool all(bool x) { return __all_sync(kAllLanes, x); }
};

/// One thread or the 32 lanes of a warp, known at run time: half the code, where a loop's stride decides nothing.
struct Lanes {
  int count = 1;  // or 32

  __device__ int rank() const { return int(threadIdx.x) & (count - 1); }
  __device__ int size() const { return count; }
  __device__ void sync() const {
    if (count > 1) __syncwarp();
  }
  __device__ double sum(double x) const { return count > 1 ? warp_sum(x) : x; }
  __device__ bool all(bool x) const { return count > 1 ? bool(__all_sync(kAllLanes, x)) : x; }
};

}  // namespace cavi::kernels::cuda
