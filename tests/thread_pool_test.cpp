// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/thread_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Memory that ends at the n-th allocation of this thread from now on; negative: never. Not inline, or the compiler sees
// numbers from malloc() given to delete.
thread_local int allocations_left = -1;

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (allocations_left >= 0 && allocations_left-- == 0) throw std::bad_alloc();
  if (void* p = std::malloc(bytes > 0 ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace cavi::kernels::cpu {
namespace {

// Kept from the optimiser, which knows nothing of the processor's mode.
bool denormals_live() {
  volatile float smallest = std::numeric_limits<float>::min();
  volatile float half = smallest * 0.5f;
  return half != 0;
}

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunsEveryTaskOnce) {
  ThreadPool pool(GetParam());
  ASSERT_EQ(pool.size(), GetParam());
  for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> runs(std::size_t(count) + 1);
    std::atomic<bool> stranger = false;
    pool.run(count, [&](std::int64_t i, int worker) {
      ++runs[std::size_t(i)];
      if (worker < 0 || worker >= pool.size() || worker != pool.worker()) stranger = true;
    });
    for (std::int64_t i = 0; i < count; ++i) EXPECT_EQ(runs[std::size_t(i)], 1) << i << " of " << count;
    EXPECT_EQ(runs.back(), 0);
    EXPECT_FALSE(stranger);
  }
}

TEST_P(ThreadPoolTest, FlushesDenormalsInTasksAndGivesTheModeBack) {
  ThreadPool pool(GetParam());
  ASSERT_TRUE(denormals_live());
  std::atomic<int> live = 0;
  pool.run(100, [&](std::int64_t, int) { live += denormals_live(); });
  EXPECT_EQ(live, 0);
  EXPECT_TRUE(denormals_live());
  EXPECT_THROW(pool.run(3, [](std::int64_t, int) { throw std::runtime_error("task"); }), std::runtime_error);
  EXPECT_TRUE(denormals_live());
}

TEST_P(ThreadPoolTest, ThrowsTheExceptionOfTheLowestTaskThatRan) {
  ThreadPool pool(GetParam());
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::vector<std::atomic<bool>> threw(64);
    std::string message;
    try {
      pool.run(64, [&](std::int64_t i, int) {
        if (i < 5) return;
        threw[std::size_t(i)] = true;
        throw std::runtime_error(std::to_string(i));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& e) {
      message = e.what();
    }
    const auto lowest = std::find(threw.begin(), threw.end(), true) - threw.begin();
    EXPECT_EQ(message, std::to_string(lowest));
    EXPECT_EQ(lowest, 5);  // tasks are begun in order
  }
}

TEST_P(ThreadPoolTest, WorksOnAfterAnException) {
  ThreadPool pool(GetParam());
  EXPECT_THROW(pool.run(10, [](std::int64_t, int) { throw 1; }), int);
  std::atomic<int> runs = 0;
  pool.run(10, [&](std::int64_t, int) { ++runs; });
  EXPECT_EQ(runs, 10);
}

TEST_P(ThreadPoolTest, ANestedRunIsInlineInOrderAndAsTheSameWorker) {
  ThreadPool pool(GetParam());
  std::vector<std::vector<std::int64_t>> order(20);
  std::atomic<bool> moved = false;
  pool.run(20, [&](std::int64_t i, int worker) {
    const auto thread = std::this_thread::get_id();
    pool.run(5, [&](std::int64_t j, int inner) {
      order[std::size_t(i)].push_back(j);
      if (inner != worker || std::this_thread::get_id() != thread) moved = true;
    });
  });
  for (const auto& o : order) EXPECT_EQ(o, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_FALSE(moved);
}

TEST_P(ThreadPoolTest, AnExceptionOfANestedRunReachesTheCaller) {
  ThreadPool pool(GetParam());
  EXPECT_THROW(pool.run(4, [&](std::int64_t, int) { pool.run(4, [](std::int64_t, int) { throw 2.0; }); }), double);
  EXPECT_EQ(pool.worker(), 0);
}

TEST_P(ThreadPoolTest, ScratchIsAlignedKeptAndNobodyElses) {
  ThreadPool pool(GetParam());
  std::set<void*> all;
  for (int worker = 0; worker < pool.size(); ++worker)
    for (int user = 0; user < 4; ++user) {
      void* p = pool.scratch(worker, 100, user);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % 64, 0u);
      std::memset(p, worker + 10 * user, 100);
      EXPECT_TRUE(all.insert(p).second);
      EXPECT_EQ(pool.scratch(worker, 50, user), p) << "less is there already";
    }
  for (int worker = 0; worker < pool.size(); ++worker)
    for (int user = 0; user < 4; ++user) {
      const auto* p = static_cast<unsigned char*>(pool.scratch(worker, 100, user));
      EXPECT_TRUE(std::all_of(p, p + 100, [&](unsigned char c) { return c == worker + 10 * user; }));
    }
  std::memset(pool.scratch(0, 1 << 20), 1, 1 << 20);
}

TEST_P(ThreadPoolTest, CallersFromSeveralThreadsWaitForEachOther) {
  ThreadPool pool(GetParam());
  std::atomic<int> inside = 0, runs = 0;
  std::atomic<bool> together = false;
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 20; ++repeat)
        pool.run(8, [&](std::int64_t, int) {
          if (++inside > pool.size()) together = true;
          ++runs;
          --inside;
        });
    });
  for (auto& c : callers) c.join();
  EXPECT_EQ(runs, 4 * 20 * 8);
  EXPECT_FALSE(together);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 8));

TEST(ThreadPool, TakesTheMachinesProcessorsByDefault) {
  EXPECT_EQ(ThreadPool(0).size(), std::max(1, int(std::thread::hardware_concurrency())));
}

TEST(ThreadPool, WithoutMemoryForItsThreadsThrowsAndLeavesNone) {
  int refused = 0;
  for (int left = 0; left < 20; ++left) {
    allocations_left = left;
    try {
      const ThreadPool pool(8);
    } catch (const std::bad_alloc&) {
      ++refused;
    }
    allocations_left = -1;
  }
  EXPECT_GE(refused, 8);  // at their list, and at every one of the seven
}

}  // namespace
}  // namespace cavi::kernels::cpu
