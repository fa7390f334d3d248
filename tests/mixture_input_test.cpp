// SPDX-License-Identifier: Apache-2.0
// The estimator: what it is told, budgets, starts and callbacks, and what is wrong with options, data and problems of a
// batch.
#include "tests/messages.hpp"
#include "tests/mixture_fit.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

using namespace cavi;
using namespace cavi::mixture_test;  // NOLINT
using cavi::test::message_of;
using cavi::testing::clusters;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Mixture, KeepsToItsBudgetOfSweepsAndToTheCaller) {
  const Matrix x(clusters(300, 2, 9), 300, 2);
  MixtureOptions o = options(CovarianceType::full, 4);
  o.max_iter = 7;
  EXPECT_EQ(fit(o, x).summary.n_iter, 7);
  EXPECT_EQ(fit(o, x).summary.elbo_trace.size(), 8u);
  EXPECT_EQ(fit(o, x).summary.termination, Termination::max_iter);
  o.max_iter = 0;
  EXPECT_EQ(fit(o, x).summary.elbo_trace.size(), 1u);
  o.max_iter = 500;
  o.tol = 1e-7;
  const Fit done = fit(o, x);
  EXPECT_TRUE(done.summary.converged());
  const auto& t = done.summary.elbo_trace;
  EXPECT_LT(t.back() - t[t.size() - 2], 1e-7 * 300);
  EXPECT_GE(t[t.size() - 2] - t[t.size() - 3], 1e-7 * 300);
  int calls = 0;
  o.on_sweep = [&](const Sweep& s) {
    EXPECT_EQ(s.index, ++calls);
    return calls < 4;
  };
  const Fit stopped = fit(o, x);
  EXPECT_EQ(stopped.summary.termination, Termination::stopped);
  EXPECT_EQ(stopped.summary.n_iter, 4);
}

TEST(Mixture, StartsAreReproducibleAndDiffer) {
  const Matrix x(clusters(500, 3, 10), 500, 3);
  for (const Init init : {Init::kmeans, Init::kmeans_plus_plus, Init::random, Init::random_from_data}) {
    MixtureOptions o = options(CovarianceType::full, 6);
    o.init_params = init;
    const Fit a = fit(o, x), again = fit(o, x, {}, {}, 8);
    EXPECT_EQ(a.summary.elbo_trace, again.summary.elbo_trace);
    EXPECT_EQ(a.q.means, again.q.means);
    o.seed += 1;
    EXPECT_NE(a.summary.elbo_trace, fit(o, x).summary.elbo_trace);
  }
}

TEST(Mixture, ResponsibilitiesAsAStartAgreeWithLabels) {
  const int n = 80, k = 3;
  const Matrix x(clusters(n, 2, 11), n, 2);
  const std::vector<std::int32_t> labels = cavi::testing::labels(n, k);
  std::vector<double> r(std::size_t(n * k), 0);
  for (int i = 0; i < n; ++i) r[std::size_t(i * k + labels[std::size_t(i)])] = 1;
  const MixtureOptions o = options(CovarianceType::full, k);
  EXPECT_EQ(fit(o, x, {}, labels).summary.elbo_trace, fit(o, x, {}, Matrix(r, n, k)).summary.elbo_trace);
}

TEST(Mixture, WrongOptionsAreAllNamedAtOnce) {
  MixtureOptions o;
  o.n_components = 0;
  o.mean_precision_prior = -1;
  o.max_iter = -2;
  o.tol = kNaN;
  o.weight_concentration_prior = 0;
  o.discount = 0.5;
  const std::string all = message_of<OptionError>([&] { Mixture{o}; });
  for (const char* name :
       {"n_components", "mean_precision_prior", "max_iter", "tol", "weight_concentration_prior", "discount"})
    EXPECT_NE(all.find(name), std::string::npos) << all;
  MixtureOptions p;
  p.degrees_of_freedom_prior = 1;
  p.mean_prior = std::vector<double>{1, 2};
  p.covariance_prior = std::vector<double>{1};
  const std::vector<std::string> problems = p.problems(3);
  EXPECT_EQ(problems.size(), 3u);
}

TEST(Mixture, TheTrueCauseOfAnOverflowIsNamed) {
  const std::vector<double> x = clusters(20, 2, 12);
  MixtureOptions o = options(CovarianceType::full, 2);
  for (const double weight : {1e300, 1.7e308}) {
    const std::string says =
        message_of<NumericalError>([&] { fit(o, Matrix(x, 20, 2), std::vector<double>(20, weight)); });
    EXPECT_NE(says.find("the weights add up to"), std::string::npos) << says;
  }
  EXPECT_TRUE(std::isfinite(fit(o, Matrix(x, 20, 2), std::vector<double>(20, 1e25)).summary.elbo));
  o.degrees_of_freedom_prior = 1e300;
  ASSERT_EQ(o.problems(2).size(), 1u);
  EXPECT_NE(o.problems(2)[0].find("degrees_of_freedom_prior must be at most 1e+15"), std::string::npos);
  MixtureOptions exponential;
  exponential.family = ComponentFamily::exponential;
  const std::string says =
      message_of<NumericalError>([&] { fit(exponential, Matrix(std::vector<double>(4, 1e308), 4, 1)); });
  EXPECT_NE(says.find("column 0 has a sum too large for float64"), std::string::npos) << says;
}

// The engine keeps a concentration less one: what is far smaller than one would be another prior than was asked for.
TEST(Mixture, AConcentrationThatIsLostInRoundingIsRefused) {
  const auto complaints = [](WeightPrior prior, double discount, double concentration) {
    MixtureOptions o;
    o.weight_concentration_prior_type = prior;
    o.discount = discount;
    o.weight_concentration_prior = concentration;
    return o.problems(2);
  };
  for (const WeightPrior prior : {WeightPrior::dirichlet, WeightPrior::dirichlet_process}) {
    EXPECT_TRUE(complaints(prior, 0, 1e-10).empty());
    for (const double tiny : {9e-11, 1e-17, 1e-300}) {
      ASSERT_EQ(complaints(prior, 0, tiny).size(), 1u) << tiny;
      EXPECT_NE(complaints(prior, 0, tiny)[0].find("at least 1e-10 above 0, not"), std::string::npos);
    }
  }
  EXPECT_TRUE(complaints(WeightPrior::pitman_yor, 0.25, -0.2).empty());
  EXPECT_TRUE(complaints(WeightPrior::pitman_yor, 0.25, 1e-17).empty());
  EXPECT_EQ(complaints(WeightPrior::pitman_yor, 0.25, -0.25 + 1e-14).size(), 1u);
}

TEST(Mixture, WrongDataAreRefusedByName) {
  const MixtureOptions o = options(CovarianceType::full, 2);
  std::vector<double> x = clusters(20, 2, 12);
  EXPECT_NE(message_of<ShapeError>([&] { fit(o, Matrix(std::vector<double>{}, 0, 2)); }).find("0 rows"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] { fit(o, Matrix(x, 20, 2), {1, 2}); }).find("20 rows"), std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] { fit(o, Matrix(x, 20, 2), std::vector<double>(20, 0)); }).find("zero"),
            std::string::npos);
  EXPECT_NE(message_of<NumericalError>([&] {
              fit(o, Matrix(x, 20, 2), [] {
                std::vector<double> w(20, 1);
                w[3] = -1;
                return w;
              }());
            }).find("element 3"),
            std::string::npos);
  EXPECT_NE(
      message_of<ShapeError>([&] { fit(o, Matrix(x, 20, 2), {}, std::vector<std::int32_t>(20, 5)); }).find("row 0"),
      std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] { fit(o, Matrix(x, 20, 2), {}, std::vector<std::int32_t>(19, 0)); }).find("20"),
            std::string::npos);
  EXPECT_NE(message_of<ShapeError>([&] {
              fit(o, Matrix(x, 20, 2), {}, Matrix(std::vector<double>(60, 0.3), 20, 3));
            }).find("20 x 2"),
            std::string::npos);
  x[7] = std::numeric_limits<double>::infinity();
  EXPECT_NE(message_of<NumericalError>([&] { fit(o, Matrix(x, 20, 2)); }).find("row 3, column 1"), std::string::npos);
  MixtureOptions not_definite = o;
  not_definite.covariance_prior = std::vector<double>{1, 2, 2, 1};
  EXPECT_NE(
      message_of<ShapeError>([&] { fit(not_definite, Matrix(clusters(20, 2, 12), 20, 2)); }).find("positive definite"),
      std::string::npos);
  EXPECT_THROW(Mixture(o).posterior(), Error);
}

TEST(Mixture, AProblemThatFailsDoesNotStopTheBatch) {
  const int d = 2;
  std::vector<double> x = clusters(100, d, 13);
  x[std::size_t(45 * d)] = kNaN;
  const std::vector<std::int64_t> offsets = {0, 40, 60, 60, 100};
  const MixtureOptions o = options(CovarianceType::full, 3);
  const MixtureBatch b = fit_batch(o, Matrix(x, 100, d), offsets, cavi::testing::test_device(2));
  EXPECT_EQ(b.summaries[0].n_iter, 12);
  EXPECT_EQ(b.summaries[1].termination, Termination::numerical_error);
  EXPECT_NE(b.summaries[1].message.find("column 0"), std::string::npos) << b.summaries[1].message;
  EXPECT_EQ(b.summaries[2].termination, Termination::no_data);
  EXPECT_EQ(b.summaries[3].n_iter, 12);
  EXPECT_EQ(fit(o, Matrix::view(x.data(), 40, d)).summary.elbo_trace, b.summaries[0].elbo_trace);
  const MixtureBatch lone = fit_batch(o, Matrix(x, 100, d), {0, 100}, cavi::testing::test_device(1));
  EXPECT_EQ(lone.summaries[0].termination, Termination::numerical_error);
  EXPECT_TRUE(fit_batch(o, Matrix(std::vector<double>{}, 0, d), {0}).summaries.empty());
  EXPECT_THROW(fit_batch(o, Matrix(x, 100, d), {0, 60, 40, 100}), ShapeError);
  EXPECT_THROW(fit_batch(o, Matrix(x, 100, d), {0, 99}), ShapeError);
}

}  // namespace
