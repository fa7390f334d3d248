// SPDX-License-Identifier: Apache-2.0
// What a fitted mixture says about rows: responsibilities are those of the next sweep, the predictive is a density, and
// a row's results depend on that row alone.
#include "tests/device.hpp"
#include "tests/fits.hpp"
#include "tests/models.hpp"
#include "tests/reference.hpp"

#include <cavi/cavi.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/math/quadrature/gauss_kronrod.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace {

using namespace cavi;
using namespace cavi::test;
using cavi::testing::expect_close;
using cavi::testing::test_device;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

/// A few sweeps with float64 arithmetic from labels, so that components overlap and one stays empty.
Mixture overlapping(CovarianceType type, WeightPrior prior, const Matrix& x, int sweeps = 4,
                    const Device& device = test_device()) {
  MixtureOptions o = options(type, prior, Scalar::float64);
  o.n_components = 5;
  o.max_iter = sweeps;
  Mixture m(o, device);
  m.fit(x, {}, cavi::testing::labels(int(x.rows()), 4));
  return m;
}

Matrix rows_of(const Matrix& x, std::int64_t first, std::int64_t count) {
  const std::vector<double> all = x.to_vector();
  const std::ptrdiff_t cols = x.cols();
  return Matrix(std::vector<double>(all.begin() + first * cols, all.begin() + (first + count) * cols), count, x.cols());
}

class EveryType : public ::testing::TestWithParam<CovarianceType> {};
INSTANTIATE_TEST_SUITE_P(Types, EveryType, ::testing::ValuesIn(kCovariances), type_name);

// ---- responsibilities -----------------------------------------------------------------------------------------------

TEST_P(EveryType, ResponsibilitiesAreThoseOfTheNextSweep) {
  for (const WeightPrior prior : kWeightPriors)
    for (const int d : {1, 2, 9}) {
      const Matrix x = three_clouds(403, d, 3);
      const Mixture before = overlapping(GetParam(), prior, x, 3), after = overlapping(GetParam(), prior, x, 4);
      MixtureOptions o = before.options();
      o.max_iter = 0;
      Mixture started(o, test_device());
      started.fit(x, {}, Matrix(before.predict_proba(x), x.rows(), 5));
      const MixturePosterior &a = started.posterior(), &b = after.posterior();
      expect_close(a.counts, b.counts, 1e-10, 1, "counts");
      expect_close(a.means, b.means, 1e-10, 1, "means");
      expect_close(a.inverse_scale, b.inverse_scale, 1e-10, 1, "inverse scale");
    }
}

TEST_P(EveryType, LabelsAndTopComponentsAreReadOffResponsibilities) {
  for (const WeightPrior prior : kWeightPriors) {
    const Matrix x = three_clouds(1501, 3, 4);
    const Mixture m = overlapping(GetParam(), prior, x);
    const std::vector<double> r = m.predict_proba(x);
    const std::vector<std::int32_t> labels = m.predict(x);
    for (int k = 1; k <= 5; ++k) {
      const TopComponents top = m.predict_top(x, k);
      ASSERT_EQ(top.components.size(), std::size_t(1501 * k));
      ASSERT_EQ(top.probabilities.size(), std::size_t(1501 * k));
      for (std::size_t n = 0; n < 1501; ++n) {
        std::vector<std::int32_t> order{0, 1, 2, 3, 4};
        std::stable_sort(order.begin(), order.end(),
                         [&](int a, int b) { return r[n * 5 + std::size_t(a)] > r[n * 5 + std::size_t(b)]; });
        ASSERT_EQ(labels[n], order[0]);
        for (std::size_t t = 0; t < std::size_t(k); ++t) {
          ASSERT_EQ(top.components[n * std::size_t(k) + t], order[t]) << n;
          ASSERT_EQ(top.probabilities[n * std::size_t(k) + t], r[n * 5 + std::size_t(order[t])]) << n;
        }
      }
    }
  }
}

TEST_P(EveryType, EqualComponentsStandInTheirOrder) {
  const Matrix x = three_clouds(200, 2, 5);
  MixtureOptions o = options(GetParam(), WeightPrior::dirichlet, Scalar::float64);
  o.n_components = 7;  // of which two get rows: the others stay at the prior, all alike
  o.max_iter = 0;
  Mixture m(o, test_device());
  std::vector<std::int32_t> labels(200);
  for (std::size_t n = 0; n < 200; ++n) labels[n] = n % 2 ? 2 : 5;
  m.fit(x, {}, labels);
  const TopComponents top = m.predict_top(x, 7);
  for (std::size_t n = 0; n < 200; ++n) {
    std::vector<std::int32_t> alike;
    for (std::size_t t = 0; t < 7; ++t)
      if (const auto k = top.components[n * 7 + t]; k != 2 && k != 5) alike.push_back(k);
    ASSERT_EQ(alike, (std::vector<std::int32_t>{0, 1, 3, 4, 6}));
  }
}

TEST_P(EveryType, ResponsibilitiesAreProbabilities) {
  const Matrix x = three_clouds(500, 2, 6);
  const Mixture m = overlapping(GetParam(), WeightPrior::dirichlet_process, x);
  const std::vector<double> r = m.predict_proba(x);
  for (std::size_t n = 0; n < 500; ++n) {
    EXPECT_NEAR(std::accumulate(r.begin() + std::ptrdiff_t(5 * n), r.begin() + std::ptrdiff_t(5 * n + 5), 0.0), 1,
                1e-14);
    for (std::size_t k = 0; k < 5; ++k) EXPECT_TRUE(r[5 * n + k] >= 0 && r[5 * n + k] <= 1 + 1e-15);
  }
}

// ---- the predictive -------------------------------------------------------------------------------------------------

template <class F>
double integral(F f, double tolerance) {
  return boost::math::quadrature::gauss_kronrod<double, 31>::integrate(f, -kInfinity, kInfinity, 15, tolerance);
}

double density(const Mixture& m, std::vector<double> row) {
  const int d = int(row.size());
  return std::exp(m.score_samples(Matrix(std::move(row), 1, d))[0]);
}

// By the host, whose densities are those of any device: they are asked for one row at a time, very often.
TEST_P(EveryType, PredictiveIntegratesToOneOnTheLine) {
  for (const WeightPrior prior : kWeightPriors) {
    const Mixture m = overlapping(GetParam(), prior, three_clouds(120, 1, 7), 4, Device::cpu(1));
    EXPECT_NEAR(integral([&](double x) { return density(m, {x}); }, 1e-9), 1, 1e-6);
  }
}

TEST_P(EveryType, PredictiveIntegratesToOneInThePlane) {
  const Mixture m = overlapping(GetParam(), WeightPrior::dirichlet_process, three_clouds(120, 2, 8), 4, Device::cpu(1));
  const auto column = [&](double x) { return integral([&](double y) { return density(m, {x, y}); }, 1e-7); };
  EXPECT_NEAR(integral(column, 1e-7), 1, 1e-6);
}

/// The definition on the line: the Normal-Gamma posterior of every component integrated numerically, on the scale of
/// the posterior's own spread.
double predictive_by_definition(const MixturePosterior& p, double x) {
  double sum = 0, weights = 0;
  for (std::size_t k = 0; k < std::size_t(p.n_components); ++k) {
    const bool tied = p.covariance_type == CovarianceType::tied;
    const double a = p.degrees_of_freedom[tied ? 0 : k] / 2, b = p.inverse_scale[tied ? 0 : k] / 2;
    const double beta = p.mean_precision[k], m = p.means[k];
    const auto given_precision = [&](double log_lambda) {
      const double lambda = std::exp(log_lambda);
      const double gamma = a * std::log(b) - std::lgamma(a) + a * log_lambda - b * lambda;  // d ln lambda included
      if (gamma < -700 || lambda < 1e-300) return 0.0;
      const double prior = beta * lambda, total = lambda + prior, at = (lambda * x + prior * m) / total;
      const auto given_mean = [&](double step) {
        const double mu = at + step / std::sqrt(total);
        return std::exp(gamma + 0.5 * std::log(lambda * prior) - std::log(2 * M_PI) -
                        0.5 * (lambda * (x - mu) * (x - mu) + prior * (mu - m) * (mu - m))) /
               std::sqrt(total);
      };
      return integral(given_mean, 1e-11);
    };
    sum += p.weights[k] * integral(given_precision, 1e-11);
    weights += p.weights[k];
  }
  return sum / weights;
}

TEST_P(EveryType, PredictiveIsTheDensityAveragedOverThePosterior) {
  const Mixture m = overlapping(GetParam(), WeightPrior::pitman_yor, three_clouds(60, 1, 9));
  for (const double x : {-20.0, 0.3, 4.4}) {
    const double expected = predictive_by_definition(m.posterior(), x);
    EXPECT_NEAR(density(m, {x}), expected, 1e-9 * expected) << x;
  }
}

TEST(Predictive, MeetsTheReference) {
  const Matrix x = open_matrix(std::string(CAVI_TEST_DIR) + "/data/faithful_z.npy"), five = rows_of(x, 0, 5);
  const cavi::testing::Json file = cavi::testing::reference("gaussian_mixture.json");
  for (const cavi::testing::Json& c : file["cases"]) {
    const std::string type = c["covariance_type"], prior = c["weight_prior"];
    SCOPED_TRACE(type + " " + prior);
    MixtureOptions o;
    o.n_components = c["n_components"];
    for (const CovarianceType t : kCovariances)
      if (type == kTypeNames[int(t)]) o.covariance_type = t;
    o.weight_concentration_prior_type = prior == "dirichlet" ? WeightPrior::dirichlet
                                        : prior == "dp"      ? WeightPrior::dirichlet_process
                                                             : WeightPrior::pitman_yor;
    o.weight_concentration_prior = c["concentration"];
    o.discount = c["discount"];
    o.mean_prior = {0, 0};
    o.mean_precision_prior = c["mean_precision_prior"];
    o.degrees_of_freedom_prior = c["degrees_of_freedom_prior"];
    const auto is = [&](CovarianceType t) { return o.covariance_type == t; };
    o.covariance_prior = is(CovarianceType::diag)        ? std::vector<double>{1, 1}
                         : is(CovarianceType::spherical) ? std::vector<double>{1}
                                                         : std::vector<double>{1, 0, 0, 1};
    o.max_iter = c["sweeps"];
    o.tol = 0;
    o.precision = Scalar::float64;
    std::vector<double> weights;
    for (int n = 0; c["sample_weights"].get<bool>() && n < x.rows(); ++n) weights.push_back(0.25 + 0.5 * (n % 4));
    Mixture m(o, test_device());
    m.fit(x, weights, c["initial_labels"].get<std::vector<std::int32_t>>());
    expect_close(m.score_samples(five), cavi::testing::flat(c["log_predictive_first5"]), 1e-10, 1, "log predictive");
  }
}

TEST(Predictive, OnTheLineThreeTypesAreOne) {
  const Matrix x = three_clouds(100, 1, 10);
  const std::vector<double> full = overlapping(CovarianceType::full, WeightPrior::dirichlet, x).score_samples(x);
  for (const CovarianceType type : {CovarianceType::diag, CovarianceType::spherical})
    expect_close(overlapping(type, WeightPrior::dirichlet, x).score_samples(x), full, 1e-12, 1, "log predictive");
}

TEST_P(EveryType, PredictionsMoveAndScaleWithTheData) {
  const Matrix x = three_clouds(300, 3, 11);
  std::vector<double> moved = x.to_vector();
  for (double& v : moved) v = 4 * v + 100;
  const Matrix y(moved, 300, 3);
  const Mixture a = overlapping(GetParam(), WeightPrior::dirichlet, x),
                b = overlapping(GetParam(), WeightPrior::dirichlet, y);
  std::vector<double> expected = a.score_samples(x);
  for (double& v : expected) v -= 3 * std::log(4.0);
  expect_close(b.score_samples(y), expected, 1e-10, 1, "log predictive");
  expect_close(b.predict_proba(y), a.predict_proba(x), 1e-9, 1, "responsibilities");
}

TEST_P(EveryType, ScoreIsTheMean) {
  const Matrix x = three_clouds(300, 2, 12);
  const Mixture m = overlapping(GetParam(), WeightPrior::dirichlet, x);
  const std::vector<double> log_density = m.score_samples(x);
  EXPECT_NEAR(m.score(x), std::accumulate(log_density.begin(), log_density.end(), 0.0) / 300, 1e-13);
}

// ---- rows, blocks, threads ------------------------------------------------------------------------------------------

/// Every prediction for x, as bits.
std::string predictions(const Mixture& m, const Matrix& x) {
  const TopComponents top = m.predict_top(x, 2);
  return raw(m.predict(x)) + raw(m.predict_proba(x)) + raw(top.components) + raw(top.probabilities) +
         raw(m.score_samples(x)) + raw(std::vector<double>{m.score(x)});
}

TEST_P(EveryType, ThreadsFilesAndPrecisionOfStorageChangeNothing) {
  const Folder folder;
  const Matrix training = three_clouds(400, 3, 13);
  const int n = cavi::testing::on_cuda() ? 20'001 : 70'001;  // more than a wave
  std::vector<double> values = three_clouds(n, 3, 14).to_vector();
  for (double& v : values) v = double(float(v));
  write_npy(folder.path / "x.npy", values, n, 3);
  const Mixture one = overlapping(GetParam(), WeightPrior::dirichlet_process, training);
  one.save(folder.path / "m.npz");
  const std::string expected = predictions(one, Matrix(values, n, 3));
  for (const int threads : {2, 7}) {
    const Mixture loaded = Mixture::load(folder.path / "m.npz", test_device(threads, 1 << 19));
    EXPECT_TRUE(predictions(loaded, Matrix(values, n, 3)) == expected) << threads;
    ReadOptions streamed;
    streamed.memory = 1 << 20;  // less than the file has
    EXPECT_TRUE(predictions(loaded, open_matrix(folder.path / "x.npy", streamed)) == expected) << "file, " << threads;
    EXPECT_TRUE(predictions(loaded, Matrix(std::vector<float>(values.begin(), values.end()), n, 3)) == expected);
  }
}

TEST_P(EveryType, ARowDoesNotSeeItsNeighbours) {
  const Matrix x = three_clouds(1700, 6, 15);
  const Mixture m = overlapping(GetParam(), WeightPrior::dirichlet_process, x);
  const std::vector<double> log_density = m.score_samples(x), r = m.predict_proba(x);
  for (const std::int64_t count : {1, 5, 767, 1000})
    for (const std::int64_t first : {0, 3, 690}) {
      const Matrix part = rows_of(x, first, count);
      const auto piece = [&](const std::vector<double>& all, std::int64_t width) {
        return std::vector<double>(all.begin() + first * width, all.begin() + (first + count) * width);
      };
      EXPECT_EQ(m.score_samples(part), piece(log_density, 1));
      EXPECT_EQ(m.predict_proba(part), piece(r, 5));
    }
}

TEST(Prediction, AwkwardSizes) {
  for (const CovarianceType type : kCovariances)
    for (const int d : {1, 4, 5, 8, 17})
      for (const int k : {1, 2, 3, 9}) {
        MixtureOptions o = options(type, WeightPrior::dirichlet, Scalar::float64);
        o.n_components = k;
        o.max_iter = 0;
        const Matrix x = three_clouds(50, d, 16);
        Mixture m(o, test_device());
        m.fit(x, {}, cavi::testing::labels(50, k));
        const TopComponents all = m.predict_top(x, k);
        EXPECT_NEAR(std::accumulate(all.probabilities.begin(), all.probabilities.end(), 0.0), 50, 1e-12);
        for (const double s : m.score_samples(x)) EXPECT_TRUE(std::isfinite(s));
      }
}

TEST(Prediction, SinksGetBlocksInOrder) {
  const Matrix x = three_clouds(150'000, 1, 17);
  const Mixture m =
      overlapping(CovarianceType::diag, WeightPrior::dirichlet, rows_of(x, 0, 500), 4, test_device(1, 1 << 20));
  std::vector<double> all;
  int blocks = 0;
  m.score_samples(x, [&](std::span<const double> block) {
    ++blocks;
    all.insert(all.end(), block.begin(), block.end());
  });
  EXPECT_GT(blocks, 1);
  EXPECT_EQ(all, m.score_samples(x));
  struct Full {};
  EXPECT_THROW(m.predict(x, [](std::span<const std::int32_t>) { throw Full(); }), Full);
}

// ---- hostile input --------------------------------------------------------------------------------------------------

TEST(Prediction, NoRowsGiveNoResults) {
  const Mixture m = overlapping(CovarianceType::full, WeightPrior::dirichlet, three_clouds(60, 2, 18));
  for (const Matrix& none : {Matrix(), Matrix(std::vector<double>(), 0, 2)}) {
    EXPECT_TRUE(m.predict(none).empty());
    EXPECT_TRUE(m.predict_proba(none).empty());
    EXPECT_TRUE(m.predict_top(none, 3).components.empty());
    EXPECT_TRUE(m.score_samples(none).empty());
    EXPECT_TRUE(std::isnan(m.score(none)));
  }
}

TEST(Prediction, WrongInputIsNamed) {
  const Mixture unfitted(MixtureOptions(), test_device());
  const Matrix x = three_clouds(60, 2, 19);
  EXPECT_NE(message_of<Error>([&] { unfitted.predict(x); }).find("fit()"), std::string::npos);
  EXPECT_NE(message_of<Error>([&] { unfitted.score(x); }).find("fit()"), std::string::npos);
  const Mixture m = overlapping(CovarianceType::tied, WeightPrior::dirichlet, x);
  const Matrix wide = three_clouds(60, 3, 19), none(std::vector<double>(), 0, 3);
  for (const Matrix& other : {wide, none}) {
    const std::string says = "array: 3 columns, but the mixture was fitted to data with 2";
    EXPECT_EQ(message_of<ShapeError>([&] { m.predict(other); }), says);
    EXPECT_EQ(message_of<ShapeError>([&] { m.predict_proba(other); }), says);
    EXPECT_EQ(message_of<ShapeError>([&] { m.predict_top(other, 1); }), says);
    EXPECT_EQ(message_of<ShapeError>([&] { m.score_samples(other); }), says);
    EXPECT_EQ(message_of<ShapeError>([&] { m.score(other); }), says);
  }
  for (const int k : {0, -1, 6})
    EXPECT_EQ(message_of<OptionError>([&] { m.predict_top(x, k); }),
              fmt::format("the number of top components must be 1 to 5, not {}", k));
}

TEST_P(EveryType, NumbersThatAreNoneAreNamedAndTheFirstRowWins) {
  const Mixture m = overlapping(GetParam(), WeightPrior::dirichlet, three_clouds(60, 3, 20), 4, test_device(3));
  for (const double bad : {kNaN, kInfinity, -kInfinity}) {
    std::vector<double> values = three_clouds(5000, 3, 21).to_vector();
    values[3 * 4999] = values[3 * 1234 + 2] = bad;
    const Matrix x(values, 5000, 3);
    const std::string says = fmt::format("array: row 1234, column 2 (from 0): {}; drop or impute such rows",
                                         std::isnan(bad) ? "NaN" : "infinity");
    EXPECT_EQ(message_of<NumericalError>([&] { m.predict(x); }), says);
    EXPECT_EQ(message_of<NumericalError>([&] { m.predict_proba(x); }), says);
    EXPECT_EQ(message_of<NumericalError>([&] { m.score_samples(x); }), says);
  }
}

TEST_P(EveryType, FarRowsAreScoredOrRefused) {
  const Mixture m = overlapping(GetParam(), WeightPrior::dirichlet, three_clouds(60, 2, 22));
  double before = m.score(Matrix(std::vector<double>{1e3, 1e3}, 1, 2));
  for (const double far : {1e8, 1e19, 3.4e38, 1e60}) {
    const Matrix x(std::vector<double>{far, -far}, 1, 2);
    const double now = m.score(x);
    EXPECT_LT(now, before);  // a power of the distance
    before = now;
    const std::vector<double> r = m.predict_proba(x);
    EXPECT_NEAR(std::accumulate(r.begin(), r.end(), 0.0), 1, 1e-12);
  }
  const Matrix beyond(std::vector<double>{0, 0, 1e200, 1e200}, 2, 2);
  EXPECT_TRUE(std::isfinite(m.score(beyond)));
  EXPECT_EQ(message_of<NumericalError>([&] { m.predict(beyond); }),
            "array: row 1 (from 0) is too far from every component to be told apart");
}

}  // namespace
