// SPDX-License-Identifier: Apache-2.0
// Rows drawn from a mixture: the law of its predictive, and numbers that depend on seed and row alone. Seeds are fixed,
// so what passes once passes always.
#include "tests/device.hpp"
#include "tests/fits.hpp"
#include "tests/models.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/quadrature/gauss.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

using namespace cavi;
using namespace cavi::test;

constexpr double kUnlikely = 1e-3;

class EveryType : public ::testing::TestWithParam<CovarianceType> {};
INSTANTIATE_TEST_SUITE_P(Types, EveryType, ::testing::ValuesIn(kCovariances), type_name);

/// Few rows: degrees of freedom stay small and tails heavy.
Mixture small_fit(CovarianceType type, int d, int threads = 1, std::int64_t memory = 0) {
  MixtureOptions o = options(type, WeightPrior::dirichlet_process, Scalar::float64);
  o.n_components = 3;
  o.max_iter = 3;
  const Matrix x = three_clouds(18, d, 3);
  Mixture m(o, cavi::testing::test_device(threads, memory));
  m.fit(x, {}, cavi::testing::labels(18, 2));
  return m;
}

/// How likely counts at least as far from the expected ones are.
double chi_squared_p(const std::vector<double>& counts, const std::vector<double>& expected) {
  double statistic = 0;
  for (std::size_t i = 0; i < counts.size(); ++i)
    statistic += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
  return boost::math::cdf(boost::math::complement(boost::math::chi_squared(double(counts.size()) - 1), statistic));
}

/// Kolmogorov and Smirnov's test of probabilities that should be uniform, by the first term of its series.
double kolmogorov_smirnov_p(std::vector<double> u) {
  std::sort(u.begin(), u.end());
  const double n = double(u.size());
  double largest = 0;
  for (std::size_t i = 0; i < u.size(); ++i)
    largest = std::max({largest, u[i] - double(i) / n, double(i + 1) / n - u[i]});
  return std::min(1.0, 2 * std::exp(-2 * n * largest * largest));
}

// Counts in the cells of a grid against the density integrated over each, what lies outside as one more cell.
TEST_P(EveryType, TheLawOfSamplesIsThePredictiveDensity) {
  using Gauss = boost::math::quadrature::gauss<double, 15>;
  constexpr int kCells = 12, kRows = 200'000;
  constexpr double kFrom = -6, kWidth = 1.5;
  const Mixture m = small_fit(GetParam(), 2);

  std::vector<double> node, weight;  // on [-1, 1]
  for (const int sign : {-1, 1})
    for (std::size_t i = sign < 0 ? 1 : 0; i < Gauss::abscissa().size(); ++i) {  // the first is 0
      node.push_back(sign * Gauss::abscissa()[i]);
      weight.push_back(Gauss::weights()[i]);
    }
  std::vector<double> points;
  for (int cell = 0; cell < kCells * kCells; ++cell)
    for (const double u : node)
      for (const double v : node) {
        points.push_back(kFrom + kWidth * (cell / kCells + 0.5 + u / 2));
        points.push_back(kFrom + kWidth * (cell % kCells + 0.5 + v / 2));
      }
  const std::vector<double> log_density = m.score_samples(Matrix(points, std::int64_t(points.size() / 2), 2));
  std::vector<double> expected(kCells * kCells + 1);
  double rest = 1;
  for (std::size_t cell = 0, at = 0; cell < kCells * kCells; ++cell) {
    for (const double a : weight)
      for (const double b : weight) expected[cell] += a * b * kWidth * kWidth / 4 * std::exp(log_density[at++]);
    rest -= expected[cell];
  }
  expected.back() = rest;
  ASSERT_GT(rest, 1e-3) << "tails are part of the test";

  std::vector<double> counts(expected.size());
  const Samples s = m.sample(kRows, 11);
  for (std::size_t n = 0; n < kRows; ++n) {
    const double x = std::floor((s.rows[2 * n] - kFrom) / kWidth), y = std::floor((s.rows[2 * n + 1] - kFrom) / kWidth);
    const bool inside = x >= 0 && x < kCells && y >= 0 && y < kCells;
    ++counts[inside ? std::size_t(x) * kCells + std::size_t(y) : kCells * kCells];
  }
  // Cells with little to expect join the one outside.
  std::vector<double> c{0}, e{0};
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (expected[i] * kRows < 10) {
      c[0] += counts[i], e[0] += expected[i] * kRows;
    } else {
      c.push_back(counts[i]), e.push_back(expected[i] * kRows);
    }
  }
  EXPECT_GT(chi_squared_p(c, e), kUnlikely);
}

TEST_P(EveryType, ComponentsAreDrawnByWeightAndCoordinatesAreStudentT) {
  constexpr int kD = 5, kRows = 20'000;
  const Mixture m = small_fit(GetParam(), kD);
  const MixturePosterior& p = m.posterior();
  const Samples s = m.sample(kRows, 12);
  std::vector<double> counts(3), expected(3);
  double total = 0;
  for (double w : p.weights) total += w;
  for (std::size_t k = 0; k < 3; ++k) expected[k] = kRows * p.weights[k] / total;
  for (const std::int32_t k : s.components) ++counts.at(std::size_t(k));
  EXPECT_GT(chi_squared_p(counts, expected), kUnlikely);

  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t i = 0; i < kD; ++i) {
      const bool tied = GetParam() == CovarianceType::tied, full = GetParam() == CovarianceType::full;
      const double nu = p.degrees_of_freedom[tied ? 0 : k], t = full || tied ? nu + 1 - kD : nu;
      const double scale = full                                 ? p.inverse_scale[(k * kD + i) * kD + i]
                           : tied                               ? p.inverse_scale[i * kD + i]
                           : GetParam() == CovarianceType::diag ? p.inverse_scale[k * kD + i]
                                                                : p.inverse_scale[k];
      const double width = std::sqrt((1 + p.mean_precision[k]) / p.mean_precision[k] * scale / t);
      std::vector<double> u;
      for (std::size_t n = 0; n < kRows; ++n)
        if (s.components[n] == std::int32_t(k))
          u.push_back(boost::math::cdf(boost::math::students_t(t), (s.rows[n * kD + i] - p.means[k * kD + i]) / width));
      EXPECT_GT(kolmogorov_smirnov_p(u), kUnlikely) << k << " " << i;
    }
}

TEST(Sample, MomentsOfATypeWithMoments) {
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet, Scalar::float64);
  o.n_components = 1;
  const Matrix x = three_clouds(400, 2, 4);
  Mixture m(o, cavi::testing::test_device());
  m.fit(x);
  constexpr int kRows = 100'000;
  const Samples s = m.sample(kRows, 13);
  const MixturePosterior& p = m.posterior();
  double mean[2] = {}, second[2][2] = {};
  for (std::size_t n = 0; n < kRows; ++n)
    for (std::size_t i = 0; i < 2; ++i) mean[i] += s.rows[2 * n + i] / kRows;
  for (std::size_t n = 0; n < kRows; ++n)
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 2; ++j)
        second[i][j] += (s.rows[2 * n + i] - mean[i]) * (s.rows[2 * n + j] - mean[j]) / kRows;
  const double beta = p.mean_precision[0], nu = p.degrees_of_freedom[0];
  for (std::size_t i = 0; i < 2; ++i) {
    const double deviation = std::sqrt(second[i][i] / kRows);
    EXPECT_NEAR(mean[i], p.means[i], 4 * deviation);
    for (std::size_t j = 0; j < 2; ++j) {  // of a Student-t: its scale times t / (t - 2), t = nu - 1
      const double expected = (1 + beta) / beta * p.inverse_scale[2 * i + j] / (nu - 3);
      EXPECT_NEAR(second[i][j], expected, 0.02 * std::sqrt(second[i][i] * second[j][j]));
    }
  }
}

TEST_P(EveryType, ARowDependsOnSeedAndNumberAlone) {
  const Mixture m = small_fit(GetParam(), 3), threaded = small_fit(GetParam(), 3, 5, 1 << 20);
  constexpr std::int64_t kRows = 66'000;  // more than a wave, on a device of 1 MiB
  const Samples all = m.sample(kRows, 14);
  EXPECT_TRUE(raw(threaded.sample(kRows, 14).rows) == raw(all.rows));
  for (const std::int64_t n : {1, 2, 255, 257, 5000}) {
    const Samples some = threaded.sample(n, 14);
    EXPECT_EQ(some.rows, std::vector<double>(all.rows.begin(), all.rows.begin() + 3 * n));
    EXPECT_EQ(some.components, std::vector<std::int32_t>(all.components.begin(), all.components.begin() + n));
  }
  EXPECT_NE(m.sample(10, 15).rows, m.sample(10, 14).rows);
  EXPECT_TRUE(m.sample(0, 14).rows.empty());
  EXPECT_EQ(message_of<OptionError>([&] { m.sample(-1, 14); }), "the number of rows must be 0 or more, not -1");
}

// Degrees of freedom next to none, where a Gamma variate may lie below the smallest number.
TEST(Sample, TheHeaviestTailsHaveNoNaN) {
  MixtureOptions o = options(CovarianceType::diag, WeightPrior::dirichlet, Scalar::float64);
  o.n_components = 2;
  o.degrees_of_freedom_prior = 1e-3;
  Mixture m(o, cavi::testing::test_device());
  m.fit(three_clouds(10, 2, 5), {}, std::vector<std::int32_t>(10, 1));
  const Samples s = m.sample(20'000, 16);
  for (const double v : s.rows) EXPECT_FALSE(std::isnan(v));
  EXPECT_TRUE(std::any_of(s.rows.begin(), s.rows.end(), [](double v) { return std::abs(v) > 1e100; }));
}

}  // namespace
