// SPDX-License-Identifier: Apache-2.0
// The estimator: laws a mixture must obey whatever the data, and batches.
#include "tests/mixture_fit.hpp"
#include "tests/reference.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace {

using namespace cavi;
using namespace cavi::mixture_test;  // NOLINT
using cavi::testing::clusters;
using cavi::testing::every_kind;
using cavi::testing::expect_close;
using cavi::testing::rows_for;

constexpr CovarianceType kTypes[] = {CovarianceType::full, CovarianceType::tied, CovarianceType::diag,
                                     CovarianceType::spherical};
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
      const MixtureBatch batch = fit_batch(o, all, offsets, cavi::testing::test_device(2));
      EXPECT_EQ(batch.posterior.means, fit_batch(o, all, offsets, cavi::testing::test_device(1)).posterior.means);
      EXPECT_EQ(batch.posterior.means, fit_batch(o, all, offsets, cavi::testing::test_device(8)).posterior.means);
      std::vector<double> means, covariances, parameters, counts;
      for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
        const Fit one =
            fit(o, Matrix::view(x.data() + offsets[b] * d, offsets[b + 1] - offsets[b], d), {}, {}, int(b) + 1);
        EXPECT_EQ(one.summary.elbo_trace, batch.summaries[b].elbo_trace) << "problem " << b;
        EXPECT_EQ(one.summary.n_iter, batch.summaries[b].n_iter);
        const double negligible = one.summary.negligible, in_batch = batch.summaries[b].negligible;
        EXPECT_TRUE(negligible == in_batch || (std::isnan(negligible) && std::isnan(in_batch))) << "problem " << b;
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

TEST_P(EveryKind, AConstantColumnHasAProperPosterior) {
  const int n = 80, d = 3;
  std::vector<double> x = rows_for(GetParam(), n, d, 14);
  for (int i = 0; i < n; ++i) x[std::size_t(i * d + 1)] = 1;
  const Fit f = fit(options(GetParam(), 5), Matrix(x, n, d));
  EXPECT_TRUE(std::isfinite(f.summary.elbo));
  EXPECT_NEAR(std::accumulate(f.q.counts.begin(), f.q.counts.end(), 0.0), n, 1e-9 * n);
  if (GetParam().family == ComponentFamily::gaussian) {
    for (int k = 0; k < 5; ++k) EXPECT_NEAR(f.q.means[std::size_t(k * d + 1)], 1, 1e-9);
  }
  for (double s : f.q.covariances) EXPECT_TRUE(std::isfinite(s));
}

// Correlated features, fits that have converged: the bound neither rises nor falls but by rounding.
TEST_P(EveryType, RoundingAloneIsNoFailure) {
  const int n = 50, d = 17;
  for (int seed = 1; seed < 6; ++seed) {
    std::vector<double> x = clusters(n, d, seed);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < d; ++j) x[std::size_t(i * d + j)] += (j + 1) * 1.5 * (i % 3);
    for (const int k : {1, 3}) {
      MixtureOptions o = options(GetParam(), k);
      o.max_iter = 30;
      EXPECT_NO_THROW(fit(o, Matrix(x, n, d), {}, cavi::testing::labels(n, k))) << seed << ", " << k << " components";
    }
  }
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

// On a GPU by tensor cores.
TEST(Mixture, ManyFeaturesInFloat32AreFittedAsInFloat64) {
  const int n = 200, d = 40, k = 3;
  const Matrix x(clusters(n, d, 13), n, d);
  const auto bound = [&](Scalar precision) {
    MixtureOptions o = options(CovarianceType::full, k, precision);
    o.max_iter = 2;
    return fit(o, x, {}, cavi::testing::labels(n, k)).summary.elbo;
  };
  EXPECT_NEAR(bound(Scalar::float32) / n, bound(Scalar::float64) / n, 1e-5);
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

TEST(Mixture, SaysWhetherComponentsAreNearTheOrigin) {
  const std::vector<double> near = clusters(3000, 3, 5);
  std::vector<double> far = near;  // two groups: more rows than the prior is worth say how narrow they are
  for (std::size_t i = 0; i < far.size(); ++i) far[i] += i < far.size() / 2 ? 1000 : 0;
  for (const CovarianceType type : kTypes) {
    MixtureOptions o;
    o.n_components = 2;
    o.covariance_type = type;
    o.max_iter = 5;
    Mixture mixture(o, Device::cpu(1));
    const double share = mixture.fit(Matrix(near, 3000, 3)).near;
    const double of_far = mixture.fit(Matrix(far, 3000, 3)).near;
    if (type == CovarianceType::full) {
      EXPECT_TRUE(std::isnan(share));
    } else {
      EXPECT_EQ(share, 1) << int(type);
      EXPECT_EQ(of_far, 0) << int(type);
    }
  }
}

}  // namespace
