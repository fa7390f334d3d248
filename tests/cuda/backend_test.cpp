// SPDX-License-Identifier: Apache-2.0
// The CUDA backend as a whole on the emulated device: the same bits however it is scheduled, streamed or batched, and
// failures that surface as one DeviceError and leave nothing behind.
#include "emulator/control.hpp"
#include "tests/cuda/adversity.hpp"
#include "tests/models.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace cavi;
using cavi::testing::clusters;

struct Fit {
  Summary summary;
  MixturePosterior q;
};

Fit fit(const MixtureOptions& o, const Matrix& x, const Device& device = Device::cuda(0),
        const std::vector<double>& weight = {}) {
  Mixture m(o, device);
  Fit f{m.fit(x, weight), {}};
  f.q = m.posterior();
  return f;
}

MixtureOptions options(Scalar precision, CovarianceType type = CovarianceType::full) {
  MixtureOptions o;
  o.n_components = 3;
  o.covariance_type = type;
  o.precision = precision;
  o.max_iter = 3;
  o.tol = 0;
  o.init_params = Init::random_from_data;
  return o;
}

// float32: one block per problem does everything; float64: launches and a graph.
class EveryPrecision : public ::testing::TestWithParam<Scalar> {};
INSTANTIATE_TEST_SUITE_P(Precisions, EveryPrecision, ::testing::Values(Scalar::float32, Scalar::float64),
                         [](const auto& p) { return p.param == Scalar::float32 ? "float32" : "float64"; });

TEST_P(EveryPrecision, TheBitsAreTheSameUnderEverySchedule) {
  const Matrix x(clusters(300, 2, 1), 300, 2);
  const std::vector<double> weight(300, 0.5);
  const Fit expected = fit(options(GetParam()), x, Device::cuda(0), weight);
  for (std::uint32_t seed = 0; seed < 16; ++seed) {
    emulator::reset(emulator::options_for(seed));
    const Fit again = fit(options(GetParam()), x, Device::cuda(0), weight);
    EXPECT_EQ(again.summary.elbo_trace, expected.summary.elbo_trace) << "seed " << seed;
    EXPECT_EQ(again.q.covariances, expected.q.covariances) << "seed " << seed;
    EXPECT_EQ(again.summary.negligible, expected.summary.negligible) << "seed " << seed;
    ASSERT_EQ(emulator::verdict(), "") << "seed " << seed;
  }
}

TEST_P(EveryPrecision, EveryFailureIsOneDeviceErrorAndTheNextFitWorks) {
  const Matrix x(clusters(300, 2, 2), 300, 2);
  const Fit expected = fit(options(GetParam()), x);
  using enum emulator::Call;
  test::expect_to_survive_failing_calls(
      {{allocation, 20},
       {copy, 25},
       {fill, 0},
       {launch, 5},
       {stream, 2},
       {event, 10},
       {wait, 5},
       {graph, 0},
       {device, 5}},
      [&] { EXPECT_EQ(fit(options(GetParam()), x).summary.elbo_trace, expected.summary.elbo_trace); });
}

TEST(Backend, AFailingDeviceIsADeviceErrorWhereverItHappens) {
  const Matrix x(clusters(200, 2, 3), 200, 2);
  for (int operation = 1; operation < 60; operation += 3) {
    emulator::Options failing;
    failing.failing_operation = operation;
    emulator::reset(failing);
    try {
      fit(options(Scalar::float64), x);
    } catch (const DeviceError&) {
    }
    emulator::reset();
    EXPECT_TRUE(std::isfinite(fit(options(Scalar::float64), x).summary.elbo));
  }
}

TEST(Backend, StreamedRowsGiveTheBitsOfResidentOnes) {
  const int n = 3000, d = 4;
  const Matrix x(clusters(n, d, 4), n, d);
  for (const CovarianceType type : {CovarianceType::full, CovarianceType::tied}) {
    MixtureOptions o = options(Scalar::float64, type);
    o.max_iter = 2;
    const Fit resident = fit(o, x);
    int streamed = 0, refused = 0;
    for (std::int64_t memory = 64 << 10; memory < 512 << 10; memory = memory * 8 / 7) {
      try {
        const Fit f = fit(o, x, Device::cuda(0, memory));
        EXPECT_EQ(f.summary.elbo_trace, resident.summary.elbo_trace) << memory;
        EXPECT_EQ(f.q.means, resident.q.means) << memory;
        EXPECT_EQ(f.summary.negligible, resident.summary.negligible) << memory;
        streamed += f.summary.kernel.find("streamed") != std::string::npos;
      } catch (const DeviceError& e) {
        EXPECT_NE(std::string(e.what()).find("memory budget"), std::string::npos) << e.what();
        ++refused;
      }
    }
    EXPECT_GT(streamed, 1);
    EXPECT_GT(refused, 0);
  }
}

TEST(Backend, ManyMoreProblemsThanBlocksOfVeryDifferentLengths) {
  std::vector<std::int64_t> offsets = {0};
  for (int b = 0; b < 40; ++b) offsets.push_back(offsets.back() + (b % 7 == 0 ? 400 : b % 3));
  const int d = 2;
  const std::vector<double> x = clusters(int(offsets.back()), d, 5);
  for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
    const MixtureOptions o = options(precision);
    const MixtureBatch batch = fit_batch(o, Matrix(x, offsets.back(), d), offsets, Device::cuda(0));
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      if (offsets[b + 1] == offsets[b]) {
        EXPECT_EQ(batch.summaries[b].termination, Termination::no_data);
        continue;
      }
      const Fit one = fit(o, Matrix::view(x.data() + offsets[b] * d, offsets[b + 1] - offsets[b], d));
      EXPECT_EQ(one.summary.elbo_trace, batch.summaries[b].elbo_trace) << "problem " << b;
      EXPECT_EQ(one.summary.negligible, batch.summaries[b].negligible) << "problem " << b;
    }
  }
}

// But for a pair that rounding may take across the line. Every fourth row has no weight.
TEST(Backend, CountsTheNegligiblePairsThatTheCpuCounts) {
  struct {
    int rows, features;
    CovarianceType type;
    Scalar precision;
    std::int64_t memory;
    const char* kernel;
  } const fits[] = {{300, 6, CovarianceType::full, Scalar::float32, 0, "whole"},
                    {300, 3, CovarianceType::tied, Scalar::float32, 0, "whole"},
                    {4200, 6, CovarianceType::full, Scalar::float32, 0, "fused"},
                    {4200, 6, CovarianceType::spherical, Scalar::float32, 0, "fused"},
                    {4200, 33, CovarianceType::full, Scalar::float32, 0, "tensor"},
                    {300, 6, CovarianceType::diag, Scalar::float64, 0, "tile"},
                    {3000, 6, CovarianceType::full, Scalar::float64, 240 << 10, "tile, streamed"}};
  for (const auto& f : fits) {
    SCOPED_TRACE(f.kernel);
    std::vector<double> values = clusters(f.rows, f.features, 10), weight(std::size_t(f.rows), 1.5);
    for (int n = 0; n < f.rows; ++n)
      for (int d = n % 3; d < f.features; d += 3) values[std::size_t(n * f.features + d)] += 4;
    for (std::size_t n = 0; n < weight.size(); n += 4) weight[n] = 0;
    const Matrix x(values, f.rows, f.features);
    const Summary there = fit(options(f.precision, f.type), x, Device::cuda(0, f.memory), weight).summary;
    const Summary here = fit(options(f.precision, f.type), x, Device::cpu(1), weight).summary;
    EXPECT_EQ(there.kernel, f.kernel);
    EXPECT_NEAR(there.negligible, here.negligible, 1.5 / (3 * f.rows));
    EXPECT_GT(there.negligible, 0.3);
    EXPECT_LT(there.negligible, 0.9);
    if (f.type == CovarianceType::full && there.kernel == "fused")
      EXPECT_EQ(there.near, 1);
    else
      EXPECT_TRUE(std::isnan(there.near));
  }
  MixtureOptions o = options(Scalar::float32);
  const Matrix few(clusters(4200, 2, 10), 4200, 2);
  EXPECT_TRUE(std::isnan(fit(o, few).summary.negligible));  // by kernel "points"
  o.max_iter = 0;
  EXPECT_TRUE(std::isnan(fit(o, Matrix(clusters(300, 2, 10), 300, 2)).summary.negligible));
}

// Both sweeps of a block use the same scratch.
// Of the same shape, and of shapes that lie differently in what they work in.
TEST(Backend, TwoMixturesOfAModelDoNotDisturbEachOther) {
  const int n = 200;
  for (const auto& [d, components] : {std::pair(2, 3), std::pair(8, 20)}) {
    Model p;
    const auto one = cavi::testing::full_mixture(p, "one", Matrix(clusters(n, 2, 8), n, 2));
    const auto two = cavi::testing::full_mixture(p, "two", Matrix(clusters(n, d, 9), n, d), components);
    Factorisation q(p);
    Options options;
    options.precision = Scalar::float32;
    options.start_updates = {{one.pi}, {two.pi}, {one.mu}, {two.mu}};
    q.joint({one.mu, one.lambda}).start_labels(one.z, cavi::testing::labels(n, 3));
    q.joint({two.mu, two.lambda}).start_labels(two.z, cavi::testing::labels(n, components));
    const auto run = [&](const Device& device) {
      return infer(p, q, {{one.z}, {two.z}, {one.pi}, {two.pi}, {one.mu}, {two.mu}}, {3, 0}, device, options).summary();
    };
    const Summary here = run(Device::cpu(1));
    for (std::uint32_t seed = 0; seed < 16; ++seed) {
      emulator::reset(emulator::options_for(seed));
      const Summary there = run(Device::cuda(0));
      EXPECT_EQ(there.kernel, "whole");
      EXPECT_NEAR(there.elbo, here.elbo, 1e-5 * n) << seed;
      ASSERT_EQ(emulator::verdict(), "") << "seed " << seed << ", " << d << " features";
    }
  }
}

// The rows of all problems together take some 250 KB, those of one 31 KB at most. Whether a budget or the device is
// small: parameters come first, so on a device it is they that do not fit.
TEST(Backend, ABatchLargerThanTheDeviceIsFittedInParts) {
  std::vector<std::int64_t> offsets = {0};
  for (int b = 0; b < 12; ++b) offsets.push_back(offsets.back() + (b == 7 ? 0 : 300 + 60 * b));
  const int d = 4;
  const std::vector<double> x = clusters(int(offsets.back()), d, 9);
  const Matrix all(x, offsets.back(), d);
  MixtureOptions o = options(Scalar::float64);
  o.n_init = 2;
  const MixtureBatch whole = fit_batch(o, all, offsets, Device::cuda(0));
  int fitted = 0;
  const auto fit_in = [&](std::int64_t memory) {
    try {
      const MixtureBatch parts = fit_batch(o, all, offsets, Device::cuda(0, memory));
      ASSERT_EQ(parts.summaries.size(), whole.summaries.size());
      for (std::size_t b = 0; b < whole.summaries.size(); ++b)
        EXPECT_EQ(parts.summaries[b].elbo_trace, whole.summaries[b].elbo_trace) << memory << ", problem " << b;
      for (std::size_t i = 0; i < whole.posterior.counts.size(); ++i)  // NaN of the problem without rows
        EXPECT_TRUE(parts.posterior.counts[i] == whole.posterior.counts[i] || std::isnan(whole.posterior.counts[i]));
      ++fitted;
    } catch (const DeviceError& e) {  // not even one problem fits
      const std::string what = e.what();
      EXPECT_NE(what.find("memory budget"), std::string::npos) << what;
      EXPECT_EQ(what.find("problems"), std::string::npos) << what;
      EXPECT_EQ(what.find(" -"), std::string::npos) << what;
    }
  };
  for (std::int64_t memory = 16 << 10; memory < 512 << 10; memory *= 2) fit_in(memory);
  EXPECT_GT(fitted, 1);
  fitted = 0;
  for (std::int64_t memory = 32 << 10; memory < 1024 << 10; memory = memory * 5 / 4) {
    emulator::Options small;
    small.device_bytes = memory;
    emulator::reset(small);
    fit_in(0);
    ASSERT_EQ(emulator::leaks(), std::vector<std::string>{}) << memory;
  }
  EXPECT_GT(fitted, 4);
}

TEST(Backend, OutOfMemorySaysHowMuchWasAskedForAndWhatThereIs) {
  emulator::Options small;
  small.device_bytes = 64 << 10;
  emulator::reset(small);
  const Matrix x(clusters(3000, 4, 6), 3000, 4);
  try {
    fit(options(Scalar::float64), x);
    FAIL() << "64 KB were enough";
  } catch (const DeviceError& e) {
    const std::string what = e.what();
    EXPECT_TRUE(what.find("bytes asked for") != std::string::npos || what.find("memory budget") != std::string::npos)
        << what;
  }
}

TEST(Backend, ADeviceWithLittleSharedMemoryGetsThePlainPass) {
  const int n = 4200, d = 6;  // too many rows for one block
  const Matrix x(clusters(n, d, 7), n, d);
  MixtureOptions o = options(Scalar::float32);
  o.max_iter = 1;
  const Fit fast = fit(o, x);
  emulator::Options turing;
  turing.architecture.shared_per_block_optin = 64 << 10;
  emulator::reset(turing);
  const Fit plain = fit(o, x);
  EXPECT_EQ(fast.summary.kernel, "fused");
  EXPECT_EQ(plain.summary.kernel, "tile");
  EXPECT_NEAR(plain.summary.elbo, fast.summary.elbo, 1e-6 * n);
}

TEST(Backend, TensorCoresAreUsedWhereThereAreAnyAndNobodyObjects) {
  const int n = 4200, d = 33;  // too many rows for one block
  const Matrix x(clusters(n, d, 8), n, d);
  MixtureOptions o = options(Scalar::float32);
  o.max_iter = 1;
  const Fit tensor = fit(o, x);
  setenv("CAVI_TENSOR_CORES", "0", 1);
  const Fit objected = fit(o, x);
  unsetenv("CAVI_TENSOR_CORES");
  emulator::Options volta;
  volta.architecture.major = 7;
  emulator::reset(volta);
  const Fit without = fit(o, x);
  EXPECT_EQ(tensor.summary.kernel, "tensor");
  EXPECT_EQ(objected.summary.kernel, "fused");
  EXPECT_EQ(without.summary.kernel, "fused");
  EXPECT_NEAR(tensor.summary.elbo, without.summary.elbo, 1e-5 * n);
}

TEST(Backend, DevicesAreListedAndWrongOnesRefused) {
  const auto all = Device::all();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].name(), "cuda:0");
  EXPECT_EQ(Device::best().name(), "cuda:0");
  EXPECT_NE(all[1].description().find("sm_90"), std::string::npos) << all[1].description();
  EXPECT_THROW(Device::cuda(7), DeviceError);
  EXPECT_THROW(Device::cuda(0, -1), OptionError);
}

}  // namespace
