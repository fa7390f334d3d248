// SPDX-License-Identifier: Apache-2.0
// Counts, zeros and ones, durations: values that cannot be, counts that are large, priors that come from the data.
#include "tests/kinds.hpp"
#include "tests/messages.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

using namespace cavi;
using cavi::test::expect_in;
using cavi::test::message_of;
using cavi::testing::rows_for;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

MixtureOptions options(ComponentFamily family, int components, Scalar precision = Scalar::float64) {
  MixtureOptions o;
  o.family = family;
  o.n_components = components;
  o.precision = precision;
  o.tol = 0;
  o.max_iter = 10;
  return o;
}

/// Values that a family cannot have: some are its own, these nobody's.
struct Wrong {
  ComponentFamily family;
  double value;
  const char* needed;
};
const std::vector<Wrong> kWrong = [] {
  std::vector<Wrong> all{{ComponentFamily::bernoulli, 2, "0 or 1"},
                         {ComponentFamily::bernoulli, 0.5, "0 or 1"},
                         {ComponentFamily::bernoulli, -1, "0 or 1"},
                         {ComponentFamily::bernoulli, kNaN, "0 or 1"},
                         {ComponentFamily::poisson, -1, "count"},
                         {ComponentFamily::poisson, 0.5, "count"},
                         {ComponentFamily::poisson, kInfinity, "count"},
                         {ComponentFamily::poisson, kNaN, "count"},
                         {ComponentFamily::exponential, -1e-9, "duration"},
                         {ComponentFamily::exponential, kNaN, "duration"},
                         {ComponentFamily::exponential, kInfinity, "duration"}};
  for (const IndependentFamily& f : independent_families())
    for (const double value : {-1.0, kInfinity, -kInfinity, kNaN}) all.push_back({f.family, value, f.values});
  return all;
}();

TEST(Counts, AValueThatCannotBeIsNamed) {
  const int n = 30, d = 3;
  for (const Wrong& w : kWrong)
    for (const bool narrow : {false, true}) {
      std::vector<double> x = rows_for({w.family}, n, d, 1);
      x[7 * d + 1] = w.value;
      const std::vector<float> as_float(x.begin(), x.end());
      const Matrix rows = narrow ? Matrix(as_float, n, d) : Matrix(x, n, d);
      expect_in(message_of<NumericalError>([&] { Mixture(options(w.family, 2), Device::cpu(1)).fit(rows); }),
                {"array: row 7, column 1", w.needed});
      Model p;
      const Plate rows_plate = p.plate("n", n), columns = p.plate("d", d);
      const Data data = p.data("counts", rows, {rows_plate, columns});
      const Variable theta = p.latent("theta", {columns}, cavi::testing::prior_for(w.family, 1, 1));
      expect_in(message_of<NumericalError>(
                    [&] { p.observe(data(rows_plate, columns), of_family(w.family, theta(columns))); }),
                {"'counts': row 7, column 1", w.needed});
    }
}

TEST(Counts, InABatchItIsTheStatusOfItsProblem) {
  const int d = 3;
  const std::vector<std::int64_t> offsets{0, 30, 50, 50, 90};
  for (const Wrong& w : kWrong) {
    std::vector<double> x = rows_for({w.family}, 90, d, 2);
    x[35 * d + 2] = w.value;
    const MixtureOptions o = options(w.family, 2);
    const MixtureBatch b = fit_batch(o, Matrix(x, 90, d), offsets, Device::cpu(2));
    EXPECT_EQ(b.summaries[1].termination, Termination::numerical_error);
    expect_in(b.summaries[1].message, {"row 5, column 2", w.needed});
    EXPECT_EQ(b.summaries[1].n_iter, 0);
    EXPECT_EQ(b.summaries[2].termination, Termination::no_data);
    for (const int failed : {1, 2})
      for (int i = 0; i < 2 * d; ++i) EXPECT_TRUE(std::isnan(b.posterior.means[std::size_t(failed * 2 * d + i)]));
    for (const std::size_t good : {0, 3}) {
      Mixture one(o, Device::cpu(1));
      const std::int64_t rows = offsets[good + 1] - offsets[good];
      EXPECT_EQ(one.fit(Matrix::view(x.data() + offsets[good] * d, rows, d)).elbo_trace, b.summaries[good].elbo_trace);
    }
  }
}

/// ln p of counts with one rate: Gamma(a, b) integrated out.
double evidence(const std::vector<double>& counts, double a, double b) {
  long double sum = 0, base = 0;
  for (double c : counts) {
    sum += c;
    base += std::lgamma((long double)(c) + 1);
  }
  const auto n = (long double)(counts.size());
  return double(a * std::log((long double)(b)) - std::lgamma((long double)(a)) + std::lgamma(a + sum) -
                (a + sum) * std::log(b + n) - base);
}

TEST(Counts, LargeCountsKeepTheBoundExact) {
  for (const double rate : {0.01, 1.0, 1e3, 1e6, 1.6e7})
    for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
      std::mt19937 rng(3);
      std::poisson_distribution<int> poisson(rate);
      std::vector<double> x(1000);
      for (double& v : x) v = poisson(rng);
      MixtureOptions o = options(ComponentFamily::poisson, 1, precision);
      o.component_prior = {0.5, 1e-3};
      o.weight_concentration_prior_type = WeightPrior::dirichlet;  // one component: no uncertainty about its weight
      const Summary s = Mixture(o, Device::cpu(2)).fit(Matrix(x, 1000, 1));
      const double exact = evidence(x, 0.5, 1e-3);
      EXPECT_NEAR(s.elbo, exact, (precision == Scalar::float32 ? 1e-6 : 1e-8) * std::abs(exact)) << rate;
    }
}

// Rates a few standard deviations apart: what decides is the difference of logits in the millions.
TEST(Counts, LargeCountsKeepCloseComponentsApart) {
  std::mt19937 rng(4);
  std::vector<double> x;
  for (const double rate : {1.0, 1e6, 1.004e6, 9e6}) {
    std::poisson_distribution<int> poisson(rate);
    for (int i = 0; i < 300; ++i) x.push_back(poisson(rng));
  }
  MixtureOptions narrow = options(ComponentFamily::poisson, 4, Scalar::float32), wide = narrow;
  wide.precision = Scalar::float64;
  Mixture a(narrow, Device::cpu(1)), b(wide, Device::cpu(1));
  const std::vector<std::int32_t> labels = [] {
    std::vector<std::int32_t> l;
    for (int i = 0; i < 1200; ++i) l.push_back(i / 300);
    return l;
  }();
  a.fit(Matrix(x, 1200, 1), {}, labels);
  b.fit(Matrix(x, 1200, 1), {}, labels);
  EXPECT_NEAR(a.summary().elbo, b.summary().elbo, 1e-6 * std::abs(b.summary().elbo));
  for (std::size_t k = 0; k < 4; ++k) {
    EXPECT_NEAR(a.posterior().counts[k] / b.posterior().counts[k], 1, 1e-5);
    EXPECT_NEAR(a.posterior().means[k] / b.posterior().means[k], 1, 1e-6);
  }
  EXPECT_NEAR(b.posterior().counts[1], 300, 15);
}

TEST(Counts, Float32RefusesWhatItWouldRound) {
  std::vector<double> x = rows_for({ComponentFamily::poisson}, 40, 2, 5);
  x[20 * 2] = (1 << 24) + 1;
  const Matrix rows(x, 40, 2);
  const MixtureOptions narrow = options(ComponentFamily::poisson, 2, Scalar::float32);
  expect_in(message_of<NumericalError>([&] { Mixture(narrow, Device::cpu(1)).fit(rows); }), {"16777217", "float64"});
  const MixtureBatch b = fit_batch(narrow, rows, {0, 20, 40}, Device::cpu(1));
  EXPECT_EQ(b.summaries[0].n_iter, 10);
  EXPECT_EQ(b.summaries[1].termination, Termination::numerical_error);
  expect_in(b.summaries[1].message, {"16777217", "float64"});
  EXPECT_EQ(Mixture(options(ComponentFamily::poisson, 2), Device::cpu(1)).fit(rows).n_iter, 10);
  x[20 * 2] = 1 << 24;
  EXPECT_EQ(Mixture(narrow, Device::cpu(1)).fit(Matrix(x, 40, 2)).n_iter, 10);
}

TEST(Counts, TheDefaultPriorSaysWhatTheColumnsMeansSay) {
  const std::vector<double> x{1, 0, 3, 0, 2, 0, 2, 0};  // a column of nothing but zeros
  for (const ComponentFamily family : {ComponentFamily::poisson, ComponentFamily::exponential}) {
    Mixture m(options(family, 1), Device::cpu(1));
    m.fit(Matrix(x, 4, 2));
    const bool counts = family == ComponentFamily::poisson;
    const std::vector<double> expected =
        counts ? std::vector<double>{1 + 8, 0.5 + 4, 1, 1 + 4} : std::vector<double>{1 + 4, 2 + 8, 1 + 4, 1};
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(m.posterior().component_parameters[i], expected[i], 1e-12);
  }
}

TEST(Counts, OptionsOfAnotherFamilyAreRefused) {
  MixtureOptions o = options(ComponentFamily::poisson, 2);
  o.covariance_type = CovarianceType::diag;
  o.mean_precision_prior = 2;
  o.degrees_of_freedom_prior = 3;
  o.reg_covar = 1;
  o.mean_prior = std::vector<double>{1};
  o.covariance_prior = std::vector<double>{1};
  o.component_prior = {0, -1};
  EXPECT_EQ(o.problems(1).size(), 8u);
  MixtureOptions gaussian;
  gaussian.component_prior = {1, 1};
  expect_in(message_of<OptionError>([&] { Mixture{gaussian}; }), {"component_prior", "gaussian"});
}

// The sum of -ln x! over a row stands for the row's numbers, so that weights can only be on rows.
TEST(Counts, OnlyRowsOfCountsHaveWeights) {
  Model p;
  const Plate n = p.plate("n", 2), d = p.plate("d", 2);
  const Data x = p.data("x", {1, 2, 3, 4}, {n, d});
  const Variable rate = p.latent("rate", {d}, gamma(1, 1));
  p.observe(x(n, d), poisson(rate(d)));
  expect_in(message_of<ShapeError>([&] { p.weights(d, {1, 2}); }), {"'d'", "before"});
  p.weights(n, {1, 0});
  const Posterior q = infer(p, Factorisation(p), {}, {1, 0.0}, Device::cpu(1));
  EXPECT_NEAR(q.elbo(), evidence({1}, 1, 1) + evidence({2}, 1, 1), 1e-12);

  Model weighted;
  const Plate rows = weighted.plate("n", 2), columns = weighted.plate("d", 2);
  weighted.weights(columns, {1, 2});
  const Data y = weighted.data("y", {1, 2, 3, 4}, {rows, columns});
  const Variable one = weighted.latent("rate", {}, gamma(1, 1));
  expect_in(message_of<ShapeError>([&] { weighted.observe(y(rows, columns), poisson(one())); }), {"'y'", "weights"});
}

}  // namespace
