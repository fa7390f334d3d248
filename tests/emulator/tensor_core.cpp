// SPDX-License-Identifier: Apache-2.0
#include "emulator/device/tensor_core.hpp"

#include "emulator/options.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace emulator {
namespace {

constexpr int kDepth = 8;         // products of an element
constexpr int kFloatBits = 24;    // of a significand
constexpr int kDoubleShift = 52;  // below its exponent
constexpr std::uint64_t kExponent = 0x7ff;

// What a lane brings, and in d what it takes away.
struct Operands {
  float a[4], b[2], c[4], d[4];
};

float tf32(float x) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffffe000u); }

std::uint64_t exponent_of(double x) { return std::bit_cast<std::uint64_t>(x) >> kDoubleShift & kExponent; }

// Towards zero. Exact for what a float cannot hold only because it is too small.
float truncated(double x) {
  const float rounded = static_cast<float>(x);
  return std::fabs(double(rounded)) > std::fabs(x) ? std::nextafter(rounded, 0.0f) : rounded;
}

}  // namespace

float truncated_sum(float c, const float* a, const float* b, int count, int guard_bits) {
  double addend[kDepth + 1] = {c};  // products of 11 bits each are exact
  std::uint64_t largest = exponent_of(c);
  for (int i = 0; i < count; ++i) {
    addend[i + 1] = double(a[i]) * double(b[i]);
    largest = std::max(largest, exponent_of(addend[i + 1]));
  }
  double sum = 0;
  if (largest == kExponent) {  // infinite or not a number
    for (int i = 0; i <= count; ++i) sum += addend[i];
    return static_cast<float>(sum);
  }
  const int below = kFloatBits - 1 + guard_bits;
  if (largest <= std::uint64_t(below)) return c;  // no product of floats is so small, but zero
  const double unit = std::bit_cast<double>((largest - std::uint64_t(below)) << kDoubleShift);
  const double per_unit = 1 / unit;
  for (int i = 0; i <= count; ++i) sum += double(std::int64_t(addend[i] * per_unit));
  return truncated(sum * unit);
}

namespace {

void multiply(Operands* const (&lanes)[32]) {
  float a[16][kDepth], b[8][kDepth];
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane / 4, in_group = lane % 4;
    for (int i = 0; i < 4; ++i) a[group + i % 2 * 8][in_group + i / 2 * 4] = tf32(lanes[lane]->a[i]);
    for (int i = 0; i < 2; ++i) b[group][in_group + i * 4] = tf32(lanes[lane]->b[i]);
  }
  const int step = std::clamp(options().tensor_products, 1, kDepth);
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      float sum = lanes[lane]->c[i];
      for (int k = 0; k < kDepth; k += step)
        sum = truncated_sum(sum, a[row] + k, b[column] + k, std::min(step, kDepth - k), options().tensor_guard_bits);
      lanes[lane]->d[i] = sum;
    }
}

}  // namespace
}  // namespace emulator

void emulated_mma_m16n8k8_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2], const float (&c)[4],
                               emulator::Site site) {
  if (emulator::current_thread()->warp->exists != 0xffffffffu)
    emulator::kernel_fault(emulator::Finding::wrong_mask, "mma at " + id(site) + ": the warp is not whole");
  emulator::Operands operands = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}, {c[0], c[1], c[2], c[3]}, {}};
  emulator::together<emulator::Operands, emulator::multiply>("mma", operands, site);
  for (int i = 0; i < 4; ++i) d[i] = operands.d[i];
}
