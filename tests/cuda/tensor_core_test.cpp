// SPDX-License-Identifier: Apache-2.0
// Products by tensor cores are as good as the wrapper says, however the device sums up.
#include "kernels/cuda/tensor_core.cuh"
#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace cavi::test {
namespace {

using programs::DeviceArray;
using namespace kernels::cuda;

// sum [16 x 8] = a [16 x depth] b [depth x 8], depth in eights, by the layout that the wrapper states.
__global__ void product_kernel(const float* a, const float* b, float* sum, int depth) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  FragmentSum s = {};
  for (int k = 0; k < depth; k += 8) {
    FragmentA fa;
    FragmentB fb;
    for (int i = 0; i < 4; ++i) fa.set(i, a[(g + i % 2 * 8) * depth + k + t + i / 2 * 4]);
    for (int i = 0; i < 2; ++i) fb.set(i, b[(k + t + i * 4) * 8 + g]);
    add_product(s, fa, fb);
  }
  for (int i = 0; i < 4; ++i) sum[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = s.v[i];
}

TEST(TensorProducts, AreOfNearlyFloat32Accuracy) {
  for (const int products : {4, 8})
    for (int guard_bits = 0; guard_bits < 4; ++guard_bits) {
      emulator::Options o;
      o.tensor_products = products, o.tensor_guard_bits = guard_bits;
      emulator::reset(o);
      std::mt19937 random(3);
      std::normal_distribution<float> normal;
      const int depth = 64;
      std::vector<float> a(16 * depth), b(depth * 8);
      for (float& x : a) x = normal(random);
      for (float& x : b) x = normal(random);
      const DeviceArray<float> da(a), db(b), sum(16 * 8);
      ASSERT_EQ(launch(product_kernel, 1, 32, 0, nullptr, da.data(), db.data(), sum.data(), depth), cudaSuccess);
      const std::vector<float> got = sum.get();
      long double worst = 0, mean = 0;
      for (int i = 0; i < 16; ++i)
        for (int j = 0; j < 8; ++j) {
          long double exact = 0, size = 0;
          for (int k = 0; k < depth; ++k) {
            exact += static_cast<long double>(a[i * depth + k]) * b[k * 8 + j];
            size += std::fabs(static_cast<long double>(a[i * depth + k]) * b[k * 8 + j]);
          }
          const long double error = (got[i * 8 + j] - exact) / size;
          worst = std::max(worst, std::fabs(error));
          mean += error * (exact > 0 ? 1 : -1) / (16 * 8);
        }
      EXPECT_LT(worst, 0x1p-22) << guard_bits << " guard bits, " << products << " products at a time";
      EXPECT_LT(std::fabs(mean), 0x1p-25) << "sums shrink";
    }
}

// A square is where errors in one direction would show: they do not average out over its terms.
TEST(TensorProducts, OfANumberWithItselfDoNotDrift) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  const int depth = 512;
  std::vector<float> a(16 * depth), b(depth * 8);
  for (int k = 0; k < depth; ++k) {
    const float x = normal(random);
    for (int i = 0; i < 16; ++i) a[i * depth + k] = x;
    for (int j = 0; j < 8; ++j) b[k * 8 + j] = x;
  }
  long double exact = 0;
  for (int k = 0; k < depth; ++k) exact += static_cast<long double>(a[k]) * a[k];
  const DeviceArray<float> da(a), db(b), sum(16 * 8);
  ASSERT_EQ(launch(product_kernel, 1, 32, 0, nullptr, da.data(), db.data(), sum.data(), depth), cudaSuccess);
  for (const float got : sum.get()) EXPECT_LT(std::fabs(got / exact - 1), 0x1p-22);
}

TEST(TensorProducts, PartsOfANumberAddUpToItAndFitTheInstruction) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (int repeat = 0; repeat < 10'000; ++repeat) {
    const float x = std::ldexp(normal(random), int(random() % 40) - 20);
    const float high = std::ldexp(std::round(std::ldexp(x, 10 - std::ilogb(x))), std::ilogb(x) - 10);
    FragmentA a;
    FragmentB b;
    a.set(1, x);
    b.set(1, x);
    EXPECT_EQ(a.high[1], high) << x;
    EXPECT_EQ(a.low[1], x - high);
    EXPECT_EQ(b.high[1], high);
    EXPECT_EQ(b.low[1], x - high);
    EXPECT_EQ(high + (x - high), x);
    EXPECT_EQ(round_to_tf32(high), high);
  }
}

}  // namespace
}  // namespace cavi::test
