// SPDX-License-Identifier: Apache-2.0
/// \file
/// Products of small float32 matrices by tensor cores, of nearly float32's accuracy.
///
/// The instruction takes numbers of 11 bits (TF32: the low 13 of a float's 24 are ignored) and cuts its sums off. So
/// numbers go in as a high and a low part, the product of two low parts is left out, and sums over instructions are
/// rounded outside. What is lost is 2^-22 of a factor, and 2^-24 of a sum over eight products, without a direction but
/// for the latter.
///
/// A warp holds fragments; lane 4 g + t has
///
///     A [16 x 8]    A(g, t), A(g + 8, t), A(g, t + 4), A(g + 8, t + 4)
///     B [8 x 8]     B(t, g), B(t + 4, g)
///     sum [16 x 8]  S(g, 2 t), S(g, 2 t + 1), S(g + 8, 2 t), S(g + 8, 2 t + 1)
#pragma once

#include "kernels/cuda/simt.hpp"

#include <cmath>

namespace cavi::kernels::cuda {

/// d = a b + c, by all lanes of a warp. Not on devices before sm_80.
#if !defined(__CUDACC__)
inline void multiply_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2], const float (&c)[4]) {
  emulated_mma_m16n8k8_tf32(d, a, b, c);
}
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
__device__ inline void multiply_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2], const float (&c)[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%10, %11, %12, %13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])), "r"(__float_as_uint(a[3])),
        "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}
#else
__device__ inline void multiply_tf32(float (&)[4], const float (&)[4], const float (&)[2], const float (&)[4]) {
  __trap();  // sweeps there have other kernels
}
#endif

/// The nearest number of 11 bits; halves away from zero.
__device__ inline float round_to_tf32(float x) { return __uint_as_float((__float_as_uint(x) + 0x1000u) & 0xffffe000u); }

/// Factors in two parts. A number that is in both factors at once has its parts made twice, by instructions that are
/// not the same to a compiler: it must lie in two places, and as one number would be moved there for every product.
struct FragmentA {
  float high[4], low[4];

  __device__ void set(int i, float x) {
    high[i] = round_to_tf32(x);
    low[i] = x - high[i];
  }
};
struct FragmentB {
  float high[2], low[2];

  __device__ void set(int i, float x) {
    high[i] = round_to_tf32(x) + 0.0f;
    low[i] = std::fma(high[i], -1.0f, x);
  }
};
struct FragmentSum {
  float v[4];
};

__device__ inline void add_product(FragmentSum& sum, const FragmentA& a, const FragmentB& b) {
  float part[4] = {};
  multiply_tf32(part, a.low, b.high, part);
  multiply_tf32(part, a.high, b.low, part);
  multiply_tf32(part, a.high, b.high, part);
#pragma unroll
  for (int i = 0; i < 4; ++i) sum.v[i] += part[i];
}

}  // namespace cavi::kernels::cuda
