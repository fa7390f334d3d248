// SPDX-License-Identifier: Apache-2.0
// Special functions against Boost.Math in higher precision.
#include "kernels/math/special.hpp"

#include <gtest/gtest.h>

#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace {

namespace math = cavi::kernels::math;
using Real = boost::multiprecision::cpp_bin_float_quad;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A log grid over all positive arguments, and where the branches meet and the roots lie: grids and single steps.
std::vector<double> arguments() {
  std::vector<double> x;
  for (double e = -300; e <= 300; e += 0.37) x.push_back(std::pow(10., e));
  for (double a = 0.01; a < 24; a += 0.0137) x.push_back(a);
  for (const double centre : {0.5, 1., 1.4616321449683622, 1.5, 2., 2.5, 3., 10.}) {
    double below = centre, above = centre;
    x.push_back(centre);
    for (int i = 0; i < 5; ++i) {
      x.push_back(below = std::nextafter(below, 0));
      x.push_back(above = std::nextafter(above, kInfinity));
    }
    for (double step = 1e-14; step < 0.1; step *= 3.3) {
      x.push_back(centre - step);
      x.push_back(centre + step);
    }
  }
  return x;
}

void expect_relative(double got, const Real& expected, double tolerance, const char* what, double x) {
  EXPECT_LE(abs(Real(got) - expected), tolerance * abs(expected)) << what << " at " << x << " is " << got;
}

TEST(SpecialFunctions, LgammaKeepsRelativeAccuracyEverywhere) {
  for (const double x : arguments()) expect_relative(math::lgamma(x), boost::math::lgamma(Real(x)), 1e-15, "lgamma", x);
  EXPECT_EQ(math::lgamma(1), 0);
  EXPECT_EQ(math::lgamma(2), 0);
  EXPECT_EQ(math::lgamma(0), kInfinity);
}

TEST(SpecialFunctions, LgammaRiseHasNoTermsOfSizeXLogX) {
  for (const double x : arguments())
    for (const double h : {0., 0.5, 1., 3.5, 400.}) {
      if (x > 1e15) continue;  // beyond, the difference cancels in quadruple precision too
      const Real expected = boost::math::lgamma(Real(x) + h) - boost::math::lgamma(Real(x));
      const double size = 10 + h * (1 + std::abs(std::log(x + h)));
      EXPECT_LE(abs(Real(math::lgamma_rise(x, h)) - expected), 1e-15 * (size + abs(expected))) << x << " " << h;
    }
}

TEST(SpecialFunctions, DigammaKeepsRelativeAccuracyEverywhere) {
  for (const double x : arguments())
    expect_relative(math::digamma(x), boost::math::digamma(Real(x)), 1e-15, "digamma", x);
  EXPECT_EQ(math::digamma(0), -kInfinity);
}

TEST(SpecialFunctions, NaNStaysNaN) {
  EXPECT_TRUE(std::isnan(math::lgamma(std::nan(""))));
  EXPECT_TRUE(std::isnan(math::digamma(std::nan(""))));
  EXPECT_TRUE(std::isnan(math::gamma_entropy(std::nan(""))));
}

TEST(SpecialFunctions, GammaEntropyHasNoTermsOfSizeALogA) {
  for (const double a : arguments()) {
    if (a > 1e15) continue;  // beyond, the definition cancels in quadruple precision too
    const Real x = a, expected = x + boost::math::lgamma(x) + (1 - x) * boost::math::digamma(x);
    // Below 10 it is the sum of three terms, of size 1 / a for small a and of size 20 otherwise.
    EXPECT_LE(abs(Real(math::gamma_entropy(a)) - expected), 1e-15 * (10 + abs(expected))) << a;
  }
}

TEST(SpecialFunctions, MultivariateGammaReducesToSmallerDimensions) {
  for (int d = 1; d <= 9; ++d)
    for (const double excess : {0.01, 0.5, 3., 77.}) {
      const double a = 0.5 * (d - 1) + excess;
      double expected = math::lgamma(a), psi = math::digamma(a);
      if (d > 1) {  // Gamma_d(a) = pi^((d-1)/2) Gamma(a) Gamma_{d-1}(a - 1/2)
        expected += 0.5 * (d - 1) * std::log(M_PI) + math::multivariate_lgamma(a - 0.5, d - 1);
        psi += math::multivariate_digamma(a - 0.5, d - 1);
      }
      EXPECT_NEAR(math::multivariate_lgamma(a, d), expected, 1e-14 * (10 + std::abs(expected))) << d << ", " << a;
      EXPECT_NEAR(math::multivariate_digamma(a, d), psi, 1e-14 * (1 + std::abs(psi))) << d << ", " << a;
    }
}

TEST(SpecialFunctions, LogSumExpIsShiftedBySums) {
  std::mt19937 rng(3);
  std::normal_distribution<double> gauss(0, 5);
  for (int n = 1; n <= 40; ++n) {
    std::vector<double> x(n);
    long double sum = 0;
    for (double& v : x) sum += std::exp((long double)(v = gauss(rng)));
    const double expected = double(std::log(sum));
    EXPECT_NEAR(math::log_sum_exp(x.data(), n), expected, 1e-15 * (10 + std::abs(expected)));
    for (const double shift : {-1e5, 1e5}) {
      std::vector<double> moved = x;
      for (double& v : moved) v += shift;
      EXPECT_NEAR(math::log_sum_exp(moved.data(), n), expected + shift, 1e-10);
    }
    x[n / 2] = -kInfinity;
    long double rest = 0;
    for (const double v : x) rest += std::exp((long double)(v));
    EXPECT_DOUBLE_EQ(math::log_sum_exp(x.data(), n), double(std::log(rest)));
  }
  EXPECT_EQ(math::log_sum_exp(nullptr, 0), -kInfinity);
}

}  // namespace
