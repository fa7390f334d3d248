// SPDX-License-Identifier: Apache-2.0
// Rows scored on the emulated device: as the host scores them, with the same bits however they are cut, scheduled or
// come by, and failures that surface as one error and leave nothing behind.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"
#include "src/mixture_scores.hpp"
#include "tests/cuda/adversity.hpp"
#include "tests/fits.hpp"

#include <cavi/cavi.hpp>
#include <cavi/device_matrix.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace {

using namespace cavi;
using namespace cavi::test;
using kernels::MixtureScores;
using kernels::Predictor;
using kernels::Question;
using About = Question::About;
using programs::DeviceArray;

constexpr std::int64_t kTile = 128;

/// Components that overlap, from labels.
MixturePosterior posterior(const Kind& kind, int features, int components) {
  MixtureOptions o = test::options(kind, WeightPrior::dirichlet_process, Scalar::float64);
  o.n_components = components;
  o.max_iter = 0;
  Mixture m(o, Device::cpu(1));
  m.fit(three_clouds(kind, 200, features, 1), {}, cavi::testing::labels(200, std::min(components, 3)));
  return m.posterior();
}

struct Answers {
  std::vector<std::int32_t> labels;
  std::vector<double> numbers;
  int waves = 0;
  bool operator==(const Answers& other) const { return labels == other.labels && numbers == other.numbers; }
};

MixtureScores scores_for(const MixturePosterior& p, const Question& question) {
  return question.about == About::log_density ? predictive_scores(p) : responsibility_scores(p);
}

Answers ask(Predictor& predictor, const MixtureScores& scores, const Question& question, const Matrix& x) {
  Answers all;
  for (std::int64_t first = 0; first < x.rows(); first += predictor.wave(), ++all.waves) {
    const kernels::Rows rows{x.source().get(), first, std::min(predictor.wave(), x.rows() - first), nullptr};
    all.labels.resize(std::size_t((first + rows.count) * question.labels()));
    all.numbers.resize(std::size_t((first + rows.count) * question.numbers(scores.components)));
    predictor.predict(rows, all.labels.data() + first * question.labels(),
                      all.numbers.data() + first * question.numbers(scores.components));
  }
  return all;
}

Answers on_host(const MixturePosterior& p, const Question& question, const Matrix& x) {
  const MixtureScores scores = scores_for(p, question);
  return ask(*kernels::make_cpu_predictor(scores, question, x.rows(), 1), scores, question, x);
}

Answers on_device(const MixturePosterior& p, const Question& question, const Matrix& x, std::int64_t memory = 0) {
  const MixtureScores scores = scores_for(p, question);
  return ask(*kernels::make_cuda_predictor(scores, question, x.rows(), 0, memory), scores, question, x);
}

std::vector<Question> questions(int components) {
  return {{About::label}, {About::responsibilities}, {About::top, (components + 1) / 2}, {About::log_density}};
}

class EveryKind : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind, ::testing::ValuesIn(every_kind()),
                         [](const auto& kind) { return name_of(kind.param); });

TEST_P(EveryKind, ScoresAsTheHostDoes) {
  struct Shape {
    int rows, features, components;
  };
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{127, 2, 3}, Shape{128, 1, 6}, Shape{129, 5, 4}, Shape{300, 4, 2},
                             Shape{9, 33, 3}, Shape{3, 130, 2}}) {
    const MixturePosterior p = posterior(GetParam(), shape.features, shape.components);
    const Matrix x = three_clouds(GetParam(), shape.rows, shape.features, 2);
    for (const Question& question : questions(shape.components)) {
      const Answers host = on_host(p, question, x), device = on_device(p, question, x);
      EXPECT_EQ(device.labels, host.labels);
      ASSERT_EQ(device.numbers.size(), host.numbers.size());
      for (std::size_t i = 0; i < host.numbers.size(); ++i)
        ASSERT_NEAR(device.numbers[i], host.numbers[i], 1e-10 * std::max(1.0, std::abs(host.numbers[i])))
            << shape.rows << " rows, " << shape.features << " features, about " << int(question.about) << ", " << i;
    }
  }
}

TEST_P(EveryKind, TheBitsAreTheSameUnderEverySchedule) {
  const MixturePosterior p = posterior(GetParam(), 3, 3);
  const Matrix x = three_clouds(GetParam(), 300, 3, 3);
  for (const Question& question : questions(3)) {
    const Answers expected = on_device(p, question, x);
    for (std::uint32_t seed = 0; seed < 16; ++seed) {
      emulator::reset(emulator::options_for(seed));
      EXPECT_EQ(on_device(p, question, x), expected) << seed;
      ASSERT_EQ(emulator::verdict(), "") << seed;
    }
  }
}

TEST_P(EveryKind, WavesGiveTheBitsOfAllRowsTogether) {
  const MixturePosterior p = posterior(GetParam(), 3, 3);
  const Matrix x = three_clouds(GetParam(), 1100, 3, 4);
  for (const Question& question : questions(3)) {
    const Answers expected = on_device(p, question, x);
    EXPECT_EQ(expected.waves, 1);
    expect_waves_or_refusals(8 << 10, 256 << 10, [&](std::int64_t memory) {
      const Answers waves = on_device(p, question, x, memory);
      EXPECT_EQ(waves, expected) << memory;
      return waves.waves;
    });
  }
}

TEST_P(EveryKind, TheMemoryIsAWaveAndTheParameters) {
  const int features = 3, components = 40;
  const std::int64_t memory = 512 << 10;
  const MixturePosterior p = posterior(GetParam(), features, components);
  emulator::Options small;
  small.device_bytes = memory + (64 << 10);  // allocations are rounded up
  emulator::reset(small);
  const Matrix x = three_clouds(GetParam(), 4000, features, 5);
  for (const Question& question : questions(components))
    EXPECT_EQ(on_device(p, question, x, memory), on_device(p, question, x)) << int(question.about);
}

TEST(Predictor, RowsOnTheDeviceAndFloat32RowsGiveTheSameBits) {
  const int rows = 300, features = 3, stride = 5;
  const MixturePosterior p = posterior({}, features, 3);
  const std::vector<double> wide = three_clouds(rows, features, 6).to_vector();
  const std::vector<float> narrow(wide.begin(), wide.end());
  const std::vector<double> x(narrow.begin(), narrow.end());
  std::vector<float> spread(std::size_t(rows * stride), -1e9f);
  for (int n = 0; n < rows; ++n)
    std::copy_n(&narrow[std::size_t(n * features)], features, &spread[std::size_t(n * stride)]);
  const DeviceArray<double> packed(x);
  const DeviceArray<float> strided(spread);
  for (const Question& question : questions(3)) {
    const Answers expected = on_device(p, question, Matrix(x, rows, features));
    EXPECT_EQ(on_device(p, question, Matrix(narrow, rows, features)), expected);
    EXPECT_EQ(on_device(p, question, device_view(packed.data(), rows, features)), expected);
    EXPECT_EQ(on_device(p, question, device_view(strided.data(), rows, features, stride)), expected);
  }
}

TEST(Predictor, WaitsForTheCallersStream) {
  const int rows = 300, features = 3;
  const MixturePosterior p = posterior({}, features, 3);
  expect_to_wait_for_the_callers_stream(three_clouds(rows, features, 7).to_vector(), rows, features,
                                        [&](const Matrix& x) { return on_device(p, {About::responsibilities}, x); });
}

// A mixture on the device, as its users see it.
Mixture fitted_there(int features = 2) {
  MixtureOptions o = test::options(Kind{}, WeightPrior::dirichlet, Scalar::float64);
  o.n_components = 3;
  o.max_iter = 1;
  Mixture m(o, Device::cuda(0));
  m.fit(three_clouds(100, features, 8), {}, cavi::testing::labels(100, 3));
  return m;
}

TEST(Predictor, EveryFailureIsOneDeviceErrorAndTheNextPredictionWorks) {
  const Mixture m = fitted_there();
  const Matrix x = three_clouds(300, 2, 9);
  const std::vector<double> expected = m.predict_proba(x);
  using enum emulator::Call;
  expect_to_survive_failing_calls(
      {{allocation, 9}, {copy, 5}, {fill, 1}, {launch, 5}, {stream, 2}, {event, 10}, {wait, 3}, {device, 3}},
      [&] { EXPECT_EQ(m.predict_proba(x), expected); });
}

TEST(Predictor, AFailingDeviceIsADeviceErrorWhereverItHappens) {
  const Mixture m = fitted_there();
  const Matrix x = three_clouds(300, 2, 10);
  const std::vector<double> expected = m.score_samples(x);
  int failures = 0;
  for (int operation = 1; operation < 12; ++operation) {
    emulator::Options failing;
    failing.failing_operation = operation;
    emulator::reset(failing);
    try {
      EXPECT_EQ(m.score_samples(x), expected);
    } catch (const DeviceError&) {
      ++failures;
    }
    emulator::reset();
    EXPECT_EQ(m.score_samples(x), expected);
  }
  EXPECT_GT(failures, 3);
}

TEST(Predictor, ThreadsPredictAtOnce) {
  const Mixture m = fitted_there();
  const Matrix x = three_clouds(500, 2, 11);
  const std::vector<double> density = m.score_samples(x), r = m.predict_proba(x);
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (std::size_t t = 0; t < right.size(); ++t)
    threads.emplace_back([&, t] { right[t] = m.score_samples(x) == density && m.predict_proba(x) == r; });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(right, std::vector<int>(4, 1));
}

TEST(Predictor, ASinkThatThrowsLeavesNothingBehind) {
  const Mixture m = fitted_there();
  struct Full {};
  EXPECT_THROW(m.predict_proba(three_clouds(300, 2, 12), [](std::span<const double>) { throw Full(); }), Full);
  EXPECT_EQ(emulator::leaks(), std::vector<std::string>{});
}

TEST(Predictor, NamesTheFirstRowThatIsTooFarInAnyWave) {
  const int rows = 1000, features = 2;
  const MixturePosterior p = posterior({}, features, 3);
  std::vector<double> values = three_clouds(rows, features, 13).to_vector();
  for (const int row : {999, 777, 801}) values[std::size_t(row * features)] = 1e200;
  for (const std::int64_t memory : {0, 32 << 10}) try {
      on_device(p, {About::label}, Matrix(values, rows, features), memory);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const NumericalError& e) {
      EXPECT_STREQ(e.what(), "row 777 (from 0) is too far from every component to be told apart");
    }
}

}  // namespace
