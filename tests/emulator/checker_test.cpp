// SPDX-License-Identifier: Apache-2.0
// In the checked build a wrong access is found under every schedule, and a right one under none.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <gtest/gtest.h>

namespace {

using emulator::Finding;
using programs::DeviceArray;
using programs::launch;

struct Arrays {
  float *in, *out;
  unsigned* counter;
};
using Kernel = void (*)(Arrays);

/// Launches with 64 threads under every schedule; out is fresh memory of 64 floats, in has been written.
std::vector<emulator::Report> reports_of(Kernel kernel, emulator::Schedule schedule, int blocks, std::size_t shared) {
  emulator::Options o;
  o.schedule = schedule;
  emulator::reset(o);
  const DeviceArray<float> in(std::vector<float>(64, 1.0f)), out(64);
  const DeviceArray<unsigned> counter(std::vector<unsigned>(4));
  EXPECT_EQ(launch(kernel, blocks, 64, shared, nullptr, Arrays{in.data(), out.data(), counter.data()}), cudaSuccess);
  static_cast<void>(cudaDeviceSynchronize());
  return emulator::reports();
}

void expect_finding(Finding finding, Kernel kernel, int blocks = 1, std::size_t shared = 0) {
  for (emulator::Schedule schedule : emulator::kSchedules) {
    const auto found = reports_of(kernel, schedule, blocks, shared);
    ASSERT_EQ(found.size(), 1u) << "schedule " << int(schedule);
    EXPECT_EQ(found[0].finding, finding) << found[0].text;
    EXPECT_NE(found[0].text.find("checker_test.cpp:"), std::string::npos) << found[0].text;
  }
  emulator::reset();
}

void expect_nothing(Kernel kernel, int blocks = 1, std::size_t shared = 0) {
  for (emulator::Schedule schedule : emulator::kSchedules) {
    const auto found = reports_of(kernel, schedule, blocks, shared);
    EXPECT_TRUE(found.empty()) << "schedule " << int(schedule) << ": " << found[0].text;
  }
  emulator::reset();
}

// ---- races inside a block

__global__ void missing_barrier(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  s[threadIdx.x] = a.in[threadIdx.x];
  a.out[threadIdx.x] = s[63 - threadIdx.x];
}
__global__ void missing_second_barrier(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  for (int i = 0; i < 2; ++i) {
    s[threadIdx.x] = a.in[threadIdx.x];
    __syncthreads();
    a.out[threadIdx.x] = s[63 - threadIdx.x];
  }
}
__global__ void both_barriers(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  for (int i = 0; i < 2; ++i) {
    s[threadIdx.x] = a.in[threadIdx.x];
    __syncthreads();
    a.out[threadIdx.x] = s[63 - threadIdx.x];
    __syncthreads();
  }
}
__global__ void shuffle_is_no_fence(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  s[threadIdx.x] = 1;
  const float other = __shfl_xor_sync(~0u, 1.0f, 1);
  a.out[threadIdx.x] = s[threadIdx.x ^ 1] + other;
}
__global__ void warp_barrier(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  s[threadIdx.x] = 1;
  __syncwarp();
  a.out[threadIdx.x] = s[threadIdx.x ^ 1];
}
__global__ void warp_barrier_of_others(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  s[threadIdx.x] = 0;
  __syncthreads();
  s[threadIdx.x] = 1;
  const unsigned half = threadIdx.x % 32 < 16 ? 0xffffu : 0xffff0000u;
  __syncwarp(half);
  a.out[threadIdx.x] = s[threadIdx.x ^ 16];
}
__global__ void warp_barriers_in_a_row(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  s[threadIdx.x] = 1;
  const unsigned lane = threadIdx.x % 32;
  if (lane < 2) __syncwarp(0x3u);                // 1 sees 0
  if (lane == 1 || lane == 2) __syncwarp(0x6u);  // 2 sees 1, and so 0
  a.out[threadIdx.x] = lane == 2 ? s[threadIdx.x - 2] : 0;
}
__global__ void same_element(Arrays a) { a.out[0] = threadIdx.x; }
__global__ void bytes_of_a_word(Arrays a) { reinterpret_cast<char*>(a.out)[threadIdx.x] = 1; }
__global__ void plain_and_atomic(Arrays a) {
  if (threadIdx.x == 0)
    a.counter[0] = 1;
  else
    atomicAdd(a.counter, 1u);
}
__global__ void copied_without_barrier(Arrays a) {
  CAVI_SHARED(float, s, [128]);
  if (threadIdx.x == 0) std::memcpy(s, a.in, 64 * sizeof(float));
  a.out[threadIdx.x] = s[threadIdx.x];
}

TEST(Races, InsideABlock) {
  expect_finding(Finding::data_race, missing_second_barrier);
  expect_finding(Finding::data_race, shuffle_is_no_fence);
  expect_finding(Finding::data_race, warp_barrier_of_others);
  expect_finding(Finding::data_race, same_element);
  expect_finding(Finding::data_race, plain_and_atomic);
  expect_nothing(both_barriers);
  expect_nothing(warp_barrier);
  expect_nothing(warp_barriers_in_a_row);
  expect_nothing(bytes_of_a_word);
}

TEST(Races, AReaderThatComesFirstSeesMemoryNobodyWrote) {
  for (Kernel kernel : {missing_barrier, copied_without_barrier}) {
    for (emulator::Schedule schedule : emulator::kSchedules) {
      const auto found = reports_of(kernel, schedule, 1, 0);
      ASSERT_EQ(found.size(), 1u);
      EXPECT_TRUE(found[0].finding == Finding::data_race || found[0].finding == Finding::uninitialised_read);
    }
  }
  emulator::reset();
}

// ---- between blocks

__global__ void blocks_race(Arrays a) {
  if (threadIdx.x == 0) a.in[0] += 1;
}
__global__ void blocks_apart(Arrays a) { a.out[blockIdx.x * 16 + threadIdx.x % 16] = threadIdx.x < 16; }
__global__ void blocks_apart_properly(Arrays a) {
  if (threadIdx.x < 16) a.out[blockIdx.x * 16 + threadIdx.x] = 1;
}

template <bool kFenceBefore, bool kFenceAfter, bool kAllThreads>
__global__ void ticket(Arrays a) {
  CAVI_SHARED(bool, last, [1]);
  if (kAllThreads) {
    a.out[blockIdx.x * 16 + threadIdx.x % 16 * (threadIdx.x < 16)] = 1;
  } else if (threadIdx.x < 16) {
    a.out[blockIdx.x * 16 + threadIdx.x] = 1;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    if (kFenceBefore) __threadfence();
    last[0] = atomicAdd(a.counter, 1u) == gridDim.x - 1;
    if (kFenceAfter) __threadfence();
  }
  __syncthreads();
  if (last[0] && threadIdx.x == 5) {
    float sum = 0;
    for (int i = 0; i < 64; ++i) sum += a.out[i];
    a.in[0] = sum;
  }
}
__global__ void ticket_with_a_fence_each(Arrays a) {
  CAVI_SHARED(bool, last, [1]);
  if (threadIdx.x < 16) a.out[blockIdx.x * 16 + threadIdx.x] = 1;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last[0] = atomicAdd(a.counter, 1u) == gridDim.x - 1;
  __syncthreads();
  __threadfence();
  if (threadIdx.x == 0) {
    __threadfence();
    if (last[0]) a.in[0] = a.out[63] + a.out[0];
  }
}

TEST(Races, BetweenBlocks) {
  expect_finding(Finding::data_race, blocks_race, 3);
  expect_finding(Finding::data_race, blocks_apart, 4);
  expect_nothing(blocks_apart_properly, 4);
}
TEST(Races, ATicketNeedsItsFences) {
  expect_nothing(ticket<true, true, false>, 4);
  expect_nothing(ticket_with_a_fence_each, 4);
  expect_finding(Finding::data_race, ticket<false, true, false>, 4);
  expect_finding(Finding::data_race, ticket<true, false, false>, 4);
  expect_finding(Finding::data_race, ticket<true, true, true>, 4);
}

// ---- memory

__global__ void shared_past_the_end(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  s[threadIdx.x + 1] = 1;
  __syncthreads();
  a.out[threadIdx.x] = s[threadIdx.x];
}
__global__ void dynamic_past_the_end(Arrays a) {
  CAVI_DYNAMIC_SHARED(float, s);
  s[threadIdx.x + 1] = 1;
  __syncthreads();
  a.out[threadIdx.x] = s[threadIdx.x];
}
__global__ void global_past_the_end(Arrays a) { a.out[threadIdx.x + 1] = 1; }
__global__ void global_far_away(Arrays a) { a.out[threadIdx.x] = a.in[(1 << 20) + threadIdx.x]; }
__global__ void misaligned(Arrays a) {
  *reinterpret_cast<double*>(a.out + 1 + 2 * (threadIdx.x % 8) + 16 * (threadIdx.x / 8) % 32) = 1;
}
__global__ void shared_not_written(Arrays a) {
  CAVI_SHARED(float, s, [64]);
  if (threadIdx.x != 5) s[threadIdx.x] = 1;
  __syncthreads();
  a.out[threadIdx.x] = s[threadIdx.x];
}
__global__ void global_not_written(Arrays a) { a.in[threadIdx.x] = a.out[threadIdx.x]; }
__global__ void half_a_double(Arrays a) {
  a.out[2] = 1;
  a.in[0] = static_cast<float>(*reinterpret_cast<double*>(a.out + 2));
}
__global__ void everything_in_order(Arrays a) {
  CAVI_DYNAMIC_SHARED(float, s);
  s[threadIdx.x] = a.in[threadIdx.x];
  __syncthreads();
  a.out[threadIdx.x] = s[63 - threadIdx.x];
}

TEST(Memory, OutOfBounds) {
  expect_finding(Finding::out_of_bounds, shared_past_the_end);
  expect_finding(Finding::out_of_bounds, dynamic_past_the_end, 1, 64 * sizeof(float));
  expect_finding(Finding::out_of_bounds, global_past_the_end);
  expect_finding(Finding::out_of_bounds, global_far_away);
  expect_finding(Finding::misaligned, misaligned);
  expect_nothing(everything_in_order, 1, 64 * sizeof(float));
}
TEST(Memory, NeverWritten) {
  expect_finding(Finding::uninitialised_read, shared_not_written);
  expect_finding(Finding::uninitialised_read, global_not_written);
  expect_finding(Finding::uninitialised_read, half_a_double);
}

TEST(Memory, CopiesCarryWhatWasWritten) {
  emulator::reset();
  const DeviceArray<float> half(64), whole(std::vector<float>(64, 1.0f)), out(64);
  const DeviceArray<unsigned> counter(1);
  programs::check(cudaMemset(half.data(), 0, 32 * sizeof(float)));
  programs::check(cudaMemcpy(whole.data(), half.data(), 64 * sizeof(float), cudaMemcpyDeviceToDevice));
  programs::check(cudaDeviceSynchronize());
  const Arrays arrays{out.data(), whole.data(), counter.data()};
  programs::check(launch(global_not_written, 1, 32, 0, nullptr, arrays));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess) << "the first half was written";
  programs::check(launch(global_not_written, 1, 33, 0, nullptr, arrays));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress) << "the second half was not";
  EXPECT_TRUE(emulator::reported(Finding::uninitialised_read));
  emulator::reset();
}

__global__ void through_a_struct(Arrays* a) { a->out[threadIdx.x] = 1; }

TEST(Memory, UseAfterFree) {
  emulator::reset();
  float* gone = nullptr;
  programs::check(cudaMalloc(&gone, 64 * sizeof(float)));
  programs::check(cudaFree(gone));
  const DeviceArray<Arrays> hidden(std::vector<Arrays>{{gone, gone, nullptr}});
  programs::check(launch(through_a_struct, 1, 1, 0, nullptr, hidden.data()));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_TRUE(emulator::reported(Finding::use_after_free));
  emulator::reset();
}

// ---- kernels, copies and the host

TEST(Order, KernelsOfDifferentStreams) {
  for (int seed = 0; seed < 16; ++seed) {
    emulator::reset(emulator::options_for(seed));
    const DeviceArray<float> in(std::vector<float>(64, 1.0f)), middle(64), out(64);
    {
      const programs::Stream first, second;
      const programs::Quiesce quiesce;
      programs::check(launch(programs::scale, 1, 64, 0, first.handle, in.data(), middle.data(), 64, 2.0f));
      const cudaError_t error = launch(programs::scale, 1, 64, 0, second.handle, in.data(), middle.data(), 64, 3.0f);
      EXPECT_TRUE(error == cudaSuccess || error == cudaErrorIllegalAddress);
    }
    ASSERT_EQ(emulator::reports().size(), 1u) << "seed " << seed;
    EXPECT_EQ(emulator::reports()[0].finding, Finding::unordered_access);
  }
  emulator::reset();
}

TEST(Order, HostReadsPinnedMemoryTooEarly) {
  for (int seed = 0; seed < 16; ++seed) {
    emulator::reset(emulator::options_for(seed));
    const DeviceArray<float> device(std::vector<float>(4, 1.0f));
    const programs::PinnedArray<float> pinned(4);
    const programs::Stream stream;
    programs::check(cudaMemcpyAsync(pinned.data(), device.data(), 16, cudaMemcpyDeviceToHost, stream.handle));
    const float early = pinned.data()[3];
    programs::check(cudaStreamSynchronize(stream.handle));
    EXPECT_TRUE(early == 1 || std::isnan(early));
    ASSERT_EQ(emulator::reports().size(), 1u) << "seed " << seed;
    EXPECT_EQ(emulator::reports()[0].finding, Finding::unordered_access);
  }
  emulator::reset();
}

// ---- traffic

template <int kStride>
__global__ void strided(const float* in, float* out) {
  out[threadIdx.x] = in[threadIdx.x * kStride];
}
template <int kStride>
__global__ void strided_shared(float* out) {
  CAVI_SHARED(float, s, [32 * 32]);
  s[threadIdx.x * kStride] = 1;
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x * kStride];
}
__global__ void wide_shared(double* out) {
  CAVI_SHARED(double, s, [32]);
  s[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}

struct alignas(16) Wide {
  float v[12];
};
__global__ void copied_shared(float* out) {
  CAVI_SHARED(Wide, s, [1]);
  if (threadIdx.x < 12) s[0].v[threadIdx.x] = 1;
  __syncthreads();
  const Wide all = s[0];
  out[threadIdx.x] = all.v[threadIdx.x % 12];
}

template <class... P, class... A>
emulator::Traffic traffic_of(void (*kernel)(P...), int threads, A... arguments) {
  emulator::clear_traffic();
  programs::check(launch(kernel, 1, threads, 0, nullptr, arguments...));
  programs::check(cudaDeviceSynchronize());
  EXPECT_EQ(emulator::traffic().size(), 1u);
  return emulator::traffic().begin()->second;
}

TEST(Traffic, SectorsAndBankConflicts) {
  emulator::Options o;
  o.count_traffic = true;
  emulator::reset(o);
  {
    const DeviceArray<float> in(std::vector<float>(64 * 8)), out(64);
    const DeviceArray<double> wide(32);
    const emulator::Traffic dense = traffic_of(strided<1>, 64, in.data(), out.data());
    EXPECT_EQ(dense.requests, 4u) << "two warps load and store";
    EXPECT_EQ(dense.sectors, 4u * 4u);
    EXPECT_EQ(dense.loaded_bytes, 64 * sizeof(float));
    EXPECT_EQ(dense.stored_bytes, 64 * sizeof(float));
    EXPECT_EQ(emulator::traffic().begin()->first.rfind("(anonymous namespace)::strided<1>", 0), 0u);
    const emulator::Traffic sparse = traffic_of(strided<8>, 64, in.data(), out.data());
    EXPECT_EQ(sparse.sectors, 2u * 32u + 2u * 4u) << "a sector for every float";
    EXPECT_EQ(sparse.distinct_bytes, 2u * 64u * sizeof(float));
    EXPECT_EQ(traffic_of(strided<0>, 64, in.data(), out.data()).distinct_bytes,
              2u * sizeof(float) + 64u * sizeof(float))
        << "a warp asks for the same float";
    const emulator::Traffic partial = traffic_of(strided<1>, 40, in.data(), out.data());
    EXPECT_EQ(partial.sectors, 2u * (4u + 1u));

    EXPECT_EQ(traffic_of(strided_shared<1>, 32, out.data()).bank_conflicts, 0u);
    EXPECT_EQ(traffic_of(strided_shared<2>, 32, out.data()).bank_conflicts, 2u) << "two ways, store and load";
    EXPECT_EQ(traffic_of(strided_shared<32>, 32, out.data()).bank_conflicts, 2u * 31u);
    EXPECT_EQ(traffic_of(strided_shared<1>, 32, out.data()).shared_requests, 2u);
    EXPECT_EQ(traffic_of(wide_shared, 32, wide.data()).bank_conflicts, 0u) << "two half warps, each without conflict";
    const emulator::Traffic copied = traffic_of(copied_shared, 32, out.data());
    EXPECT_EQ(copied.bank_conflicts, 0u) << "all lanes copy the same";
    EXPECT_EQ(copied.shared_requests, 1u + 3u) << "16 bytes at a time";

    emulator::clear_traffic(out.data(), 32 * sizeof(float));
    programs::check(launch(strided<1>, 1, 64, 0, nullptr, in.data(), out.data()));
    programs::check(cudaDeviceSynchronize());
    const emulator::Traffic half = emulator::traffic().begin()->second;
    EXPECT_EQ(half.requests, 1u) << "the other warp stores elsewhere, and loads do not count";
    EXPECT_EQ(half.stored_bytes, 32 * sizeof(float));
    EXPECT_EQ(half.loaded_bytes, 0u);
  }
  EXPECT_EQ(emulator::verdict(), "");
}

}  // namespace
