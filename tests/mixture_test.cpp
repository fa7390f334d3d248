// SPDX-License-Identifier: Apache-2.0
// The estimator: laws a mixture must obey whatever the data, batches, and input that is wrong.
#include "tests/kinds.hpp"
#include "tests/reference.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace {

using namespace cavi;
using cavi::testing::clusters;
using cavi::testing::every_kind;
using cavi::testing::expect_close;
using cavi::testing::Kind;
using cavi::testing::rows_for;

constexpr CovarianceType kTypes[] = {CovarianceType::full, CovarianceType::tied, CovarianceType::diag,
                                     CovarianceType::spherical};
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

MixtureOptions options(Kind kind, int components, Scalar precision = Scalar::float64) {
  MixtureOptions o = kind.options();
  o.n_components = components;
  o.precision = precision;
  o.tol = 0;
  o.max_iter = 12;
  o.seed = 3;
  return o;
}

MixtureOptions options(CovarianceType type, int components, Scalar precision = Scalar::float64) {
  return options(Kind{ComponentFamily::gaussian, type}, components, precision);
}

struct Fit {
  Summary summary;
  MixturePosterior q;
};

Fit fit(const MixtureOptions& o, const Matrix& x, const std::vector<double>& weight = {},
        const InitialResponsibilities& start = {}, int threads = 1) {
  Mixture m(o, Device::cpu(threads));
  Fit f{m.fit(x, weight, start), {}};
  f.q = m.posterior();
  return f;
}

void expect_same_posterior(const MixturePosterior& a, const MixturePosterior& b, double tolerance) {
  expect_close(a.weights, b.weights, tolerance, 1, "weights");
  expect_close(a.means, b.means, tolerance, 1, "means");
  expect_close(a.component_parameters, b.component_parameters, tolerance, 1, "component parameters");
  expect_close(a.covariances, b.covariances, tolerance, 1, "covariances");
  expect_close(a.degrees_of_freedom, b.degrees_of_freedom, tolerance, 1, "degrees of freedom");
}

class EveryKind : public ::testing::TestWithParam<Kind> {};
class EveryType : public EveryKind {};
std::string name_of(const ::testing::TestParamInfo<Kind>& kind) { return cavi::testing::name_of(kind.param); }
std::vector<Kind> gaussian_kinds() {
  std::vector<Kind> all = every_kind();
  std::erase_if(all, [](const Kind& k) { return k.family != ComponentFamily::gaussian; });
  return all;
}
INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind, ::testing::ValuesIn(every_kind()), name_of);
INSTANTIATE_TEST_SUITE_P(Types, EveryType, ::testing::ValuesIn(gaussian_kinds()), name_of);

TEST_P(EveryType, TranslationChangesNothingButTheMeans) {
  const int n = 200, d = 3;
  std::vector<double> x = clusters(n, d, 1), moved = x;
  for (double& v : moved) v += 100;
  const Fit a = fit(options(GetParam(), 4), Matrix(x, n, d)), b = fit(options(GetParam(), 4), Matrix(moved, n, d));
  expect_close(a.summary.elbo_trace, b.summary.elbo_trace, 1e-10, 1, "bound");
  std::vector<double> means = b.q.means;
  for (double& m : means) m -= 100;
  expect_close(means, a.q.means, 1e-9, 1, "means");
  expect_close(a.q.covariances, b.q.covariances, 1e-9, 1, "covariances");
}

TEST_P(EveryType, ScalingShiftsTheBoundByTheLogVolume) {
  const int n = 150, d = 2;
  std::vector<double> x = clusters(n, d, 2), scaled = x;
  for (double& v : scaled) v *= 8;  // a power of two: no rounding
  const Fit a = fit(options(GetParam(), 3), Matrix(x, n, d)), b = fit(options(GetParam(), 3), Matrix(scaled, n, d));
  for (std::size_t i = 0; i < a.summary.elbo_trace.size(); ++i)
    EXPECT_NEAR(b.summary.elbo_trace[i], a.summary.elbo_trace[i] - n * d * std::log(8.0),
                1e-9 * std::abs(b.summary.elbo));
  expect_close(a.q.weights, b.q.weights, 1e-10, 1, "weights");
}

TEST_P(EveryKind, PermutedRowsColumnsAndComponentsArePermuted) {
  const int n = 120, d = 3, k = 3;
  const std::vector<double> x = rows_for(GetParam(), n, d, 3);
  const std::vector<std::int32_t> labels = cavi::testing::labels(n, k);
  std::vector<double> moved(x.size());
  std::vector<std::int32_t> moved_labels(labels.size());
  const int column[] = {2, 0, 1};
  for (int i = 0; i < n; ++i) {
    const int to = (i * 7 + 5) % n;  // 7 and 120 have no common divisor
    for (int j = 0; j < d; ++j) moved[std::size_t(to * d + column[j])] = x[std::size_t(i * d + j)];
    moved_labels[std::size_t(to)] = (labels[std::size_t(i)] + 1) % k;
  }
  MixtureOptions o = options(GetParam(), k);
  o.weight_concentration_prior_type = WeightPrior::dirichlet;
  const Fit a = fit(o, Matrix(x, n, d), {}, labels), b = fit(o, Matrix(moved, n, d), {}, moved_labels);
  expect_close(a.summary.elbo_trace, b.summary.elbo_trace, 1e-10, 1, "bound");
  for (int c = 0; c < k; ++c) {
    EXPECT_NEAR(a.q.weights[std::size_t(c)], b.q.weights[std::size_t((c + 1) % k)], 1e-10);
    for (int j = 0; j < d; ++j)
      EXPECT_NEAR(a.q.means[std::size_t(c * d + j)], b.q.means[std::size_t((c + 1) % k * d + column[j])], 1e-9);
  }
}

TEST_P(EveryKind, IntegerWeightsAreRepeatedRowsAndZeroWeightsAreAbsentRows) {
  const int n = 90, d = 2, k = 3;
  const std::vector<double> x = rows_for(GetParam(), n, d, 4);
  const std::vector<std::int32_t> labels = cavi::testing::labels(n, k);
  std::vector<double> repeated, weight;
  std::vector<std::int32_t> repeated_labels;
  for (int i = 0; i < n; ++i) {
    weight.push_back(i % 3);
    for (int r = 0; r < i % 3; ++r) {
      repeated.insert(repeated.end(), x.begin() + i * d, x.begin() + (i + 1) * d);
      repeated_labels.push_back(labels[std::size_t(i)]);
    }
  }
  const MixtureOptions o = options(GetParam(), k);
  const Fit a = fit(o, Matrix(x, n, d), weight, labels);
  const Fit b = fit(o, Matrix(repeated, std::int64_t(repeated_labels.size()), d), {}, repeated_labels);
  expect_close(a.summary.elbo_trace, b.summary.elbo_trace, 1e-10, 1, "bound");
  expect_same_posterior(a.q, b.q, 1e-9);
  EXPECT_EQ(a.summary.rows, b.summary.rows);
}

TEST_P(EveryKind, BatchIsTheLoopOfSingleFitsBitForBit) {
  const int d = 3;
  const std::vector<std::int64_t> offsets = {0, 1, 41, 41 + 700, 41 + 700 + 13, 41 + 700 + 13 + 2600};
  const std::vector<double> x = rows_for(GetParam(), int(offsets.back()), d, 5);
  for (const Scalar precision : {Scalar::float32, Scalar::float64})
    for (const Init init : {Init::kmeans, Init::random}) {
      MixtureOptions o = options(GetParam(), 4, precision);
      o.init_params = init;
      o.max_iter = 40;
      o.tol = 1e-5;
      const Matrix all(x, offsets.back(), d);
      const MixtureBatch batch = fit_batch(o, all, offsets, Device::cpu(2));
      EXPECT_EQ(batch.posterior.means, fit_batch(o, all, offsets, Device::cpu(1)).posterior.means);
      EXPECT_EQ(batch.posterior.means, fit_batch(o, all, offsets, Device::cpu(8)).posterior.means);
      std::vector<double> means, covariances, parameters, counts;
      for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
        const Fit one =
            fit(o, Matrix::view(x.data() + offsets[b] * d, offsets[b + 1] - offsets[b], d), {}, {}, int(b) + 1);
        EXPECT_EQ(one.summary.elbo_trace, batch.summaries[b].elbo_trace) << "problem " << b;
        EXPECT_EQ(one.summary.n_iter, batch.summaries[b].n_iter);
        means.insert(means.end(), one.q.means.begin(), one.q.means.end());
        covariances.insert(covariances.end(), one.q.covariances.begin(), one.q.covariances.end());
        parameters.insert(parameters.end(), one.q.component_parameters.begin(), one.q.component_parameters.end());
        counts.insert(counts.end(), one.q.counts.begin(), one.q.counts.end());
      }
      EXPECT_EQ(means, batch.posterior.means);
      EXPECT_EQ(covariances, batch.posterior.covariances);
      EXPECT_EQ(parameters, batch.posterior.component_parameters);
      EXPECT_EQ(counts, batch.posterior.counts);
    }
}

TEST_P(EveryType, NothingToLearnFromLeavesAProperPosterior) {
  const int d = 3;
  for (const int n : {1, 2, 50}) {
    std::vector<double> same;
    for (int i = 0; i < n; ++i) same.insert(same.end(), {1.5, -2.0, 1e3});
    for (const int k : {1, 4, 60}) {
      const Fit f = fit(options(GetParam(), k), Matrix(same, n, d));
      EXPECT_TRUE(std::isfinite(f.summary.elbo)) << n << " rows, " << k << " components";
      EXPECT_NEAR(std::accumulate(f.q.counts.begin(), f.q.counts.end(), 0.0), n, 1e-9 * n);
      for (double s : f.q.covariances) EXPECT_TRUE(std::isfinite(s));
      for (int j = 0; j < k; ++j)
        if (f.q.counts[std::size_t(j)] < 1e-12) {
          EXPECT_NEAR(f.q.means[std::size_t(j * d + 2)], 1e3, 1e-9) << "an empty component stays at the prior";
        }
    }
  }
}

TEST_P(EveryType, AConstantColumnHasAProperPosterior) {
  const int n = 80, d = 3;
  std::vector<double> x = clusters(n, d, 14);
  for (int i = 0; i < n; ++i) x[std::size_t(i * d + 1)] = 7;
  const Fit f = fit(options(GetParam(), 5), Matrix(x, n, d));
  EXPECT_TRUE(std::isfinite(f.summary.elbo));
  EXPECT_NEAR(std::accumulate(f.q.counts.begin(), f.q.counts.end(), 0.0), n, 1e-9 * n);
  for (int k = 0; k < 5; ++k) EXPECT_NEAR(f.q.means[std::size_t(k * d + 1)], 7, 1e-9);
  for (double s : f.q.covariances) EXPECT_TRUE(std::isfinite(s));
}

TEST_P(EveryKind, MoreComponentsThanRows) {
  const std::vector<double> x = rows_for(GetParam(), 5, 2, 6);
  const Fit f = fit(options(GetParam(), 12), Matrix(x, 5, 2));
  EXPECT_NEAR(std::accumulate(f.q.counts.begin(), f.q.counts.end(), 0.0), 5, 1e-9);
  EXPECT_TRUE(std::isfinite(f.summary.elbo));
}

TEST_P(EveryKind, Float32FollowsFloat64) {
  const int n = 3000, d = 5;
  const std::vector<double> x = rows_for(GetParam(), n, d, 7);
  const std::vector<float> narrow(x.begin(), x.end());
  const std::vector<double> exact(narrow.begin(), narrow.end());
  const std::vector<std::int32_t> labels = cavi::testing::labels(n, 3);
  const Fit a = fit(options(GetParam(), 3, Scalar::float32), Matrix(narrow, n, d), {}, labels);
  const Fit b = fit(options(GetParam(), 3, Scalar::float64), Matrix(exact, n, d), {}, labels);
  for (std::size_t i = 0; i < a.summary.elbo_trace.size(); ++i)
    EXPECT_NEAR(a.summary.elbo_trace[i], b.summary.elbo_trace[i], 1e-5 * std::abs(b.summary.elbo_trace[i]))
        << "sweep " << i;
  EXPECT_EQ(a.summary.precision, Scalar::float32);
}

TEST_P(EveryKind, FusedFollowsGeneric) {
  const int n = 200, d = 4;
  const Matrix x(rows_for(GetParam(), n, d, 15), n, d);
  MixtureOptions o = options(GetParam(), 4);
  const Fit fused = fit(o, x);
  o.fuse = false;
  const Fit generic = fit(o, x);
  EXPECT_TRUE(fused.summary.fused);
  EXPECT_FALSE(generic.summary.fused);
  expect_close(fused.summary.elbo_trace, generic.summary.elbo_trace, 1e-11, 1, "bound");
  expect_same_posterior(fused.q, generic.q, 1e-9);
}

TEST_P(EveryKind, OneComponentHoldsAllRowsAndIsExactAtOnce) {
  const int n = 60, d = 2;
  MixtureOptions o = options(GetParam(), 1);
  const Fit f = fit(o, Matrix(rows_for(GetParam(), n, d, 16), n, d));
  EXPECT_NEAR(f.q.counts[0], n, 1e-9);
  for (double bound : f.summary.elbo_trace) EXPECT_NEAR(bound, f.summary.elbo, 1e-11 * std::abs(f.summary.elbo));
}

TEST_P(EveryKind, StartsAreReproducible) {
  const Matrix x(rows_for(GetParam(), 400, 3, 10), 400, 3);
  for (const Init init : {Init::kmeans, Init::kmeans_plus_plus, Init::random, Init::random_from_data}) {
    MixtureOptions o = options(GetParam(), 6);
    o.init_params = init;
    const Fit a = fit(o, x), again = fit(o, x, {}, {}, 8);
    EXPECT_EQ(a.summary.elbo_trace, again.summary.elbo_trace);
    EXPECT_EQ(a.q.means, again.q.means);
  }
}

TEST(Mixture, OneDimensionMakesThreeTypesOne) {
  const int n = 400;
  const std::vector<double> x = clusters(n, 1, 8);
  const std::vector<std::int32_t> labels = cavi::testing::labels(n, 3);
  const Fit full = fit(options(CovarianceType::full, 3), Matrix(x, n, 1), {}, labels);
  for (const CovarianceType type : {CovarianceType::diag, CovarianceType::spherical}) {
    const Fit other = fit(options(type, 3), Matrix(x, n, 1), {}, labels);
    expect_close(other.summary.elbo_trace, full.summary.elbo_trace, 1e-13, 1, "bound");
    expect_same_posterior(other.q, full.q, 1e-12);
  }
}

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

template <class E, class F>
std::string message_of(F call) {
  try {
    call();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    return std::string("another exception: ") + e.what();
  }
  return "no exception";
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
  const MixtureBatch b = fit_batch(o, Matrix(x, 100, d), offsets, Device::cpu(2));
  EXPECT_EQ(b.summaries[0].n_iter, 12);
  EXPECT_EQ(b.summaries[1].termination, Termination::numerical_error);
  EXPECT_NE(b.summaries[1].message.find("column 0"), std::string::npos) << b.summaries[1].message;
  EXPECT_EQ(b.summaries[2].termination, Termination::no_data);
  EXPECT_EQ(b.summaries[3].n_iter, 12);
  EXPECT_EQ(fit(o, Matrix::view(x.data(), 40, d)).summary.elbo_trace, b.summaries[0].elbo_trace);
  const MixtureBatch lone = fit_batch(o, Matrix(x, 100, d), {0, 100}, Device::cpu(1));
  EXPECT_EQ(lone.summaries[0].termination, Termination::numerical_error);
  EXPECT_TRUE(fit_batch(o, Matrix(std::vector<double>{}, 0, d), {0}).summaries.empty());
  EXPECT_THROW(fit_batch(o, Matrix(x, 100, d), {0, 60, 40, 100}), ShapeError);
  EXPECT_THROW(fit_batch(o, Matrix(x, 100, d), {0, 99}), ShapeError);
}

TEST(Mixture, DataFarFromTheOriginFitAsWell) {
  const int n = 500, d = 2;
  std::vector<double> x = clusters(n, d, 14), far = x;
  for (double& v : far) v += 1 << 20;
  for (const CovarianceType type : kTypes) {
    const Fit a = fit(options(type, 3, Scalar::float32), Matrix(x, n, d)),
              b = fit(options(type, 3, Scalar::float32), Matrix(far, n, d));
    EXPECT_NEAR(a.summary.elbo, b.summary.elbo, 1e-5 * n);
  }
}

}  // namespace
