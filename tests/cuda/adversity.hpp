// SPDX-License-Identifier: Apache-2.0
// What whoever computes on the emulated device must live with: calls that fail, little memory, and rows that are still
// on their way.
#pragma once

#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <cavi/device_matrix.hpp>
#include <cavi/error.hpp>
#include <cavi/matrix.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cavi::test {

/// Fails each call of every kind, one at a time: `run`, which expects its own results, throws a DeviceError or is
/// right, leaks nothing, and is right the next time. `calls`: of a kind so many make it throw, at the least.
template <class Run>
void expect_to_survive_failing_calls(const std::vector<std::pair<emulator::Call, int>>& calls, Run run) {
  constexpr int kMost = 500;
  for (const auto& [call, least] : calls) {
    int failures = 0;
    for (int number = 1;; ++number) {
      emulator::Options failing;
      failing.failing_call = call;
      failing.failing_number = number;
      failing.failing_error = int(number % 2 ? cudaErrorMemoryAllocation : cudaErrorUnknown);
      emulator::reset(failing);
      bool failed = false;
      try {
        run();
      } catch (const DeviceError& e) {
        failed = true;
        EXPECT_GT(std::string(e.what()).size(), 20u);
      }
      ASSERT_EQ(emulator::leaks(), std::vector<std::string>{}) << "call kind " << int(call) << " number " << number;
      if (!failed) break;
      run();
      ++failures;
      ASSERT_LT(number, kMost);
    }
    EXPECT_GE(failures, least) << "call kind " << int(call);
  }
  emulator::reset();
}

/// Budgets of device memory from `least` bytes on, below `most`: run(memory), which expects its own results, is right
/// and returns how many waves they came in, or throws a DeviceError that speaks of the budget. Some are cut, some
/// refused.
template <class Run>
void expect_waves_or_refusals(std::int64_t least, std::int64_t most, Run run) {
  int cut = 0, refused = 0;
  for (std::int64_t memory = least; memory < most; memory = memory * 5 / 4) {
    emulator::reset(emulator::options_for(std::uint32_t(memory)));
    try {
      cut += run(memory) > 2;
    } catch (const DeviceError& e) {
      EXPECT_NE(std::string(e.what()).find("memory budget"), std::string::npos) << e.what();
      ++refused;
    }
    ASSERT_EQ(emulator::verdict(), "") << memory;
  }
  EXPECT_GT(cut, 1);
  EXPECT_GT(refused, 0);
}

/// Rows come by a copy that a stream of the caller's has still before it: answer(view) must be that of host memory.
template <class T, class Answer>
void expect_to_wait_for_the_callers_stream(const std::vector<T>& x, int rows, int features, Answer answer) {
  const auto expected = answer(Matrix(x, rows, features));
  for (std::uint32_t seed = 0; seed < 16; ++seed) {
    emulator::reset(emulator::options_for(seed));
    const programs::Stream stream;
    const programs::PinnedArray<T> host(x.size());
    const programs::DeviceArray<T> there(x.size());
    const programs::Quiesce quiesce;
    std::copy(x.begin(), x.end(), host.data());
    programs::check(
        cudaMemcpyAsync(there.data(), host.data(), x.size() * sizeof(T), cudaMemcpyHostToDevice, stream.handle));
    EXPECT_EQ(answer(device_view(there.data(), rows, features, 0, 0, stream.handle)), expected) << seed;
  }
}

}  // namespace cavi::test
