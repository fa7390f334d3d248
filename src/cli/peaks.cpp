// SPDX-License-Identifier: Apache-2.0
#include "src/cli/peaks.hpp"

// Left out: sets that add nothing here, and those whose vectors have no fixed size.
#define HWY_DISABLED_TARGETS (HWY_AVX3_DL | HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/cli/peaks.cpp"
#include <hwy/foreach_target.h>  // this file once per instruction set
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace cavi::cli::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Chains that start apart, or the compiler would find that they are one: twelve keep two units of latency four busy
/// and fit into the registers of every instruction set. Returns the number of operations; `sink` keeps the compiler
/// from leaving them out.
double multiply_add(std::int64_t rounds, float* sink) {
  constexpr int kChains = 12;
  const hn::ScalableTag<float> f;
  const auto a = hn::Set(f, sink[0]), b = hn::Set(f, sink[1]);
  hn::Vec<decltype(f)> sum[kChains];
  for (int j = 0; j < kChains; ++j) sum[j] = hn::Set(f, float(j));
  for (std::int64_t i = 0; i < rounds; ++i)
    for (int j = 0; j < kChains; ++j) sum[j] = hn::MulAdd(sum[j], a, b);
  for (int j = 1; j < kChains; ++j) sum[0] = hn::Add(sum[0], sum[j]);
  sink[2] = hn::GetLane(hn::SumOfLanes(f, sum[0]));
  return 2.0 * kChains * double(hn::Lanes(f)) * double(rounds);
}

/// Sum of `count` numbers, a multiple of 256, from an aligned address.
float read_all(const float* x, std::size_t count) {
  const hn::ScalableTag<float> f;
  const std::size_t lanes = hn::Lanes(f);
  auto s0 = hn::Zero(f), s1 = s0, s2 = s0, s3 = s0;
  for (std::size_t i = 0; i < count; i += 4 * lanes) {
    s0 = hn::Add(s0, hn::Load(f, x + i)), s1 = hn::Add(s1, hn::Load(f, x + i + lanes));
    s2 = hn::Add(s2, hn::Load(f, x + i + 2 * lanes)), s3 = hn::Add(s3, hn::Load(f, x + i + 3 * lanes));
  }
  return hn::GetLane(hn::SumOfLanes(f, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

}  // namespace cavi::cli::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "kernels/cpu/thread_pool.hpp"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <new>
#include <vector>

namespace cavi::cli {
namespace {

HWY_EXPORT(multiply_add);
HWY_EXPORT(read_all);

constexpr int kTries = 5;
constexpr std::int64_t kRounds = 2'000'000;             // some 10 ms
constexpr std::size_t kNumbers = std::size_t(1) << 26;  // 256 MiB, more than caches hold

/// Of one of the threads, which all do the same.
template <class Work>
double seconds_of(int threads, Work&& work) {
  const double begin = processor_seconds();
  work();
  return (processor_seconds() - begin) / threads;
}

}  // namespace

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

CpuMachine measure_peaks(int threads) {
  kernels::cpu::ThreadPool pool(threads);
  struct alignas(64) Result {
    std::array<float, 3> sink{0.5F, 0.25F, 0.0F};
    double operations = 0;
  };
  std::vector<Result> results{std::size_t(threads)};
  const auto numbers = hwy::AllocateAligned<float>(kNumbers);
  if (!numbers) throw std::bad_alloc();
  const std::int64_t pieces = std::int64_t(64) * threads;
  const std::size_t piece = kNumbers / std::size_t(pieces) / 256 * 256;
  const auto part = [&](std::int64_t i) { return numbers.get() + std::size_t(i) * piece; };
  pool.run(pieces, [&](std::int64_t i, int) { std::fill_n(part(i), piece, 1.0F); });

  CpuMachine peaks{threads, 0, 0};
  for (int t = 0; t < kTries; ++t) {
    const double computing = seconds_of(threads, [&] {
      pool.run(threads, [&](std::int64_t i, int) {
        Result& r = results[std::size_t(i)];
        r.operations = HWY_DYNAMIC_DISPATCH(multiply_add)(kRounds, r.sink.data());
      });
    });
    double operations = 0;
    for (const Result& r : results) operations += r.operations;
    peaks.flops = std::max(peaks.flops, operations / computing);
    const double reading = seconds_of(threads, [&] {
      pool.run(pieces, [&](std::int64_t i, int worker) {
        results[std::size_t(worker)].sink[2] += HWY_DYNAMIC_DISPATCH(read_all)(part(i), piece);
      });
    });
    peaks.bandwidth = std::max(peaks.bandwidth, double(pieces) * double(piece) * sizeof(float) / reading);
  }
  return peaks;
}

}  // namespace cavi::cli
#endif
