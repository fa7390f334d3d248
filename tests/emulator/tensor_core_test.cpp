// SPDX-License-Identifier: Apache-2.0
// The matrix instruction against its definition: fragments of the PTX manual, TF32 operands, sums that are cut off.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace {

using emulator::truncated_sum;
using programs::DeviceArray;
using programs::launch;

constexpr int kRows = 16, kColumns = 8, kDepth = 8;

// The fragments as the manual has them, by formula.
__global__ void multiply(const float* a, const float* b, const float* c, float* d) {
  const int group = threadIdx.x / 4, in_group = threadIdx.x % 4;
  float fa[4], fb[2], fc[4], fd[4];
  for (int i = 0; i < 4; ++i)
    fa[i] = a[(i == 0 || i == 2 ? group : group + 8) * kDepth + (i < 2 ? in_group : in_group + 4)];
  for (int i = 0; i < 2; ++i) fb[i] = b[(in_group + 4 * i) * kColumns + group];
  const auto place = [&](int i) { return (i < 2 ? group : group + 8) * kColumns + in_group * 2 + (i & 1); };
  for (int i = 0; i < 4; ++i) fc[i] = c[place(i)];
  emulated_mma_m16n8k8_tf32(fd, fa, fb, fc);
  for (int i = 0; i < 4; ++i) d[place(i)] = fd[i];
}

std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& c) {
  const DeviceArray<float> da(a), db(b), dc(c), dd(c.size());
  EXPECT_EQ(launch(multiply, 1, 32, 0, nullptr, da.data(), db.data(), dc.data(), dd.data()), cudaSuccess);
  return dd.get();
}

TEST(TensorCore, MultipliesMatricesOfSmallIntegersExactly) {
  for (const emulator::Schedule schedule : emulator::kSchedules) {
    emulator::Options o;
    o.schedule = schedule;
    emulator::reset(o);
    std::mt19937 random(1);
    const auto some = [&](int size) {
      std::vector<float> x(size);
      for (float& v : x) v = float(int(random() % 200) - 100);
      return x;
    };
    const auto a = some(kRows * kDepth), b = some(kDepth * kColumns), c = some(kRows * kColumns);
    const std::vector<float> d = product(a, b, c);
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kColumns; ++j) {
        float expected = c[i * kColumns + j];
        for (int k = 0; k < kDepth; ++k) expected += a[i * kDepth + k] * b[k * kColumns + j];
        EXPECT_EQ(d[i * kColumns + j], expected) << i << ' ' << j;
      }
  }
}

TEST(TensorCore, IgnoresTheLowBitsOfItsFactorsButNotOfTheSum) {
  std::vector<float> a(kRows * kDepth), b(kDepth * kColumns), c(kRows * kColumns);
  a[0] = 1 + 0x1p-10f + 0x1p-11f;  // TF32 ends with 2^-10
  b[0] = 1;
  c[1] = 1 + 0x1p-23f;
  const std::vector<float> d = product(a, b, c);
  EXPECT_EQ(d[0], 1 + 0x1p-10f);
  EXPECT_EQ(d[1], 1 + 0x1p-23f);
}

TEST(TensorCore, CutsSumsOffTowardsZero) {
  const float ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
  const float tiny[] = {0x1p-25f, 0x1p-25f, 0x1p-25f, 0x1p-25f, 0x1p-25f, 0x1p-25f, 0x1p-25f, 0x1p-25f};
  const float minus[] = {-0x1p-25f, 0, 0, 0, 0, 0, 0, 0};
  for (const float sign : {1.0f, -1.0f}) {
    float signed_tiny[8];
    for (int i = 0; i < 8; ++i) signed_tiny[i] = sign * tiny[i];
    EXPECT_EQ(truncated_sum(sign, ones, signed_tiny, 8, 1), sign) << "an addend below the guard bit is nothing";
    EXPECT_EQ(truncated_sum(sign, ones, signed_tiny, 8, 2), sign * (1 + 0x1p-22f)) << "together they are two units";
    EXPECT_EQ(truncated_sum(sign, ones, signed_tiny, 3, 2), sign) << "three quarters of a unit are cut off";
  }
  EXPECT_EQ(truncated_sum(1, ones, minus, 1, 2), 1 - 0x1p-24f);
  EXPECT_EQ(truncated_sum(1, ones, minus, 1, 0), 1);
}

// Whatever is kept below the last bit, the sum is never beyond what it should be by more than all that was cut.
TEST(TensorCore, LosesAtMostAUnitPerAddend) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (int guard_bits = 0; guard_bits < 5; ++guard_bits)
    for (int repeat = 0; repeat < 1000; ++repeat) {
      float a[8], b[8];
      const float c = normal(random);
      long double exact = c, largest = std::fabs(c);
      for (int i = 0; i < 8; ++i) {
        a[i] = std::ldexp(std::round(std::ldexp(normal(random), 9)), -9);
        b[i] = std::ldexp(std::round(std::ldexp(normal(random), 9)), -9);
        exact += static_cast<long double>(a[i]) * b[i];
        largest = std::max(largest, std::fabs(static_cast<long double>(a[i]) * b[i]));
      }
      const long double sum = truncated_sum(c, a, b, 8, guard_bits);
      const long double cut = 9 * std::ldexp(largest, -23 - guard_bits) + std::ldexp(std::fabs(exact), -23);
      EXPECT_LE(std::fabs(sum - exact), cut);
    }
}

TEST(TensorCore, KeepsWhatIsNotFinite) {
  const float inf = std::numeric_limits<float>::infinity(), ones[] = {1, 1}, infinite[] = {inf, 1},
              both[] = {inf, -inf};
  EXPECT_EQ(truncated_sum(0, ones, infinite, 2, 1), inf);
  EXPECT_TRUE(std::isnan(truncated_sum(0, ones, both, 2, 1)));
  EXPECT_EQ(truncated_sum(0, ones, ones, 0, 1), 0);
}

// ---- what it is made of

void add_up(int* const (&lanes)[32]) {
  int sum = 0;
  for (const int* lane : lanes) sum += *lane;
  for (int* lane : lanes) *lane += sum;
}
__global__ void add_up_kernel(int* out) {
  int mine = int(threadIdx.x);
  for (int i = 0; i < 3; ++i) emulator::together<int, add_up>("add_up", mine, emulator::Site::here());
  out[threadIdx.x] = mine;
}

TEST(TensorCore, AWarpDoesAStepTogetherOnceAllHaveCome) {
  for (const emulator::Schedule schedule : emulator::kSchedules) {
    emulator::Options o;
    o.schedule = schedule;
    emulator::reset(o);
    const DeviceArray<int> out(64);
    ASSERT_EQ(launch(add_up_kernel, 1, 64, 0, nullptr, out.data()), cudaSuccess);
    const std::vector<int> got = out.get();
    for (int t = 0; t < 64; ++t) {
      // Sums grow by 33 with every step.
      const int first = t < 32 ? 496 : 496 + 1024;
      EXPECT_EQ(got[t], t + first * (1 + 33 + 33 * 33)) << t;
    }
  }
}

__global__ void lonely_mma(float* out) {
  const float a[4] = {}, b[2] = {}, c[4] = {};
  float d[4];
  emulated_mma_m16n8k8_tf32(d, a, b, c);
  out[threadIdx.x] = d[0];
}

TEST(TensorCore, WantsAWholeWarp) {
  const DeviceArray<float> out(32);
  ASSERT_EQ(launch(lonely_mma, 1, 20, 0, nullptr, out.data()), cudaSuccess);
  EXPECT_NE(cudaDeviceSynchronize(), cudaSuccess);
  ASSERT_EQ(emulator::reports().size(), 1u);
  EXPECT_EQ(emulator::reports()[0].finding, emulator::Finding::wrong_mask);
  emulator::reset();
}

}  // namespace
