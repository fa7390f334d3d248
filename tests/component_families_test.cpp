// SPDX-License-Identifier: Apache-2.0
// Laws of every family of independent features: what its file says is one distribution, and one prior.
#include "kernels/math/components/independent_family.hpp"
#include "src/family.hpp"

#include <gtest/gtest.h>
#include <boost/math/quadrature/exp_sinh.hpp>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace cavi;
using kernels::components::Conjugate;
using kernels::components::LogTerm;

class ComponentFamilies : public ::testing::TestWithParam<IndependentFamily> {};
INSTANTIATE_TEST_SUITE_P(Families, ComponentFamilies, ::testing::ValuesIn(independent_families()),
                         [](const auto& family) { return std::string(family.param.name); });

const double kParameters[]{0.04, 0.3, 0.9};  // probabilities, and rates as well

/// Of theta = t / (1 + t), a probability, or theta = t: neither end loses digits.
IndependentFamily::Pair statistics(const IndependentFamily& f, double t) {
  if (f.prior == Conjugate::beta) return {std::log(t) - std::log1p(t), -std::log1p(t)};
  return {t, std::log(t)};
}

double log_density(const IndependentFamily& f, const IndependentFamily::Pair& at, double x) {
  double sum = f.log_base ? f.log_base(x) : 0;
  for (const LogTerm& t : f.terms) sum += t.coefficient * (t.with_row ? x : 1) * at[std::size_t(t.statistic)];
  return sum;
}

/// Over all values that the family has.
double integral(const IndependentFamily& f, const std::function<double(double)>& integrand) {
  if (!f.whole) return boost::math::quadrature::exp_sinh<double>().integrate(integrand, 1e-12);
  double sum = 0;
  for (int x = 0; x < 2000; ++x)
    if (f.holds(x)) sum += integrand(x);
  return sum;
}

TEST_P(ComponentFamilies, TermsAndBaseAreADistribution) {
  const IndependentFamily& f = GetParam();
  for (const double theta : kParameters) {
    const IndependentFamily::Pair at = statistics(f, f.prior == Conjugate::beta ? theta / (1 - theta) : theta);
    const auto expected = [&](const std::function<double(double)>& of) {
      return integral(f, [&](double x) {
        const double p = std::exp(log_density(f, at, x));
        return p == 0 ? 0 : p * of(x);  // far out of(x) may be infinite
      });
    };
    EXPECT_NEAR(expected([](double) { return 1; }), 1, 1e-9) << theta;
    const double mean = expected([](double x) { return x; });
    const double variance = expected([&](double x) { return (x - mean) * (x - mean); });
    EXPECT_NEAR(f.variance(theta), variance, 1e-8 * variance) << theta;
  }
}

TEST_P(ComponentFamilies, ValuesAreWholeNumbersWhenTheySaySo) {
  const IndependentFamily& f = GetParam();
  EXPECT_TRUE(f.holds(0) && f.holds(1));
  EXPECT_EQ(f.holds(0.5), !f.whole);
  for (const double never : {-1.0, std::nan(""), HUGE_VAL, -HUGE_VAL}) EXPECT_FALSE(f.holds(never)) << never;
}

TEST_P(ComponentFamilies, PredictiveAndExpectationAreAveragesOverThePrior) {
  const IndependentFamily& f = GetParam();
  const double a = 2.5, b = 3.25;
  const bool beta = f.prior == Conjugate::beta;
  const double log_z = beta ? std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b) : std::lgamma(a) - a * std::log(b);
  boost::math::quadrature::exp_sinh<double> quadrature;
  const auto average = [&](const std::function<double(double)>& of_t) {
    return quadrature.integrate(
        [&](double t) {
          const double log_p = (a - 1) * std::log(t) - (beta ? (a + b) * std::log1p(t) : b * t) - log_z;
          const double p = std::exp(log_p);
          return p == 0 ? 0 : p * of_t(t);
        },
        1e-12);
  };
  const auto log_predictive = [&](double x) {
    return kernels::components::with_independent_family(
        f.family, [&]<class F>(F) { return kernels::components::log_predictive<F>(a, b, x); });
  };
  const auto e = f.expected_log(a, b);
  for (const double x : {0.0, 0.5, 1.0, 4.0}) {
    if (!f.holds(x)) continue;
    const auto log_p = [&](double t) { return log_density(f, statistics(f, t), x); };
    const double base = f.log_base ? f.log_base(x) : 0;
    EXPECT_NEAR(std::exp(log_predictive(x)), average([&](double t) { return std::exp(log_p(t)); }), 1e-9) << x;
    EXPECT_NEAR(e.constant + e.coefficient * x + base, average(log_p), 1e-8) << x;
  }
}

TEST_P(ComponentFamilies, RowsAreCountedFromPriorAndPosterior) {
  const IndependentFamily& f = GetParam();
  const double rows = 7, sum = 3;
  double eta[2]{};
  for (const LogTerm& t : f.terms) eta[t.statistic] += t.coefficient * (t.with_row ? sum : rows);
  const IndependentFamily::Pair prior{0.5, 1.5},
      posterior = f.prior == Conjugate::beta ? IndependentFamily::Pair{prior[0] + eta[0], prior[1] + eta[1]}
                                             : IndependentFamily::Pair{prior[0] + eta[1], prior[1] - eta[0]};
  EXPECT_NEAR(f.rows_between(prior, posterior), rows, 1e-14 * rows);
}

}  // namespace
