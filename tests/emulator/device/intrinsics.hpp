// SPDX-License-Identifier: Apache-2.0
/// \file
/// Device functions that are not in <cmath>. Those that CUDA only approximates are wrong here too, by up to the error
/// that CUDA documents and always the same for the same argument: a kernel that needs more than it may count on fails.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace emulator {

/// In [-1, 1], from the bits of x alone.
inline double wobble(float x) {
  std::uint32_t hash = std::bit_cast<std::uint32_t>(x) * 0x9E3779B1u;
  hash ^= hash >> 15;
  return (hash % 2001) / 1000.0 - 1;
}

/// `exact` rounded and then moved by at most `ulps` units in the last place.
inline float approximate(double exact, float argument, float ulps) {
  const float rounded = static_cast<float>(exact);
  if (!std::isfinite(rounded) || rounded == 0) return rounded;
  const float unit = std::nextafter(std::fabs(rounded), INFINITY) - std::fabs(rounded);
  return rounded + static_cast<float>(std::trunc(wobble(argument) * ulps)) * unit;
}

}  // namespace emulator

// Approximate, with the bounds of the CUDA C++ Programming Guide, "Intrinsic Functions".
inline float __expf(float x) {
  return emulator::approximate(std::exp(double(x)), x, 2 + std::floor(std::fabs(1.173f * x)));
}
inline float __exp10f(float x) {
  return emulator::approximate(std::pow(10.0, double(x)), x, 2 + std::floor(std::fabs(2.97f * x)));
}
inline float __logf(float x) {
  if (x >= 0.5f && x <= 2) return static_cast<float>(std::log(double(x)) + emulator::wobble(x) * 0x1.8p-22);
  return emulator::approximate(std::log(double(x)), x, 3);
}
inline float __log2f(float x) {
  if (x >= 0.5f && x <= 2) return static_cast<float>(std::log2(double(x)) + emulator::wobble(x) * 0x1p-22);
  return emulator::approximate(std::log2(double(x)), x, 2);
}
inline float __fdividef(float x, float y) { return emulator::approximate(double(x) / y, y, 2); }
inline float __powf(float x, float y) { return __expf(y * __logf(x)); }
inline float rsqrtf(float x) { return emulator::approximate(1 / std::sqrt(double(x)), x, 2); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

// Exactly rounded, never fused.
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1 / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(std::uint64_t(a) * b >> 32); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
template <class T>
T __ldg(const T* address) {
  return *address;
}

// As in CUDA, min and max need no namespace.
#define EMULATOR_MIN_MAX(type)                              \
  inline type min(type a, type b) { return b < a ? b : a; } \
  inline type max(type a, type b) { return a < b ? b : a; }
EMULATOR_MIN_MAX(int)
EMULATOR_MIN_MAX(unsigned)
EMULATOR_MIN_MAX(long)
EMULATOR_MIN_MAX(unsigned long)
EMULATOR_MIN_MAX(long long)
EMULATOR_MIN_MAX(unsigned long long)
#undef EMULATOR_MIN_MAX
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
