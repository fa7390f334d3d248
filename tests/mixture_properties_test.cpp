// SPDX-License-Identifier: Apache-2.0
// Laws of a mixture over random shapes, families, priors and precisions.
#include "src/covariance_type.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

namespace {

using namespace cavi;
using Numbers = std::vector<double>;
using Labels = std::vector<std::int32_t>;

/// Rows, a start, and options with priors of the rows' dimension.
struct Problem {
  int n = 0, d = 0, k = 0;
  Numbers x, weight;
  Labels start;
  MixtureOptions o;

  double& at(int row, int col) { return x[std::size_t(row * d + col)]; }
};

Problem any_problem() {
  Problem p;
  p.d = *rc::gen::inRange(1, 5);
  p.k = *rc::gen::inRange(1, 6);
  p.n = *rc::gen::inRange(p.d + 3, 60);  // enough for a default covariance that is not singular
  std::mt19937 rng(*rc::gen::arbitrary<unsigned>());
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(0.3, 3);
  for (int i = 0; i < p.n; ++i) {
    p.start.push_back(std::int32_t(rng() % unsigned(p.k)));
    for (int j = 0; j < p.d; ++j) p.x.push_back(normal(rng) + 3 * (i % 3 == j % 3));
  }
  MixtureOptions& o = p.o;
  o.n_components = p.k;
  o.max_iter = 5;
  o.tol = 0;
  o.covariance_type =
      *rc::gen::element(CovarianceType::full, CovarianceType::tied, CovarianceType::diag, CovarianceType::spherical);
  o.weight_concentration_prior_type =
      *rc::gen::element(WeightPrior::dirichlet, WeightPrior::dirichlet_process, WeightPrior::pitman_yor);
  if (o.weight_concentration_prior_type == WeightPrior::pitman_yor) o.discount = 0.4;
  o.precision = *rc::gen::element(Scalar::float32, Scalar::float64);
  const auto prior = [] { return *rc::gen::arbitrary<bool>(); };
  if (prior()) o.weight_concentration_prior = uniform(rng);
  if (prior()) o.mean_precision_prior = uniform(rng);
  if (prior()) o.degrees_of_freedom_prior = p.d - 1 + uniform(rng);
  if (prior()) {
    o.mean_prior.emplace();
    for (int j = 0; j < p.d; ++j) o.mean_prior->push_back(normal(rng));
  }
  if (prior()) {
    Numbers& s = o.covariance_prior.emplace();
    if (is_matrix(o.covariance_type)) {  // D I + a a'
      Numbers a(std::size_t(p.d));
      for (double& v : a) v = normal(rng);
      for (int i = 0; i < p.d; ++i)
        for (int j = 0; j < p.d; ++j) s.push_back((i == j ? p.d : 0) + a[std::size_t(i)] * a[std::size_t(j)]);
    } else {
      for (int j = 0; j < (o.covariance_type == CovarianceType::diag ? p.d : 1); ++j) s.push_back(uniform(rng));
    }
  }
  return p;
}

struct Fit {
  Summary summary;
  MixturePosterior q;
};

Fit fit(const Problem& p) {
  Mixture m(p.o, Device::cpu(1));
  Fit f{m.fit(Matrix::view(p.x.data(), p.n, p.d), p.weight, p.start), {}};
  f.q = m.posterior();
  return f;
}

void require_close(const Numbers& a, const Numbers& b, double tolerance, double floor) {
  RC_ASSERT(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    RC_ASSERT(std::abs(a[i] - b[i]) <= tolerance * std::max({std::abs(a[i]), std::abs(b[i]), floor}));
}

/// What rounding may do: bounds have as many parts as rows.
double tolerance(const Problem& p) { return p.o.precision == Scalar::float32 ? 1e-4 : 1e-9; }

void require_same(const Problem& p, const Fit& a, const Fit& b) {
  const double t = tolerance(p);
  require_close(a.summary.elbo_trace, b.summary.elbo_trace, t, p.n);
  require_close(a.q.weights, b.q.weights, t, 1);
  require_close(a.q.means, b.q.means, t, 1);
  require_close(a.q.covariances, b.q.covariances, t, 1);
}

RC_GTEST_PROP(MixtureProperty, TheOrderOfRowsDoesNotMatter, ()) {
  const Problem p = any_problem();
  Problem moved = p;
  std::vector<int> to(std::size_t(p.n));
  std::iota(to.begin(), to.end(), 0);
  std::shuffle(to.begin(), to.end(), std::mt19937(*rc::gen::arbitrary<unsigned>()));
  for (int i = 0; i < p.n; ++i) {
    moved.start[std::size_t(to[std::size_t(i)])] = p.start[std::size_t(i)];
    std::copy_n(p.x.begin() + i * p.d, p.d, moved.x.begin() + to[std::size_t(i)] * p.d);
  }
  require_same(p, fit(p), fit(moved));
}

RC_GTEST_PROP(MixtureProperty, ColumnsKeepToThemselves, ()) {
  Problem p = any_problem(), moved = p;
  std::vector<int> to(std::size_t(p.d));
  std::iota(to.begin(), to.end(), 0);
  std::shuffle(to.begin(), to.end(), std::mt19937(*rc::gen::arbitrary<unsigned>()));
  const auto place = [&](int j) { return to[std::size_t(j)]; };
  for (int i = 0; i < p.n; ++i)
    for (int j = 0; j < p.d; ++j) moved.at(i, place(j)) = p.at(i, j);
  const auto permute = [&](const Numbers& from, Numbers& out, bool matrix, int count) {
    for (int c = 0; c < count; ++c)
      for (int i = 0; i < p.d; ++i)
        for (int j = 0; j < (matrix ? p.d : 1); ++j)
          matrix ? out[std::size_t((c * p.d + place(i)) * p.d + place(j))] = from[std::size_t((c * p.d + i) * p.d + j)]
                 : out[std::size_t(c * p.d + place(i))] = from[std::size_t(c * p.d + i)];
  };
  const bool matrix = is_matrix(p.o.covariance_type), spherical = p.o.covariance_type == CovarianceType::spherical;
  if (p.o.mean_prior) permute(*p.o.mean_prior, *moved.o.mean_prior, false, 1);
  if (p.o.covariance_prior && !spherical) permute(*p.o.covariance_prior, *moved.o.covariance_prior, matrix, 1);
  const Fit a = fit(p), b = fit(moved);
  Fit expected = a;
  permute(a.q.means, expected.q.means, false, p.k);
  if (!spherical)
    permute(a.q.covariances, expected.q.covariances, matrix, p.o.covariance_type == CovarianceType::tied ? 1 : p.k);
  require_same(p, expected, b);
}

RC_GTEST_PROP(MixtureProperty, ComponentsHaveNoRankUnderADirichlet, ()) {
  Problem p = any_problem();
  p.o.weight_concentration_prior_type = WeightPrior::dirichlet;
  p.o.discount = 0;
  Problem moved = p;
  const int shift = *rc::gen::inRange(0, p.k);
  for (std::int32_t& label : moved.start) label = (label + shift) % p.k;
  const Fit a = fit(p), b = fit(moved);
  Fit expected = a;
  const auto rotate = [&](Numbers& v) {
    std::rotate(v.begin(), v.end() - std::ptrdiff_t(v.size()) / p.k * shift, v.end());
  };
  rotate(expected.q.weights);
  rotate(expected.q.means);
  if (p.o.covariance_type != CovarianceType::tied) rotate(expected.q.covariances);
  require_same(p, expected, b);
}

RC_GTEST_PROP(MixtureProperty, TranslationMovesTheMeansAlone, ()) {
  Problem p = any_problem(), moved = p;
  p.o.precision = moved.o.precision = Scalar::float64;  // float32 rows lose digits far from the origin
  for (double& v : moved.x) v += 100;
  if (p.o.mean_prior)
    for (double& v : *moved.o.mean_prior) v += 100;
  const Fit a = fit(p);
  Fit b = fit(moved);
  for (double& m : b.q.means) m -= 100;
  require_same(p, a, b);
}

RC_GTEST_PROP(MixtureProperty, ScalingShiftsTheBoundByTheLogVolume, ()) {
  Problem p = any_problem();
  const double s = *rc::gen::element(1e-3, 0.5, 7.0, 1e4);
  Problem scaled = p;
  for (double& v : scaled.x) v *= s;
  if (p.o.mean_prior)
    for (double& v : *scaled.o.mean_prior) v *= s;
  if (p.o.covariance_prior)
    for (double& v : *scaled.o.covariance_prior) v *= s * s;
  const Fit a = fit(p);
  Fit b = fit(scaled);
  for (double& bound : b.summary.elbo_trace) bound += p.n * p.d * std::log(s);
  for (double& m : b.q.means) m /= s;
  for (double& c : b.q.covariances) c /= s * s;
  require_same(p, a, b);
}

RC_GTEST_PROP(MixtureProperty, WeightsCountRowsAndZeroLeavesThemOut, ()) {
  Problem p = any_problem(), repeated = p;
  repeated.x.clear();
  repeated.start.clear();
  repeated.n = 0;
  for (int i = 0; i < p.n; ++i) {
    const int times = i < p.d + 3 ? 1 : *rc::gen::inRange(0, 4);
    p.weight.push_back(times);
    for (int r = 0; r < times; ++r, ++repeated.n) {
      repeated.x.insert(repeated.x.end(), p.x.begin() + i * p.d, p.x.begin() + (i + 1) * p.d);
      repeated.start.push_back(p.start[std::size_t(i)]);
    }
  }
  const Fit a = fit(p), b = fit(repeated);
  require_same(p, a, b);
  RC_ASSERT(a.summary.rows == repeated.n);
}

}  // namespace
