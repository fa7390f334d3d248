// SPDX-License-Identifier: Apache-2.0
// Rows drawn on the emulated device, whose logarithms and sines are the host's: the host's rows to the last bit,
// however they are cut and scheduled, and failures that surface as one error and leave nothing behind.
#include "kernels/mixture_draws.hpp"

#include "emulator/control.hpp"
#include "emulator/memory.hpp"
#include "src/mixture_scores.hpp"
#include "tests/cuda/adversity.hpp"
#include "tests/fits.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace cavi;
using namespace cavi::test;
using kernels::MixtureDraws;
using kernels::Sampler;

constexpr std::uint64_t kSeed = 0x123456789abcdef0;

/// Few rows: degrees of freedom stay small, so that variates of small shapes are drawn, too.
Mixture small_fit(const Kind& kind, int features, int components, Device device = Device::cpu(1)) {
  MixtureOptions o = test::options(kind, WeightPrior::dirichlet_process, Scalar::float64);
  o.n_components = components;
  o.max_iter = 1;
  Mixture m(o, std::move(device));
  m.fit(three_clouds(kind, 12, features, 1), {}, cavi::testing::labels(12, std::min(components, 2)));
  return m;
}

struct Rows {
  std::vector<std::int32_t> labels;
  std::vector<double> values;
  int waves = 0;
  bool operator==(const Rows& other) const { return labels == other.labels && values == other.values; }
};

Rows draw(Sampler& sampler, int features, std::int64_t rows) {
  Rows all{std::vector<std::int32_t>(std::size_t(rows)), std::vector<double>(std::size_t(rows * features))};
  for (std::int64_t first = 0; first < rows; first += sampler.wave(), ++all.waves)
    sampler.sample(kSeed, first, std::min(sampler.wave(), rows - first), &all.labels[std::size_t(first)],
                   &all.values[std::size_t(first * features)]);
  return all;
}

Rows on_host(const MixtureDraws& m, std::int64_t rows) {
  return draw(*kernels::make_cpu_sampler(m, rows, 1), m.features, rows);
}

Rows on_device(const MixtureDraws& m, std::int64_t rows, std::int64_t memory = 0) {
  return draw(*kernels::make_cuda_sampler(m, rows, 0, memory), m.features, rows);
}

class EveryKind : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind, ::testing::ValuesIn(every_kind()),
                         [](const auto& kind) { return name_of(kind.param); });

TEST_P(EveryKind, DrawsTheRowsOfTheHost) {
  struct Shape {
    int rows, features, components;
  };
  for (const Shape& shape :
       {Shape{1, 1, 1}, Shape{127, 2, 3}, Shape{128, 1, 6}, Shape{129, 5, 4}, Shape{300, 3, 64}, Shape{9, 33, 3}}) {
    const MixtureDraws m = predictive_draws(small_fit(GetParam(), shape.features, shape.components).posterior());
    EXPECT_EQ(on_device(m, shape.rows), on_host(m, shape.rows))
        << shape.rows << " rows, " << shape.features << " features, " << shape.components << " components";
  }
}

TEST_P(EveryKind, TheBitsAreTheSameUnderEveryScheduleAndInWaves) {
  const MixtureDraws m = predictive_draws(small_fit(GetParam(), 3, 3).posterior());
  const Rows expected = on_host(m, 700);
  expect_waves_or_refusals(128, 64 << 10, [&](std::int64_t memory) {
    const Rows rows = on_device(m, 700, memory);
    EXPECT_EQ(rows, expected) << memory;
    return rows.waves;
  });
}

TEST(Sampler, TheMemoryIsAWaveAndTheParameters) {
  const std::int64_t memory = 64 << 10;
  const MixtureDraws m = predictive_draws(small_fit({}, 3, 20).posterior());
  const Rows expected = on_host(m, 20'000);
  emulator::reset();
  EXPECT_EQ(on_device(m, 20'000, memory), expected);
  EXPECT_LE(emulator::device_bytes_peak(), std::size_t(memory));
  EXPECT_GT(emulator::device_bytes_peak(), std::size_t(memory / 2));
  emulator::Options small;
  small.device_bytes = memory;
  emulator::reset(small);
  EXPECT_EQ(on_device(m, 20'000), expected);
}

TEST(Sampler, EveryFailureIsOneDeviceErrorAndTheNextRowsAreRight) {
  const Mixture m = small_fit({}, 2, 3, Device::cuda(0));
  const std::vector<double> expected = m.sample(300).rows;
  using enum emulator::Call;
  expect_to_survive_failing_calls({{allocation, 3}, {copy, 2}, {launch, 1}, {stream, 1}, {wait, 2}, {device, 3}},
                                  [&] { EXPECT_EQ(m.sample(300).rows, expected); });
}

TEST(Sampler, ASinkThatThrowsLeavesNothingBehind) {
  const Mixture m = small_fit({}, 2, 3, Device::cuda(0));
  struct Full {};
  EXPECT_THROW(m.sample(300, 1, [](auto, auto) { throw Full(); }), Full);
  EXPECT_EQ(emulator::leaks(), std::vector<std::string>{});
}

}  // namespace
