// SPDX-License-Identifier: Apache-2.0
// Where tests that run on every backend run.
#pragma once

#include <cavi/device.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace cavi::testing {

/// Whether the environment asks for CUDA: CAVI_TEST_DEVICE=cuda.
inline bool on_cuda() {
  const char* wanted = std::getenv("CAVI_TEST_DEVICE");
  return wanted && std::string(wanted) == "cuda";
}

/// CUDA device 0, of which so many bytes are used (0: what is free), or so many threads.
inline Device test_device(int threads = 1, std::int64_t memory = 0) {
  return on_cuda() ? Device::cuda(0, memory) : Device::cpu(threads);
}

/// Where CUDA is asked for and there is none, tests are skipped, or fail if CAVI_REQUIRE_GPU is set.
class NeedsDevice : public ::testing::Environment {
  void SetUp() override {
    if (!on_cuda() || Device::all().size() > 1) return;
    if (std::getenv("CAVI_REQUIRE_GPU")) GTEST_FAIL() << "there is no usable CUDA device";
    GTEST_SKIP() << "there is no usable CUDA device";
  }
};
inline const ::testing::Environment* const needs_device = ::testing::AddGlobalTestEnvironment(new NeedsDevice);

}  // namespace cavi::testing
