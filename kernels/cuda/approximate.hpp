// SPDX-License-Identifier: Apache-2.0
/// \file
/// Powers and logarithms to base two, by the special-function unit in float32, exact in float64; reciprocals by it.
/// Denormals are zero.
///
/// The twins for the emulated device are wrong by as much as the PTX manual allows for ex2.approx.ftz (2 units in the
/// last place), lg2.approx.ftz (2^-22 absolute near one, 2^-22 relative elsewhere) and rcp.approx.ftz (1 unit).
#pragma once

#include "kernels/cuda/simt.hpp"

#include <cmath>

namespace cavi::kernels::cuda {

#if defined(__CUDACC__)

// Volatile, lest they are computed twice to spare a register.

__device__ inline float approximate_exp2(float x) {
  float y;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float approximate_log2(float x) {
  float y;
  asm volatile("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float approximate_reciprocal(float x) {
  float y;
  asm volatile("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

#else

inline float approximate_exp2(float x) {
  const float y = emulator::approximate(std::exp2(double(x)), x, 2);
  return y < 0x1p-126f ? 0 : y;
}
inline float approximate_log2(float x) { return __log2f(x < 0x1p-126f ? 0 : x); }
inline float approximate_reciprocal(float x) { return emulator::approximate(1 / double(x), x, 1); }

#endif

__device__ inline double approximate_exp2(double x) { return exp2(x); }
__device__ inline double approximate_log2(double x) { return log2(x); }

}  // namespace cavi::kernels::cuda
