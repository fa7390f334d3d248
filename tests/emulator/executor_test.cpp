// SPDX-License-Identifier: Apache-2.0
// Collectives follow their definition under every schedule; broken synchronisation is named.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace {

using emulator::Finding;
using programs::DeviceArray;
using programs::launch;

void use_schedule(emulator::Schedule schedule, unsigned seed = 1) {
  emulator::Options o;
  o.schedule = schedule;
  o.seed = seed;
  emulator::reset(o);
}

// ---- collectives

constexpr int kResults = 12;
__global__ void collectives(int* out) {
  const int lane = threadIdx.x % 32, value = 100 * (threadIdx.x / 32) + lane;
  const unsigned odd = 0xaaaaaaaau, mine = lane % 2 ? odd : ~odd;
  int* row = out + threadIdx.x * kResults;
  row[0] = __shfl_sync(~0u, value, 7);
  row[1] = __shfl_up_sync(~0u, value, 3);
  row[2] = __shfl_down_sync(~0u, value, 3);
  row[3] = __shfl_xor_sync(~0u, value, 5);
  row[4] = __shfl_sync(~0u, value, 1, 8);
  row[5] = __shfl_down_sync(~0u, value, 2, 8);
  row[6] = static_cast<int>(__ballot_sync(~0u, lane % 3 == 0));
  row[7] = __any_sync(~0u, lane == 31) + 2 * __all_sync(~0u, lane < 31);
  // Halves of a warp that take turns: neither may disturb what the other exchanged.
  if (lane % 2)
    for (int i = 0; i < 3; ++i) row[8] = __shfl_sync(odd, value + i, 1);
  else
    row[8] = __shfl_sync(~odd, value, 0);
  row[9] = __reduce_add_sync(mine, value);
  row[10] = __reduce_max_sync(~0u, value);
  row[11] = __syncthreads_count(lane < 2) + 1000 * __syncthreads_or(threadIdx.x == 40) + 2000 * __syncthreads_and(1);
}

TEST(Executor, CollectivesFollowTheirDefinition) {
  for (emulator::Schedule schedule : emulator::kSchedules) {
    use_schedule(schedule);
    const int threads = 64;
    const DeviceArray<int> out(threads * kResults);
    ASSERT_EQ(launch(collectives, 1, threads, 0, nullptr, out.data()), cudaSuccess);
    const std::vector<int> got = out.get();
    for (int t = 0; t < threads; ++t) {
      const int lane = t % 32, warp = 100 * (t / 32), own = warp + lane;
      const int odd_sum = 16 * warp + (lane % 2 ? 256 : 240);
      const std::vector<int> expected = {warp + 7,
                                         lane >= 3 ? own - 3 : own,
                                         lane + 3 < 32 ? own + 3 : own,
                                         warp + (lane ^ 5),
                                         warp + lane / 8 * 8 + 1,
                                         lane % 8 + 2 < 8 ? own + 2 : own,
                                         0x49249249,
                                         1,
                                         lane % 2 ? warp + 3 : warp,
                                         odd_sum,
                                         warp + 31,
                                         4 + 1000 + 2000};
      EXPECT_EQ(std::vector<int>(got.begin() + t * kResults, got.begin() + (t + 1) * kResults), expected)
          << "thread " << t;
    }
    EXPECT_EQ(emulator::reports().size(), 0u);
  }
}

__global__ void partial_warp(float* out) { out[threadIdx.x] = __shfl_xor_sync(~0u, float(threadIdx.x), 4); }

TEST(Executor, LanesBeyondTheBlockAreNotWaitedForAndGiveNothing) {
  use_schedule(emulator::Schedule::forward);
  const DeviceArray<float> out(6);
  ASSERT_EQ(launch(partial_warp, 1, 6, 0, nullptr, out.data()), cudaSuccess);
  const std::vector<float> got = out.get();
  EXPECT_EQ(got[0], 4);
  EXPECT_EQ(got[5], 1);
  EXPECT_TRUE(std::isnan(got[2]) && std::isnan(got[3])) << "lanes 6 and 7 do not exist";
}

__global__ void atomics(unsigned* out, float* sum) {
  atomicAdd(&out[0], threadIdx.x);
  atomicMax(&out[1], threadIdx.x);
  atomicMin(&out[2], threadIdx.x);
  atomicInc(&out[3], 9u);
  atomicExch(&out[4], 5u);
  unsigned old = 0, seen;
  while ((seen = atomicCAS(&out[5], old, old + 2)) != old) old = seen;
  atomicAdd(sum, 0.5f);
}

TEST(Executor, Atomics) {
  for (emulator::Schedule schedule : emulator::kSchedules) {
    use_schedule(schedule);
    const DeviceArray<unsigned> out(std::vector<unsigned>{0, 0, 1000, 0, 0, 0});
    const DeviceArray<float> sum(std::vector<float>{0});
    ASSERT_EQ(launch(atomics, 3, 33, 0, nullptr, out.data(), sum.data()), cudaSuccess);
    EXPECT_EQ(out.get(), (std::vector<unsigned>{3 * 33 * 16, 32, 0, 9, 5, 2 * 99}));
    EXPECT_EQ(sum.get()[0], 49.5f);
    EXPECT_EQ(emulator::reports().size(), 0u);
  }
}

struct Wide {
  double matrix[12];
  char tag;
};
__global__ void indices(int* out, Wide by_value) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  by_value.matrix[11] += 1;  // each thread has its own parameters
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = static_cast<int>(by_value.matrix[11]) + by_value.tag;
}

TEST(Executor, EveryThreadRunsOnceWithItsOwnParameters) {
  for (emulator::Schedule schedule : emulator::kSchedules) {
    use_schedule(schedule);
    const DeviceArray<int> out(2 * 3 * 2 * 4 * 5 * 3);
    ASSERT_EQ(launch(indices, dim3(2, 3, 2), dim3(4, 5, 3), 0, nullptr, out.data(),
                     Wide{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, 2}),
              cudaSuccess);
    EXPECT_EQ(out.get(), std::vector<int>(2 * 3 * 2 * 4 * 5 * 3, 10));
  }
}

__global__ void arrival(int* next, int* order) { order[atomicAdd(next, 1)] = blockIdx.x * blockDim.x + threadIdx.x; }

std::vector<int> arrival_order(emulator::Schedule schedule, unsigned seed) {
  use_schedule(schedule, seed);
  const DeviceArray<int> next(std::vector<int>{0}), order(4 * 8);
  EXPECT_EQ(launch(arrival, 4, 8, 0, nullptr, next.data(), order.data()), cudaSuccess);
  return order.get();
}

TEST(Executor, SchedulesDifferAndSeedsRepeat) {
  std::vector<int> forward(32);
  std::iota(forward.begin(), forward.end(), 0);
  EXPECT_EQ(arrival_order(emulator::Schedule::forward, 1), forward);
  EXPECT_EQ(arrival_order(emulator::Schedule::reverse, 1), std::vector<int>(forward.rbegin(), forward.rend()));
  const std::vector<int> random = arrival_order(emulator::Schedule::random, 1);
  EXPECT_EQ(arrival_order(emulator::Schedule::random, 1), random);
  EXPECT_NE(arrival_order(emulator::Schedule::random, 2), random);
  const std::vector<int> interleaved = arrival_order(emulator::Schedule::interleaved, 1);
  EXPECT_EQ(std::vector<int>(interleaved.begin(), interleaved.begin() + 4), (std::vector<int>{0, 8, 16, 24}));
}

// ---- mistakes

__global__ void divergent_barrier(float*) {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
}
__global__ void some_leave_before_barrier(float*) {
  if (threadIdx.x == 40) return;
  __syncthreads();
}
__global__ void caller_not_in_mask(float* out) { out[threadIdx.x] = __shfl_sync(0xffffu, 1.0f, 0); }
__global__ void lanes_disagree(float* out) {
  out[threadIdx.x] = __shfl_sync(threadIdx.x % 32 == 3 ? 0x8u : 0xffffffffu, 1.0f, 3);
  if (threadIdx.x % 32 == 3) __syncwarp(0x9u);
}
__global__ void different_collectives(float* out) {
  if (threadIdx.x % 2)
    out[threadIdx.x] = __shfl_sync(~0u, 1.0f, 0);
  else
    __syncwarp();
}
__global__ void mask_names_exited_lane(float* out) {
  if (threadIdx.x == 40) return;
  out[threadIdx.x] = __shfl_down_sync(~0u, 1.0f, 1);
}
__global__ void barrier_against_warp(float*) {
  if (threadIdx.x == 3)
    __syncthreads();
  else if (threadIdx.x < 32)
    __syncwarp();
}
__global__ void wild_pointer(float*) { *reinterpret_cast<volatile float*>(std::uintptr_t{16} + blockIdx.x) = 1; }
__global__ void deep_recursion(float* out) {
  volatile char frame[1 << 20];
  for (int i = (1 << 20) - 1; i >= 0; i -= 1024) frame[i] = 1;
  out[0] = frame[0];
}

using Kernel = void (*)(float*);
Finding only_finding(Kernel kernel, const std::string& mentions, cudaError_t expected = cudaErrorIllegalAddress) {
  Finding finding{};
  for (emulator::Schedule schedule : emulator::kSchedules) {
    use_schedule(schedule);
    const DeviceArray<float> out(64);
    EXPECT_EQ(launch(kernel, 1, 64, 0, nullptr, out.data()), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), expected);
    EXPECT_EQ(emulator::reports().size(), 1u);
    if (emulator::reports().empty()) continue;
    finding = emulator::reports()[0].finding;
    EXPECT_NE(emulator::reports()[0].text.find(mentions), std::string::npos) << emulator::reports()[0].text;
    EXPECT_NE(emulator::reports()[0].text.find("block (0,0,0) thread ("), std::string::npos)
        << emulator::reports()[0].text;
  }
  emulator::reset();
  return finding;
}

TEST(Mistakes, BarriersThatNotEveryoneReaches) {
  EXPECT_EQ(only_finding(divergent_barrier, "divergent_barrier"), Finding::divergent_barrier);
  EXPECT_EQ(only_finding(some_leave_before_barrier, "1 threads have left"), Finding::divergent_barrier);
}
TEST(Mistakes, MasksThatDoNotFit) {
  EXPECT_EQ(only_finding(caller_not_in_mask, "not in its mask"), Finding::wrong_mask);
  EXPECT_EQ(only_finding(lanes_disagree, "masks"), Finding::wrong_mask);
  EXPECT_EQ(only_finding(different_collectives, "__syncwarp"), Finding::wrong_mask);
  EXPECT_EQ(only_finding(mask_names_exited_lane, "left the kernel"), Finding::exited_lane);
}
TEST(Mistakes, Standstill) { EXPECT_EQ(only_finding(barrier_against_warp, "__syncthreads"), Finding::deadlock); }
TEST(Mistakes, Faults) {
  EXPECT_EQ(only_finding(wild_pointer, "access to"), Finding::illegal_address);
  EXPECT_EQ(only_finding(deep_recursion, "overflowed"), Finding::illegal_address);
}

// ---- sites

__global__ void pass_on(float* out) {
  CAVI_SHARED(float, values, [64]);
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = values[63 - threadIdx.x];
}

TEST(Sites, SwitchedOffBarrierChangesTheResult) {
  const auto run = [] {
    use_schedule(emulator::Schedule::forward);
    const DeviceArray<float> out(64);
    EXPECT_EQ(launch(pass_on, 1, 64, 0, nullptr, out.data()), cudaSuccess);
    std::vector<float> got(64);
    if (cudaMemcpy(got.data(), out.data(), 64 * sizeof(float), cudaMemcpyDeviceToHost) != cudaSuccess) got.clear();
    return got;
  };
  emulator::disable_sites({});
  const std::vector<float> right = run();
  ASSERT_EQ(right.size(), 64u);
  EXPECT_EQ(right[0], 63);
  std::vector<std::string> sites = emulator::seen_sites();
  std::erase_if(sites, [](const std::string& id) { return id.rfind("executor_test.cpp:", 0) != 0; });
  ASSERT_EQ(sites.size(), 1u);

  emulator::disable_sites(sites);
  EXPECT_NE(run(), right);
  emulator::disable_sites({});
  EXPECT_EQ(run(), right);
}

}  // namespace
