// SPDX-License-Identifier: Apache-2.0
// Legal programs give the right bits, the same under every schedule, and the emulator finds nothing in them. Every
// failure that a call can report reaches the caller and leaks nothing.
#include "emulator/programs.hpp"
#include "emulator/control.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace {

constexpr int kSeeds = 48;  // every schedule with every delay and rate of progress

std::vector<float> numbers(int n) {
  std::mt19937 random(n);
  std::normal_distribution<float> gauss;
  std::vector<float> x(n);
  for (float& value : x) value = gauss(random);
  return x;
}

template <class Program>
void same_bits_under_all_schedules(const Program& program) {
  emulator::reset();
  const auto first = program();
  for (int seed = 1; seed <= kSeeds; ++seed) {
    emulator::reset(emulator::options_for(seed));
    EXPECT_EQ(program(), first) << "seed " << seed;
    ASSERT_EQ(emulator::verdict(), "") << "seed " << seed;
  }
}

TEST(Programs, ReductionIsRightAndReproducible) {
  for (int n : {0, 1, 127, 128, 129, 1000}) {
    const std::vector<float> x = n ? numbers(n) : std::vector<float>{0};
    long double sum = 0;
    for (float value : x) sum += value;
    emulator::reset();
    EXPECT_NEAR(programs::reduce(x, 5), static_cast<double>(sum), 1e-4);
    same_bits_under_all_schedules([&] { return programs::reduce(x, 5); });
  }
}

TEST(Programs, LastBlockTicketIsLegal) {
  const std::vector<float> x = numbers(2000);
  long double sum = 0;
  for (float value : x) sum += value;
  emulator::reset();
  EXPECT_NEAR(programs::reduce_by_ticket(x, 7), static_cast<double>(sum), 1e-4);
  same_bits_under_all_schedules([&] { return programs::reduce_by_ticket(x, 7); });
}

TEST(Programs, TiledTranspose) {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {15, 17}, {33, 16}, {40, 21}}) {
    const std::vector<float> x = numbers(rows * columns);
    emulator::reset();
    const std::vector<float> y = programs::transposed(x, rows, columns);
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) ASSERT_EQ(y[c * rows + r], x[r * columns + c]);
  }
  same_bits_under_all_schedules([x = numbers(40 * 21)] { return programs::transposed(x, 40, 21); });
}

TEST(Programs, PipelineOfTwoStreams) {
  const std::vector<float> x = numbers(1000);
  std::vector<float> expected = x;
  for (float& value : expected) value *= 3;
  for (int chunk : {1000, 256, 125}) {
    emulator::reset();
    EXPECT_EQ(programs::pipeline(x, chunk), expected);
    same_bits_under_all_schedules([&] { return programs::pipeline(x, chunk); });
  }
}

TEST(Programs, WhileLoopInAGraph) {
  emulator::reset();
  const std::vector<float> trace = programs::iterate(1, 0.1f, 20);
  EXPECT_EQ(trace, (std::vector<float>{0.5f, 0.75f, 0.875f, 0.9375f, 0.5f, 0.75f, 0.875f, 0.9375f}));
  same_bits_under_all_schedules([] { return programs::iterate(1, 0.01f, 20); });
}

// ---- failures

void every_failure_is_reported(const std::function<void()>& program) {
  emulator::reset();
  program();
  const int calls = emulator::calls_made(emulator::Call::any);
  ASSERT_GT(calls, 5);
  for (const cudaError_t error : {cudaErrorMemoryAllocation, cudaErrorUnknown}) {
    for (int n = 1; n <= calls; ++n) {
      emulator::Options o = emulator::options_for(n);
      o.failing_number = n;
      o.failing_error = error;
      emulator::reset(o);
      try {
        program();
        // Only the wait in a destructor may swallow its error.
        EXPECT_EQ(emulator::failed_call(), "cudaDeviceSynchronize") << "call " << n;
      } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), cudaGetErrorString(error)) << emulator::failed_call();
      }
      if (emulator::failed_call() != "cudaDeviceSynchronize") {
        EXPECT_EQ(emulator::verdict(), "") << "call " << n << ", " << emulator::failed_call();
      }
    }
  }
}

TEST(Failures, EveryCallOfThePipeline) {
  every_failure_is_reported([x = numbers(300)] { programs::pipeline(x, 100); });
}
TEST(Failures, EveryCallOfTheLoop) {
  every_failure_is_reported([] { programs::iterate(1, 0.1f, 20); });
}

TEST(Failures, EveryOperation) {
  const std::vector<float> x = numbers(300);
  for (int n = 1; n <= 7; ++n) {  // three uploads, three kernels, a download
    emulator::Options o = emulator::options_for(n);
    o.failing_operation = n;
    emulator::reset(o);
    EXPECT_THROW(programs::pipeline(x, 100), std::runtime_error) << "operation " << n;
    EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
    EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure) << "an error of the device stays";
    EXPECT_EQ(emulator::verdict(), "") << "operation " << n;
  }
}

TEST(Failures, OfOneKind) {
  emulator::Options o;
  o.failing_call = emulator::Call::launch;
  o.failing_number = 2;
  o.failing_error = cudaErrorInvalidConfiguration;
  emulator::reset(o);
  EXPECT_THROW(programs::reduce({1, 2, 3}, 2), std::runtime_error);
  EXPECT_EQ(emulator::failed_call(), "cudaLaunchKernelExC");
  EXPECT_EQ(emulator::calls_made(emulator::Call::launch), 2);
  EXPECT_EQ(emulator::verdict(), "");
}

TEST(Failures, OutOfMemory) {
  emulator::Options o;
  o.device_bytes = 1000;
  emulator::reset(o);
  EXPECT_THROW(programs::reduce(numbers(300), 2), std::runtime_error);
  EXPECT_EQ(emulator::verdict(), "");
  EXPECT_EQ(programs::reduce({1, 2, 3}, 2), 6) << "running out of memory is no error of the device";
  EXPECT_EQ(emulator::device_bytes_in_use(), 0u);
  EXPECT_EQ(emulator::device_bytes_peak(), (3 + 2 + 1) * sizeof(float));
}

}  // namespace
