// SPDX-License-Identifier: Apache-2.0
// Many fits in one call: several starts, many data sets, many options. Each is bit for bit the fit of its own.
#include "tests/device.hpp"
#include "tests/fits.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace {

using namespace cavi;
using namespace cavi::test;
using cavi::testing::rows_for;

MixtureOptions quick(const Kind& kind, int components, Scalar precision = Scalar::float32) {
  MixtureOptions o = kind.options();
  o.n_components = components;
  o.precision = precision;
  o.max_iter = 8;
  o.tol = 1e-4;
  o.init_params = Init::random_from_data;
  o.seed = 5;
  return o;
}

Mixture fit(const MixtureOptions& o, const Matrix& x, const std::vector<double>& weight = {}, int threads = 1) {
  Mixture m(o, cavi::testing::test_device(threads));
  m.fit(x, weight);
  return m;
}

TEST(Restarts, TheFirstHasTheSeedAndTheOthersFollowFromIt) {
  MixtureOptions o;
  o.seed = 17;
  o.n_init = 4;
  const std::vector<MixtureOptions> a = restarts(o), again = restarts(o);
  ASSERT_EQ(a.size(), 4u);
  EXPECT_EQ(a[0].seed, 17u);
  std::vector<std::uint64_t> seeds;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(a[i].n_init, 1);
    EXPECT_EQ(a[i].seed, again[i].seed);
    seeds.push_back(a[i].seed);
  }
  o.n_init = 7;
  EXPECT_EQ(restarts(o)[3].seed, a[3].seed) << "a seed depends on its number alone";
  o.seed = 18;
  for (const MixtureOptions& other : restarts(o)) seeds.push_back(other.seed);
  std::sort(seeds.begin(), seeds.end());
  EXPECT_EQ(std::unique(seeds.begin(), seeds.end()), seeds.end());
}

TEST(Restarts, TheBestIsKeptBitForBit) {
  for (const Kind& kind : every_kind())
    for (const int rows : {150, 5000}) {  // entries side by side, and one after the other
      const Matrix x(rows_for(kind, rows, 3, 1), rows, 3);
      MixtureOptions o = quick(kind, 5);
      o.n_init = 4;
      const Mixture m = fit(o, x), again = fit(o, x, {}, 3);
      std::vector<double> bounds;
      for (const MixtureOptions& one : restarts(o)) bounds.push_back(fit(one, x).summary().elbo);
      const auto best = std::max_element(bounds.begin(), bounds.end());
      EXPECT_EQ(m.summary().elbo, *best);
      EXPECT_EQ(m.summary().restart, best - bounds.begin());
      const Mixture own = fit(restarts(o)[std::size_t(m.summary().restart)], x);
      EXPECT_EQ(bits(m.posterior()), bits(own.posterior())) << name_of(kind);
      EXPECT_EQ(bits(m.posterior()), bits(again.posterior())) << name_of(kind);
      EXPECT_EQ(m.options().n_init, 4);
    }
}

TEST(Restarts, AGivenStartIsOneStart) {
  const Matrix x = three_clouds(60, 2, 1);
  MixtureOptions o = quick({}, 3), many = o;
  many.n_init = 5;
  Mixture a(o, cavi::testing::test_device(1)), b(many, cavi::testing::test_device(1));
  const std::vector<std::int32_t> labels = cavi::testing::labels(60, 3);
  EXPECT_EQ(a.fit(x, {}, labels).elbo_trace, b.fit(x, {}, labels).elbo_trace);
}

TEST(Restarts, TheCallerCanStopThemAll) {
  const Matrix x = three_clouds(60, 2, 1);
  MixtureOptions o = quick({}, 3);
  o.n_init = 6;
  o.tol = 0;
  int sweeps = 0;
  o.on_sweep = [&](const Sweep&) { return ++sweeps < 4; };
  const Mixture m = fit(o, x, {}, 2);
  EXPECT_EQ(m.summary().termination, Termination::stopped);
  EXPECT_EQ(sweeps, 4);
}

TEST(Batch, WeightsAndStartsAreThoseOfTheLoop) {
  const std::vector<std::int64_t> offsets{0, 1, 31, 31, 90, 300};
  for (const Kind& kind : every_kind()) {
    const std::vector<double> x = rows_for(kind, 300, 2, 2);
    std::vector<double> weight;
    for (int i = 0; i < 300; ++i) weight.push_back(0.25 * ((i * 7) % 5) + (i == 0));
    MixtureOptions o = quick(kind, 3);
    o.n_init = 3;
    const MixtureBatch b = fit_batch(o, Matrix(x, 300, 2), offsets, cavi::testing::test_device(2), weight);
    ASSERT_EQ(b.summaries.size(), 5u);
    EXPECT_EQ(b.posterior.n_problems, 5);
    for (std::size_t i : {0, 1, 3, 4}) {
      const std::int64_t rows = offsets[i + 1] - offsets[i];
      const Mixture own = fit(o, Matrix::view(x.data() + offsets[i] * 2, rows, 2),
                              {weight.begin() + offsets[i], weight.begin() + offsets[i + 1]});
      EXPECT_EQ(bits(b.summaries[i]), bits(own.summary())) << name_of(kind) << ", problem " << i;
      EXPECT_EQ(b.summaries[i].restart, own.summary().restart);
      const std::size_t size = own.posterior().means.size();
      EXPECT_TRUE(std::equal(own.posterior().means.begin(), own.posterior().means.end(),
                             b.posterior.means.begin() + std::ptrdiff_t(i * size)));
    }
    EXPECT_EQ(b.summaries[2].termination, Termination::no_data);
  }
}

TEST(Batch, WithoutWeightAProblemIsRefusedAndOthersGoOn) {
  const Matrix x = three_clouds(60, 2, 3);
  std::vector<double> weight(60, 1.0);
  std::fill(weight.begin() + 20, weight.begin() + 40, 0.0);
  for (const Kind& kind : every_kind()) {
    const MixtureBatch b = fit_batch(quick(kind, 2), Matrix(rows_for(kind, 60, 2, 3), 60, 2), {0, 20, 40, 60},
                                     cavi::testing::test_device(1), weight);
    EXPECT_EQ(b.summaries[1].termination, Termination::numerical_error) << name_of(kind);
    EXPECT_EQ(b.summaries[1].message, "every row has weight zero");
    EXPECT_TRUE(std::isnan(b.posterior.counts[2]));
    EXPECT_GT(b.summaries[0].n_iter + b.summaries[2].n_iter, 1);
  }
  EXPECT_THROW(fit_batch(quick({}, 2), x, {0, 60}, cavi::testing::test_device(1), {1, 2}), ShapeError);
  weight[7] = -1;
  EXPECT_THROW(fit_batch(quick({}, 2), x, {0, 60}, cavi::testing::test_device(1), weight), NumericalError);
}

// Large parameters: some problems at a time.
TEST(Batch, HasNoSeams) {
  constexpr int kProblems = 37, kRows = 6, kFeatures = 40;
  const std::vector<double> x = rows_for({}, kProblems * kRows, kFeatures, 4);
  std::vector<std::int64_t> offsets;
  for (int b = 0; b <= kProblems; ++b) offsets.push_back(b * kRows);
  MixtureOptions o = quick({}, 25);
  o.max_iter = 1;
  std::vector<int> told(kProblems, 0);
  o.on_sweep = [&](const Sweep& s) { return ++told.at(std::size_t(s.problem)), true; };
  const MixtureBatch b = fit_batch(o, Matrix(x, kProblems * kRows, kFeatures), offsets, cavi::testing::test_device(2));
  EXPECT_EQ(told, std::vector<int>(kProblems, 1));
  ASSERT_EQ(b.summaries.size(), std::size_t(kProblems));
  ASSERT_EQ(b.posterior.counts.size(), std::size_t(kProblems * 25));
  o.on_sweep = nullptr;
  for (const std::size_t i : {0, 15, 16, 17, 36}) {
    const Mixture own = fit(o, Matrix::view(x.data() + offsets[i] * kFeatures, kRows, kFeatures));
    EXPECT_EQ(own.summary().elbo_trace, b.summaries[i].elbo_trace);
    EXPECT_TRUE(std::equal(own.posterior().counts.begin(), own.posterior().counts.end(),
                           b.posterior.counts.begin() + std::ptrdiff_t(i * 25)));
  }
}

TEST(Selection, RanksByTheBoundAndKeepsTheBest) {
  for (const int rows : {200, 9000}) {
    const Matrix x = three_clouds(rows, 2, 5);
    std::vector<MixtureOptions> entries;
    for (const CovarianceType type : kCovariances)
      for (int k = 1; k <= 4; ++k)
        for (const MixtureOptions& o : restarts([&] {
               MixtureOptions several = quick({ComponentFamily::gaussian, type}, k);
               several.n_init = 2;
               return several;
             }()))
          entries.push_back(o);
    const MixtureSelection s = select_mixture(entries, x, {}, cavi::testing::test_device(2), 3),
                           again = select_mixture(entries, x, {}, cavi::testing::test_device(1), 3);
    ASSERT_EQ(s.summaries.size(), entries.size());
    ASSERT_EQ(s.ranking.size(), entries.size());
    ASSERT_EQ(s.models.size(), 3u);
    EXPECT_EQ(s.ranking, again.ranking);
    for (std::size_t i = 0; i < entries.size(); ++i)
      EXPECT_EQ(bits(s.summaries[i]), bits(fit(entries[i], x).summary())) << i;
    for (std::size_t i = 1; i < s.ranking.size(); ++i)
      EXPECT_GE(s.summaries[std::size_t(s.ranking[i - 1])].elbo, s.summaries[std::size_t(s.ranking[i])].elbo);
    for (std::size_t i = 0; i < 3; ++i) {
      const MixtureOptions& o = entries[std::size_t(s.ranking[i])];
      EXPECT_EQ(bits(s.models[i].options()), bits(o));
      EXPECT_EQ(bits(s.models[i].posterior()), bits(fit(o, x).posterior()));
      EXPECT_EQ(s.models[i].device().name(), cavi::testing::test_device(2).name());
    }
  }
}

TEST(Selection, AnEntryThatFailsDoesNotStopTheOthers) {
  const Matrix x = three_clouds(80, 2, 6);
  std::vector<MixtureOptions> entries{quick({ComponentFamily::bernoulli}, 2), quick({}, 2),
                                      quick({ComponentFamily::poisson}, 3), quick({}, 3)};
  const MixtureSelection s = select_mixture(entries, x, {}, cavi::testing::test_device(2), 10);
  EXPECT_EQ(s.summaries[0].termination, Termination::numerical_error);
  EXPECT_NE(s.summaries[0].message.find("row 0, column 0"), std::string::npos) << s.summaries[0].message;
  EXPECT_EQ(s.summaries[2].termination, Termination::numerical_error);
  EXPECT_EQ(s.models.size(), 2u);
  EXPECT_EQ(s.ranking.size(), 2u);
  entries.resize(1);
  EXPECT_TRUE(select_mixture(entries, x).models.empty());
  EXPECT_TRUE(select_mixture({}, x).summaries.empty());
}

TEST(Selection, WrongOptionsNameTheirEntry) {
  const Matrix x = three_clouds(80, 2, 6);
  std::vector<MixtureOptions> entries{quick({}, 2), quick({}, 0), quick({}, 2)};
  entries[2].degrees_of_freedom_prior = 0.5;
  try {
    select_mixture(entries, x);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const OptionError& e) {
    EXPECT_NE(std::string(e.what()).find("entry 1: n_components"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("entry 2: degrees_of_freedom_prior"), std::string::npos) << e.what();
  }
  entries.resize(1);
  EXPECT_THROW(select_mixture(entries, x, {}, cavi::testing::test_device(1), -1), OptionError);
  entries[0].checkpoint = "x.npz";
  EXPECT_THROW(select_mixture(entries, x), OptionError);
  EXPECT_THROW(select_mixture({quick({}, 2)}, Matrix(std::vector<double>{}, 0, 2)), ShapeError);
}

TEST(Selection, AnEntryIsToldItsNumberAndStopsAlone) {
  const Matrix x = three_clouds(80, 2, 6);
  std::vector<MixtureOptions> entries(4, quick({}, 3));
  std::vector<int> sweeps(4, 0);
  for (MixtureOptions& o : entries) {
    o.tol = 0;
    o.on_sweep = [&](const Sweep& s) { return ++sweeps.at(std::size_t(s.problem)) < 3 || s.problem != 2; };
  }
  const MixtureSelection s = select_mixture(entries, x, {}, cavi::testing::test_device(4));
  EXPECT_EQ(sweeps, (std::vector<int>{8, 8, 3, 8}));
  EXPECT_EQ(s.summaries[2].termination, Termination::stopped);
}

}  // namespace
