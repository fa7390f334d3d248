// SPDX-License-Identifier: Apache-2.0
// What an architecture cannot do is an error of the launch, and named.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <gtest/gtest.h>

namespace {

using emulator::Finding;
using programs::launch;

__global__ void nothing() {}
__global__ void dynamic(int* size) {
  CAVI_DYNAMIC_SHARED(char, bytes);
  bytes[0] = 1;
  if (size) *size = bytes[0];
}
__global__ void static_and_dynamic() {
  CAVI_SHARED(float, s, [10 * 1024]);
  CAVI_DYNAMIC_SHARED(float, d);
  s[0] = d[0] = 1;
}
__global__ void too_much_static() {
  CAVI_SHARED(float, a, [10 * 1024]);
  CAVI_SHARED(float, b, [3 * 1024]);
  a[0] = b[0] = 1;
}
struct Large {
  char bytes[4092];
};
__global__ void large_parameter(Large, int) {}
__global__ void very_large_parameter(int, Large, double) {}

class Limits : public testing::Test {
 protected:
  void SetUp() override { emulator::reset(); }
  void TearDown() override { emulator::reset(); }
  static void expect(cudaError_t expected, Finding finding, cudaError_t got) {
    EXPECT_EQ(got, expected);
    ASSERT_EQ(emulator::reports().size(), 1u);
    EXPECT_EQ(emulator::reports()[0].finding, finding);
    EXPECT_EQ(cudaGetLastError(), expected);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "a refused launch leaves the device as it was";
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    emulator::clear_reports();
  }
};

TEST_F(Limits, GridAndBlock) {
  const auto invalid = [](dim3 grid, dim3 block) {
    expect(cudaErrorInvalidConfiguration, Finding::launch_limit, launch(nothing, grid, block, 0, nullptr));
  };
  invalid(0, 1);
  invalid(1, 0);
  invalid(dim3(1, 65536), 1);
  invalid(dim3(1, 1, 65536), 1);
  invalid(1, 1025);
  invalid(1, dim3(32, 33));
  invalid(1, dim3(1, 1, 65));
  EXPECT_EQ(launch(nothing, dim3(65536), 1, 0, nullptr), cudaSuccess);
  EXPECT_EQ(launch(nothing, 1, dim3(32, 32), 0, nullptr), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(emulator::verdict(), "");
}

TEST_F(Limits, DynamicSharedMemoryNeedsTheAttribute) {
  const auto run = [](std::size_t bytes) { return launch(dynamic, 1, 1, bytes, nullptr, nullptr); };
  EXPECT_EQ(run(48 << 10), cudaSuccess);
  expect(cudaErrorInvalidValue, Finding::shared_memory_limit, run((48 << 10) + 1));
  EXPECT_EQ(cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 << 10), cudaSuccess);
  EXPECT_EQ(run(227 << 10), cudaSuccess);
  expect(cudaErrorInvalidValue, Finding::shared_memory_limit,
         cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, (227 << 10) + 1));
}

TEST_F(Limits, SharedMemoryOfSmallerArchitectures) {
  for (const auto& [architecture, most] : {std::pair{emulator::sm_80(), 163}, {emulator::sm_86(), 99}}) {
    emulator::Options o;
    o.architecture = architecture;
    emulator::reset(o);
    EXPECT_EQ(cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, most << 10), cudaSuccess);
    expect(cudaErrorInvalidValue, Finding::shared_memory_limit,
           cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, (most << 10) + 1));
    int optin = 0;
    EXPECT_EQ(cudaDeviceGetAttribute(&optin, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), cudaSuccess);
    EXPECT_EQ(optin, most << 10);
  }
}

TEST_F(Limits, StaticSharedMemory) {
  EXPECT_EQ(launch(static_and_dynamic, 1, 1, 8 << 10, nullptr), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const std::pair<void (*)(), int> launches[] = {{static_and_dynamic, (8 << 10) + 16}, {too_much_static, 0}};
  for (const auto& [kernel, bytes] : launches) {
    emulator::reset();
    EXPECT_EQ(launch(kernel, 1, 1, bytes, nullptr), cudaSuccess);
    EXPECT_NE(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_TRUE(emulator::reported(Finding::shared_memory_limit));
  }
  emulator::reset();
  EXPECT_EQ(launch(dynamic, 1, 1, 0, nullptr, nullptr), cudaSuccess);
  EXPECT_NE(cudaDeviceSynchronize(), cudaSuccess) << "dynamic shared memory that the launch did not ask for";
  EXPECT_TRUE(emulator::reported(Finding::shared_memory_limit));
}

TEST_F(Limits, Parameters) {
  EXPECT_EQ(launch(large_parameter, 1, 1, 0, nullptr, Large{}, 1), cudaSuccess);
  expect(cudaErrorInvalidValue, Finding::launch_limit, launch(very_large_parameter, 1, 1, 0, nullptr, 1, Large{}, 1.0));
}

TEST_F(Limits, Registers) {
  const std::string name = "(anonymous namespace)::nothing";
  const auto run = [&](int registers, int threads) {
    emulator::Options o;
    o.registers[name] = registers;
    emulator::reset(o);
    return launch(nothing, 1, threads, 0, nullptr);
  };
  EXPECT_EQ(run(64, 1024), cudaSuccess);
  EXPECT_EQ(run(255, 256), cudaSuccess);
  expect(cudaErrorLaunchOutOfResources, Finding::launch_limit, run(65, 1024));
  expect(cudaErrorLaunchOutOfResources, Finding::launch_limit, run(128, 513));
  EXPECT_EQ(run(128, 512), cudaSuccess);
}

TEST_F(Limits, PropertiesTellThem) {
  cudaDeviceProp p;
  ASSERT_EQ(cudaGetDeviceProperties(&p, 0), cudaSuccess);
  EXPECT_EQ(p.major, 9);
  EXPECT_EQ(p.sharedMemPerBlockOptin, std::size_t(227) << 10);
  EXPECT_EQ(p.maxGridSize[1], 65535);
  std::size_t free = 0, total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, total);
  EXPECT_EQ(total, p.totalGlobalMem);
  EXPECT_EQ(cudaGetDeviceProperties(&p, 1), cudaErrorInvalidDevice);
}

}  // namespace
