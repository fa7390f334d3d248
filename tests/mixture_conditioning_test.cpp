// SPDX-License-Identifier: Apache-2.0
// The estimator on rows that are hard for float32: columns that depend on each other, units far from one, fewer rows
// than columns. The model is the same in any units, which is the oracle here: with x = A z + b the bound of x is that
// of z less the weight of the rows times ln |A|, and parameters map.
#include "src/covariance_type.hpp"
#include "tests/mixture_fit.hpp"
#include "tests/models.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace cavi;
using namespace cavi::mixture_test;  // NOLINT
using cavi::testing::clusters;

constexpr int kRows = 240, kFeatures = 3, kComponents = 3;

using Numbers = std::vector<double>;

/// A [D x D], lower triangular, and b.
struct Affine {
  std::string name;
  Numbers a, b;

  Numbers rows(const Numbers& z) const {
    Numbers x(z.size());
    for (std::size_t n = 0; n < z.size(); n += kFeatures)
      for (int i = 0; i < kFeatures; ++i) {
        x[n + std::size_t(i)] = b[std::size_t(i)];
        for (int j = 0; j <= i; ++j) x[n + std::size_t(i)] += a[std::size_t(i * kFeatures + j)] * z[n + std::size_t(j)];
      }
    return x;
  }
  /// A c A'
  Numbers covariance(const Numbers& c) const {
    Numbers out(c.size());
    for (int i = 0; i < kFeatures; ++i)
      for (int j = 0; j < kFeatures; ++j)
        for (int k = 0; k <= i; ++k)
          for (int l = 0; l <= j; ++l)
            out[std::size_t(i * kFeatures + j)] += a[std::size_t(i * kFeatures + k)] *
                                                   c[std::size_t(k * kFeatures + l)] *
                                                   a[std::size_t(j * kFeatures + l)];
    return out;
  }
  double log_volume() const {
    double sum = 0;
    for (int i = 0; i < kFeatures; ++i) sum += std::log(std::abs(a[std::size_t(i * (kFeatures + 1))]));
    return sum;
  }
};

std::vector<Affine> mixing() {
  return {{"total", {1, 0, 0, 0, 1, 0, 1, 1, 1e-3}, {10, -20, 5}},
          {"celsius", {1, 0, 0, 1.8, 1e-4, 0, 0.5, -2, 1}, {0, 32, 0}},
          {"far", {2, 0, 0, 1, 1e-2, 0, 3, -1, 1e-2}, {1e3, 1e3, -1e3}},
          {"tiny", {1e-19, 0, 0, 1e-19, 1e-19, 0, 0, 1e-19, 1e-19}, {0, 0, 0}},
          {"mixed", {1e8, 0, 0, 0, 1e-8, 0, 1e8, 0, 1e5}, {0, 0, 0}}};
}

std::vector<Affine> scaling() {
  std::vector<Affine> all;
  for (const double s : {0x1p-70, 0x1p-40, 0x1p50, 0x1p70})
    all.push_back({"2^" + std::to_string(std::ilogb(s)), {s, 0, 0, 0, s, 0, 0, 0, s}, {0, 0, 0}});
  return all;
}

void expect_near(const Numbers& got, const Numbers& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  double size = 0;
  for (const double v : want) size = std::max(size, std::abs(v));
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance * size) << what << " " << i;
}

/// The law, for options in the coordinates of z and of x.
void expect_equivariant(const Affine& f, const MixtureOptions& of_z, MixtureOptions of_x, const Numbers& weight = {}) {
  const Numbers z = clusters(kRows, kFeatures, 5);
  const std::vector<std::int32_t> start = cavi::testing::labels(kRows, kComponents);
  double rows = weight.empty() ? kRows : 0;
  for (const double w : weight) rows += w;
  const Fit expected = fit(of_z, Matrix(z, kRows, kFeatures), weight, start);
  for (const Scalar precision : {Scalar::float64, Scalar::float32}) {
    SCOPED_TRACE(f.name + (precision == Scalar::float32 ? " float32" : " float64"));
    of_x.precision = precision;
    const Fit got = fit(of_x, Matrix(f.rows(z), kRows, kFeatures), weight, start);
    // float64: rounding of x, seen in its thinnest direction.
    const double tolerance = precision == Scalar::float64 ? 1e-7 : 1e-5;
    ASSERT_EQ(got.summary.elbo_trace.size(), expected.summary.elbo_trace.size());
    for (std::size_t i = 0; i < got.summary.elbo_trace.size(); ++i)
      EXPECT_NEAR(got.summary.elbo_trace[i] + rows * f.log_volume(), expected.summary.elbo_trace[i], tolerance * rows);
    expect_near(got.q.weights, expected.q.weights, 10 * tolerance, "weight");
    const Numbers means = f.rows(expected.q.means);
    for (int d = 0; d < kFeatures; ++d) {
      Numbers got_d, want_d;
      for (int k = 0; k < kComponents; ++k) {
        got_d.push_back(got.q.means[std::size_t(k * kFeatures + d)] - f.b[std::size_t(d)]);
        want_d.push_back(means[std::size_t(k * kFeatures + d)] - f.b[std::size_t(d)]);
      }
      expect_near(got_d, want_d, 10 * tolerance, "mean, feature " + std::to_string(d));
    }
    if (is_matrix(of_x.covariance_type))
      for (std::size_t at = 0; at < got.q.covariances.size(); at += kFeatures * kFeatures) {
        const auto block = [at](const Numbers& v) { return Numbers(&v[at], &v[at] + kFeatures * kFeatures); };
        Numbers got_c = block(got.q.covariances), want_c = f.covariance(block(expected.q.covariances));
        for (int i = 0; i < kFeatures; ++i)
          for (int j = 0; j < kFeatures; ++j) {
            const double unit = std::sqrt(want_c[std::size_t(i * 4)] * want_c[std::size_t(j * 4)]);
            const auto n = std::size_t(i * kFeatures + j);
            EXPECT_NEAR(got_c[n] / unit, want_c[n] / unit, 30 * tolerance) << "covariance " << at << " " << n;
          }
      }
  }
}

class Conditioning : public ::testing::TestWithParam<CovarianceType> {};
std::string type_name(const ::testing::TestParamInfo<CovarianceType>& p) {
  return name_of(Kind{ComponentFamily::gaussian, p.param});
}
class Mixing : public Conditioning {};
INSTANTIATE_TEST_SUITE_P(Types, Mixing, ::testing::Values(CovarianceType::full, CovarianceType::tied), type_name);

TEST_P(Mixing, ChangesTheBoundByItsVolumeAlone) {
  for (const Affine& f : mixing())
    expect_equivariant(f, options(GetParam(), kComponents), options(GetParam(), kComponents));
}

TEST_P(Mixing, TakesWeightsAndPriorsAlong) {
  const Affine f = mixing()[0];
  MixtureOptions of_z = options(GetParam(), kComponents), of_x = of_z;
  const Numbers m = {0.5, -1, 2}, c = {2, 0.3, 0, 0.3, 1, 0.1, 0, 0.1, 0.5};
  of_z.mean_prior = m;
  of_z.covariance_prior = c;
  of_x.mean_prior = f.rows(m);
  of_x.covariance_prior = f.covariance(c);
  Numbers weight(kRows);
  for (int n = 0; n < kRows; ++n) weight[std::size_t(n)] = 0.25 * (n % 7);
  expect_equivariant(f, of_z, of_x, weight);
}

INSTANTIATE_TEST_SUITE_P(Types, Conditioning,
                         ::testing::Values(CovarianceType::full, CovarianceType::tied, CovarianceType::diag,
                                           CovarianceType::spherical),
                         type_name);

TEST_P(Conditioning, UnitsChangeTheBoundByTheirVolumeAlone) {
  for (const Affine& f : scaling())
    expect_equivariant(f, options(GetParam(), kComponents), options(GetParam(), kComponents));
}

std::map<std::string, std::pair<Numbers, int>> hostile() {
  std::map<std::string, std::pair<Numbers, int>> all;  // rows and their number
  const Numbers z = clusters(60, kFeatures, 6);
  const auto with = [&](auto change) {
    Numbers x = z;
    for (std::size_t n = 0; n < x.size(); n += kFeatures) change(&x[n]);
    return std::pair(x, 60);
  };
  all["duplicated column"] = with([](double* x) { x[2] = x[0]; });
  all["constant column"] = with([](double* x) { x[1] = 7; });
  all["all columns constant"] = with([](double* x) { x[0] = 1, x[1] = 2, x[2] = -3; });
  all["sum of columns"] = with([](double* x) { x[2] = x[0] + x[1]; });
  all["shares"] = with([](double* x) { x[2] = 1 - x[0] - x[1]; });
  all["indicators"] = with([](double* x) { x[0] = x[2] > 0, x[1] = 1 - x[0]; });
  all["one far row"] = with([](double*) {});
  all["one far row"].first[4] = 1e12;
  for (int n = 1; n <= kFeatures + 1; ++n)
    all["rows: " + std::to_string(n)] = {Numbers(z.begin(), z.begin() + n * kFeatures), n};
  return all;
}

TEST_P(Conditioning, WhatIsHardForFloat32FitsAsInFloat64) {
  for (const auto& [name, data] : hostile())
    for (const int components : {1, 3}) {
      const auto& [x, rows] = data;
      SCOPED_TRACE(name + ", K = " + std::to_string(components));
      const std::vector<std::int32_t> start = cavi::testing::labels(rows, components);
      const auto run = [&, &x = x, &rows = rows](Scalar precision) {
        return fit(options(GetParam(), components, precision), Matrix(x, rows, kFeatures), {}, start);
      };
      const Fit narrow = run(Scalar::float32), wide = run(Scalar::float64);
      EXPECT_NEAR(narrow.summary.elbo, wide.summary.elbo, 1e-5 * (std::abs(wide.summary.elbo) + rows));
      for (const double v : narrow.q.covariances) EXPECT_TRUE(std::isfinite(v));
    }
}

// In a batch some problems are standardised and others are not.
TEST_P(Conditioning, ABatchIsStillTheLoop) {
  Numbers x;
  std::vector<std::int64_t> offsets{0};
  for (const auto& [name, data] : hostile()) {
    x.insert(x.end(), data.first.begin(), data.first.end());
    const Numbers easy = clusters(40, kFeatures, int(offsets.size()));
    x.insert(x.end(), easy.begin(), easy.end());
    offsets.push_back(offsets.back() + data.second);
    offsets.push_back(offsets.back() + 40);
  }
  const MixtureOptions o = options(GetParam(), 2, Scalar::float32);
  const MixtureBatch all = fit_batch(o, Matrix(x, offsets.back(), kFeatures), offsets, cavi::testing::test_device(1));
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    const Numbers own(x.begin() + offsets[b] * kFeatures, x.begin() + offsets[b + 1] * kFeatures);
    const Fit alone = fit(o, Matrix(own, offsets[b + 1] - offsets[b], kFeatures));
    EXPECT_EQ(all.summaries[b].elbo_trace, alone.summary.elbo_trace) << b;
    EXPECT_EQ(all.posterior.problem(int(b)).covariances, alone.q.covariances) << b;
  }
}

TEST_P(Conditioning, AResumedFitIsTheUninterruptedOne) {
  const auto [x, rows] = hostile().at("sum of columns");
  const Matrix data(x, rows, kFeatures);
  const std::filesystem::path file =
      std::filesystem::path(::testing::TempDir()) / ("conditioning_" + std::to_string(int(GetParam())) + ".npz");
  MixtureOptions o = options(GetParam(), 3, Scalar::float32);
  const Fit whole = fit(o, data);
  o.checkpoint = file;
  o.checkpoint_every = 5;
  o.on_sweep = [](const Sweep& s) { return s.index < 5; };
  fit(o, data);
  o.on_sweep = nullptr;
  Mixture resumed(o, cavi::testing::test_device(1));
  EXPECT_EQ(resumed.resume(file, data).elbo_trace, whole.summary.elbo_trace);
  EXPECT_EQ(resumed.posterior().covariances, whole.q.covariances);
  std::filesystem::remove(file);
}

}  // namespace
