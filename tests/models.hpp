// SPDX-License-Identifier: Apache-2.0
// Models of every kind the engine should carry, small and with random data: the laws of engine_law_test hold for each.
#pragma once

#include "src/family.hpp"

#include <cavi/cavi.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace cavi::testing {

/// A model with its factorisation and schedule. The model lives behind a pointer: the factorisation refers to it.
struct Case {
  std::unique_ptr<Model> model = std::make_unique<Model>();
  std::unique_ptr<Factorisation> q;
  Schedule schedule;
};

struct NamedModel {
  std::string name;
  std::function<Case()> make;
  friend std::ostream& operator<<(std::ostream& out, const NamedModel& m) { return out << m.name; }
};

inline std::vector<double> gaussians(std::size_t n, int seed, double scale = 1) {
  std::mt19937 rng{unsigned(seed)};
  std::normal_distribution<double> g(0, scale);
  std::vector<double> out(n);
  for (double& v : out) v = g(rng);
  return out;
}

/// Rows around three centres, so that responsibilities are neither equal nor one-hot.
inline std::vector<double> clusters(int rows, int features, int seed) {
  std::vector<double> x = gaussians(std::size_t(rows * features), seed);
  for (int n = 0; n < rows; ++n)
    for (int d = 0; d < features; ++d) x[std::size_t(n * features + d)] += 2.5 * (n % 3 == d % 3);
  return x;
}

/// Clustered rows, turned into durations, counts, or zeros and ones, whichever the family takes first.
inline std::vector<double> family_rows(ComponentFamily family, int rows, int features, int seed) {
  std::vector<double> x = clusters(rows, features, seed);
  if (family == ComponentFamily::gaussian) return x;
  double (*const turns[])(double) = {[](double v) { return v; }, [](double v) { return std::abs(v); },
                                     [](double v) { return std::floor(std::abs(3 * v)); },
                                     [](double v) { return double(v > 0.8); }};
  for (const auto turn : turns) {
    std::vector<double> turned(x.size());
    std::transform(x.begin(), x.end(), turned.begin(), turn);
    if (std::all_of(turned.begin(), turned.end(), family_of(family).holds)) return turned;
  }
  throw Error("no rows for the family " + std::string(family_of(family).name));
}

inline Conditional prior_for(ComponentFamily family, double a, double b) {
  return family_of(family).prior == kernels::components::Conjugate::beta ? beta(a, b) : gamma(a, b);
}

inline std::vector<std::int32_t> labels(int rows, int components) {
  std::vector<std::int32_t> out;
  for (int n = 0; n < rows; ++n) out.push_back((n * 7 + n / 3) % components);
  return out;
}

enum class Weights { dirichlet, sticks, pitman_yor, latent_concentration };

inline Case gaussian_mixture(CovarianceType type, Weights weights, bool split, bool weighted) {
  constexpr int kRows = 41, kComponents = 4, kFeatures = 3;
  Case c;
  Model& p = *c.model;
  const Plate n = p.plate("n", kRows), k = p.plate("k", kComponents), d = p.plate("d", kFeatures);
  if (weighted) {
    std::vector<double> w;
    for (int i = 0; i < kRows; ++i) w.push_back(0.25 + 0.5 * (i % 4));
    p.weights(n, w);
  }
  const Data X = p.data("X", Matrix(clusters(kRows, kFeatures, 5), kRows, kFeatures), {n, d}, {0.5, -0.25, 0.1});
  Variable alpha;
  if (weights == Weights::latent_concentration) alpha = p.latent("alpha", {}, gamma(1, 1));
  const Variable pi = weights == Weights::dirichlet    ? p.latent("pi", {}, dirichlet(0.5), {k})
                      : weights == Weights::sticks     ? p.latent("pi", {}, stick_breaking(1.5), {k})
                      : weights == Weights::pitman_yor ? p.latent("pi", {}, stick_breaking(1.5, 0.25), {k})
                                                       : p.latent("pi", {}, stick_breaking(alpha()), {k});
  const Variable z = p.latent("z", {n}, categorical(pi(k)), {k});
  Variable mu, lambda;
  switch (type) {
    case CovarianceType::full:
      lambda = p.latent("Lambda", {k}, wishart(4.5, 0.7), {d});
      mu = p.latent("mu", {k}, normal(0.3, 0.4 * lambda(k)), {d});
      p.observe(X(n, d), mixture(z(n, k), normal(mu(k, d), lambda(k))));
      break;
    case CovarianceType::tied:
      lambda = p.latent("Lambda", {}, wishart(4.5, 0.7), {d});
      mu = p.latent("mu", {k}, normal(0.3, 0.4 * lambda()), {d});
      p.observe(X(n, d), mixture(z(n, k), normal(mu(k, d), lambda())));
      break;
    case CovarianceType::diag:
      lambda = p.latent("lambda", {k, d}, gamma(1.5, 0.8));
      mu = p.latent("mu", {k, d}, normal(0.3, 0.4 * lambda(k, d)));
      p.observe(X(n, d), mixture(z(n, k), normal(mu(k, d), lambda(k, d))));
      break;
    case CovarianceType::spherical:
      lambda = p.latent("lambda", {k}, gamma(1.5, 0.8));
      mu = p.latent("mu", {k, d}, normal(0.3, 0.4 * lambda(k)));
      p.observe(X(n, d), mixture(z(n, k), normal(mu(k, d), lambda(k))));
      break;
  }
  c.q = std::make_unique<Factorisation>(p);
  c.q->start_labels(z, labels(kRows, kComponents));
  if (!split) c.q->joint({mu, lambda});
  c.schedule = split ? Schedule{{pi}, {mu}, {lambda}, {z}} : Schedule{{pi}, {mu, lambda}, {z}};
  if (alpha.id >= 0) c.schedule.push_back({alpha});
  return c;
}

/// y_n ~ N(X_n w, 1 / tau), one relevance per coefficient.
inline Case regression(std::vector<std::vector<int>> blocks) {
  constexpr int kRows = 30, kFeatures = 5;
  Case c;
  Model& p = *c.model;
  const Plate n = p.plate("n", kRows), d = p.plate("d", kFeatures);
  const std::vector<double> X = gaussians(kRows * kFeatures, 11), noise = gaussians(kRows, 12, 0.3);
  std::vector<double> y(kRows);
  for (int i = 0; i < kRows; ++i)
    y[std::size_t(i)] = 2 * X[std::size_t(i * kFeatures)] - X[std::size_t(i * kFeatures + 3)] + noise[std::size_t(i)];
  const Data Xd = p.data("X", X, {n, d}), yd = p.data("y", y, {n});
  const Variable alpha = p.latent("alpha", {d}, gamma(0.1, 0.1)), tau = p.latent("tau", {}, gamma(0.1, 0.1));
  const Variable w = p.latent("w", {}, normal(0, alpha(d)), {d});
  p.observe(yd(n), normal(dot(Xd(n, d), w(d)), tau()));
  c.q = std::make_unique<Factorisation>(p);
  c.q->split(w, std::move(blocks));
  c.schedule = {{w}, {alpha}, {tau}};
  return c;
}

/// Coefficients on a plate: the likelihood couples them, so they are updated one after the other.
inline Case regression_on_a_plate() {
  constexpr int kRows = 25, kFeatures = 4;
  Case c;
  Model& p = *c.model;
  const Plate n = p.plate("n", kRows), d = p.plate("d", kFeatures);
  const Data X = p.data("X", gaussians(kRows * kFeatures, 21), {n, d}), y = p.data("y", gaussians(kRows, 22), {n});
  const Variable tau = p.latent("tau", {}, gamma(1, 1));
  const Variable w = p.latent("w", {d}, normal(0, 1));
  p.observe(y(n), normal(Linear(0.5) + dot(X(n, d), w(d)), tau()));
  c.q = std::make_unique<Factorisation>(p);
  c.schedule = {{w}, {tau}};
  return c;
}

/// y_nd ~ N(w_d . z_n, 1 / tau_d): a local Gaussian on the data plate.
inline Case factor_analysis() {
  constexpr int kRows = 20, kFeatures = 5, kRank = 2;
  Case c;
  Model& p = *c.model;
  const Plate n = p.plate("n", kRows), d = p.plate("d", kFeatures), i = p.plate("i", kRank);
  const Data Y = p.data("Y", clusters(kRows, kFeatures, 31), {n, d});
  const Variable alpha = p.latent("alpha", {i}, gamma(1, 1)), tau = p.latent("tau", {d}, gamma(1, 1));
  const Variable w = p.latent("w", {d}, normal(0, alpha(i)), {i}), z = p.latent("z", {n}, normal(0, 1), {i});
  p.observe(Y(n, d), normal(dot(w(d, i), z(n, i)), tau(d)));
  c.q = std::make_unique<Factorisation>(p);
  c.q->start_gaussian(z, gaussians(kRows * kRank, 32), 1.0);
  c.schedule = {{w}, {alpha}, {tau}, {z}};
  return c;
}

inline Case hierarchy(bool joint) {
  constexpr int kRows = 24, kGroups = 4;
  Case c;
  Model& p = *c.model;
  const Plate n = p.plate("n", kRows), g = p.plate("g", kGroups);
  const Data y = p.data("y", gaussians(kRows, 41, 2), {n});
  const Index of = p.index("group", n, g, labels(kRows, kGroups));
  const Variable m = p.latent("m", {}, normal(0, 0.1)), kappa = p.latent("kappa", {}, gamma(1, 1)),
                 tau = p.latent("tau", {}, gamma(1, 1));
  const Variable mu = p.latent("mu", {g}, normal(m(), kappa()));
  p.observe(y(n), normal(mu(of), tau()));
  c.q = std::make_unique<Factorisation>(p);
  if (joint) c.q->joint({mu, m});
  c.schedule = joint ? Schedule{{mu}, {kappa}, {tau}} : Schedule{{mu}, {m}, {kappa}, {tau}};
  return c;
}

struct MixtureVariables {
  Variable pi, z, mu, lambda;
};

/// A full mixture for the rows of x, under names of its own.
inline MixtureVariables full_mixture(Model& p, const std::string& name, const Matrix& x, int components = 3) {
  const Plate n = p.plate("n " + name, x.rows()), k = p.plate("k " + name, components),
              d = p.plate("d " + name, x.cols());
  const Data rows = p.data("x " + name, x, {n, d});
  std::vector<double> identity(std::size_t(x.cols() * x.cols()));
  for (int i = 0; i < x.cols(); ++i) identity[std::size_t(i * (x.cols() + 1))] = 1;
  const Data s = p.data("s " + name, identity, {d, d});
  MixtureVariables v;
  v.pi = p.latent("pi " + name, {}, dirichlet(1), {k});
  v.z = p.latent("z " + name, {n}, categorical(v.pi(k)), {k});
  v.lambda = p.latent("lambda " + name, {k}, wishart(x.cols(), s(d, primed(d))), {d});
  v.mu = p.latent("mu " + name, {k}, normal(0, v.lambda(k)), {d});
  p.observe(rows(n, d), mixture(v.z(n, k), normal(v.mu(k, d), v.lambda(k))));
  return v;
}

/// Component families beside the Gaussian.
inline Case family_mixture(ComponentFamily family) {
  constexpr int kRows = 30, kComponents = 3, kFeatures = 4;
  Case c;
  Model& p = *c.model;
  const Plate n = p.plate("n", kRows), k = p.plate("k", kComponents), d = p.plate("d", kFeatures);
  const Data X = p.data("x", Matrix(family_rows(family, kRows, kFeatures, 51), kRows, kFeatures), {n, d});
  const Variable pi = p.latent("pi", {}, dirichlet(1), {k});
  const Variable z = p.latent("z", {n}, categorical(pi(k)), {k});
  const Variable theta = p.latent("theta", {k, d}, prior_for(family, 0.5, 0.75));
  p.observe(X(n, d), mixture(z(n, k), of_family(family, theta(k, d))));
  c.q = std::make_unique<Factorisation>(p);
  c.q->start_labels(z, labels(kRows, kComponents));
  c.schedule = {{pi}, {theta}, {z}};
  return c;
}

inline std::vector<NamedModel> all_models() {
  std::vector<NamedModel> all;
  const char* const types[] = {"full", "tied", "diag", "spherical"};
  const char* const priors[] = {"dirichlet", "sticks", "pitman_yor", "latent_concentration"};
  for (int t = 0; t < 4; ++t)
    for (int w = 0; w < 4; ++w)
      all.push_back({std::string(types[t]) + "_mixture_" + priors[w],
                     [t, w] { return gaussian_mixture(CovarianceType(t), Weights(w), false, w == 1); }});
  for (int t = 0; t < 4; ++t)
    all.push_back({std::string(types[t]) + "_mixture_split",
                   [t] { return gaussian_mixture(CovarianceType(t), Weights::dirichlet, true, t % 2 == 0); }});
  all.push_back({"regression_whole", [] { return regression({{0, 1, 2, 3, 4}}); }});
  all.push_back({"regression_blocks", [] { return regression({{3, 1}, {0}, {2, 4}}); }});
  all.push_back({"regression_split", [] { return regression({}); }});
  all.push_back({"regression_on_a_plate", regression_on_a_plate});
  all.push_back({"factor_analysis", factor_analysis});
  all.push_back({"hierarchy", [] { return hierarchy(false); }});
  all.push_back({"hierarchy_joint", [] { return hierarchy(true); }});
  for (const IndependentFamily& f : independent_families())
    all.push_back({std::string(f.name) + "_mixture", [family = f.family] { return family_mixture(family); }});
  return all;
}

}  // namespace cavi::testing
