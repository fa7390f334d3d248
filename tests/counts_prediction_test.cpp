// SPDX-License-Identifier: Apache-2.0
// What fitted mixtures of counts, of zeros and ones, and of durations say about rows. Seeds are fixed, so what passes
// once passes always.
#include "tests/device.hpp"
#include "tests/kinds.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/quadrature/exp_sinh.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace {

using namespace cavi;
using cavi::testing::Kind;
using cavi::testing::rows_for;

class EveryFamily : public ::testing::TestWithParam<Kind> {};
std::vector<Kind> families() {
  std::vector<Kind> all = cavi::testing::every_kind();
  std::erase_if(all, [](const Kind& k) { return k.family == ComponentFamily::gaussian; });
  return all;
}
INSTANTIATE_TEST_SUITE_P(Families, EveryFamily, ::testing::ValuesIn(families()),
                         [](const auto& kind) { return name_of(kind.param); });

Mixture fitted(const MixtureOptions& o, const Matrix& x, const InitialResponsibilities& start = {}) {
  Mixture m(o, cavi::testing::test_device(2));
  m.fit(x, {}, start);
  return m;
}

MixtureOptions options(const Kind& kind, int components, int sweeps) {
  MixtureOptions o = kind.options();
  o.n_components = components;
  o.max_iter = sweeps;
  o.tol = 0;
  o.precision = Scalar::float64;
  return o;
}

// A fit that starts from the responsibilities of another one goes on where that one stopped.
TEST_P(EveryFamily, ResponsibilitiesAreThoseOfTheNextSweep) {
  const int n = 90, d = 3;
  const Matrix x(rows_for(GetParam(), n, d, 1), n, d);
  const std::vector<double> trace = fitted(options(GetParam(), 4, 7), x).summary().elbo_trace;
  const Mixture six = fitted(options(GetParam(), 4, 6), x);
  const std::vector<double> r = six.predict_proba(x);
  for (int i = 0; i < n; ++i) EXPECT_NEAR(std::accumulate(r.begin() + i * 4, r.begin() + (i + 1) * 4, 0.0), 1, 1e-12);
  const Mixture next = fitted(options(GetParam(), 4, 0), x, Matrix(r, n, 4));
  EXPECT_NEAR(next.summary().elbo_trace[0], trace[7], 1e-10 * std::abs(trace[7]));
  const std::vector<std::int32_t> labels = six.predict(x);
  const TopComponents top = six.predict_top(x, 2);
  for (std::size_t i = 0; i < std::size_t(n); ++i) {
    EXPECT_EQ(labels[i], std::max_element(&r[i * 4], &r[i * 4] + 4) - &r[i * 4]);
    EXPECT_EQ(top.components[2 * i], labels[i]);
  }
}

// One component is one conjugate factor: its bound is the log evidence, and a row's predictive what the row adds to it.
TEST_P(EveryFamily, PredictiveIsWhatARowAddsToTheEvidence) {
  const int n = 40, d = 2;
  MixtureOptions o = options(GetParam(), 1, 1);
  o.weight_concentration_prior_type = WeightPrior::dirichlet;
  o.component_prior = {0.7, 1.3};
  const std::vector<double> x = rows_for(GetParam(), n, d, 2), news = rows_for(GetParam(), 10, d, 3);
  const Mixture m = fitted(o, Matrix(x, n, d));
  const std::vector<double> density = m.score_samples(Matrix(news, 10, d));
  for (int i = 0; i < 10; ++i) {
    std::vector<double> more = x;
    more.insert(more.end(), news.begin() + i * d, news.begin() + (i + 1) * d);
    const double gain = fitted(o, Matrix(more, n + 1, d)).summary().elbo - m.summary().elbo;
    EXPECT_NEAR(density[std::size_t(i)], gain, 1e-9) << i;
  }
}

TEST_P(EveryFamily, PredictiveAddsUpToOne) {
  const int n = 60;
  const Mixture m = fitted(options(GetParam(), 3, 5), Matrix(rows_for(GetParam(), n, 1, 4), n, 1));
  const auto density = [&](double v) { return std::exp(m.score_samples(Matrix(std::vector<double>{v}, 1, 1))[0]); };
  const IndependentFamily& family = family_of(GetParam().family);
  if (!family.whole) {
    boost::math::quadrature::exp_sinh<double> quadrature;
    EXPECT_NEAR(quadrature.integrate(density, 1e-10), 1, 1e-8);
    return;
  }
  const int values = family.holds(2) ? 100'000 : 2;
  std::vector<double> all(static_cast<std::size_t>(values));
  std::iota(all.begin(), all.end(), 0.0);
  double sum = 0;
  for (double log_density : m.score_samples(Matrix(all, values, 1))) sum += std::exp(log_density);
  EXPECT_NEAR(sum, 1, 1e-8);
}

/// How likely counts at least as far from the expected ones are.
double chi_squared_p(const std::vector<double>& counts, const std::vector<double>& expected) {
  double statistic = 0;
  for (std::size_t i = 0; i < counts.size(); ++i)
    statistic += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
  return boost::math::cdf(boost::math::complement(boost::math::chi_squared(double(counts.size()) - 1), statistic));
}

// Samples against the predictive in cells of about equal probability.
TEST_P(EveryFamily, SamplesFollowThePredictive) {
  constexpr int kRows = 100'000, kSteps = 20'000, kCells = 12;
  const bool lattice = family_of(GetParam().family).whole, two_values = !family_of(GetParam().family).holds(2);
  for (const double size : {1.0, 30.0}) {  // Poisson variates of small and of large rates
    std::vector<double> x = rows_for(GetParam(), 80, 1, 5);
    if (!two_values)
      for (double& v : x) v *= size;
    const Mixture m = fitted(options(GetParam(), 3, 5), Matrix(x, 80, 1));
    const int steps = two_values ? 2 : kSteps;
    const double step = lattice ? 1 : 20 * size / kSteps;
    std::vector<double> at;
    for (int i = 0; i < steps; ++i) at.push_back((i + (lattice ? 0 : 0.5)) * step);
    const std::vector<double> density = m.score_samples(Matrix(at, steps, 1));
    std::vector<double> ends, expected(1, 0.0);
    double rest = kRows;
    for (int i = 0; i < steps; ++i) {
      const double mass = kRows * std::exp(density[std::size_t(i)]) * step;
      expected.back() += mass;
      rest -= mass;
      if (expected.back() < kRows / kCells || rest < kRows / kCells) continue;
      ends.push_back((i + 1) * step);
      expected.push_back(0);
    }
    expected.back() += rest;
    std::vector<double> counts(expected.size(), 0.0);
    for (double v : m.sample(kRows, 11).rows)
      ++counts[std::size_t(std::upper_bound(ends.begin(), ends.end(), v) - ends.begin())];
    ASSERT_GE(counts.size(), 2u);
    EXPECT_GT(chi_squared_p(counts, expected), 1e-3) << size;
  }
}

TEST_P(EveryFamily, SamplesAreRowsOfTheFamilyAndDependOnSeedAndNumberAlone) {
  const int n = 50, d = 3;
  Mixture m = fitted(options(GetParam(), 3, 5), Matrix(rows_for(GetParam(), n, d, 6), n, d));
  const Samples few = m.sample(10, 7), many = m.sample(3000, 7);
  EXPECT_TRUE(std::equal(few.rows.begin(), few.rows.end(), many.rows.begin()));
  EXPECT_NE(many.rows, m.sample(3000, 8).rows);
  require_values(Matrix(many.rows, 3000, d), m.options());
  const std::vector<double> scores = m.score_samples(Matrix(many.rows, 3000, d));
  EXPECT_TRUE(std::all_of(scores.begin(), scores.end(), [](double s) { return std::isfinite(s); }));
}

TEST_P(EveryFamily, AValueThatCannotBeIsNamed) {
  const int n = 50, d = 2;
  const Mixture m = fitted(options(GetParam(), 2, 5), Matrix(rows_for(GetParam(), n, d, 7), n, d));
  std::vector<double> x = rows_for(GetParam(), n, d, 8);
  x[33 * d + 1] = -1;
  const Matrix wrong(x, n, d);
  for (const auto& predict :
       std::vector<std::function<void()>>{[&] { m.predict(wrong); }, [&] { m.predict_proba(wrong); },
                                          [&] { m.predict_top(wrong, 1); }, [&] { m.score_samples(wrong); }}) {
    try {
      predict();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const NumericalError& e) {
      EXPECT_NE(std::string(e.what()).find("row 33, column 1 (from 0): -1 is not "), std::string::npos) << e.what();
    }
  }
}

}  // namespace
