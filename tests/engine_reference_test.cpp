// SPDX-License-Identifier: Apache-2.0
// The general engine, through the public interface, against known posteriors: bound after every sweep, final q.
#include "tests/device.hpp"
#include "tests/reference.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

namespace {

using namespace cavi;
using cavi::testing::expect_close;
using cavi::testing::expect_trace;
using cavi::testing::flat;
using cavi::testing::Json;
using cavi::testing::reference;

constexpr double kBound = 1e-9, kPosterior = 1e-8;

StoppingRule sweeps(const Json& c) { return {c["sweeps"].get<int>(), 0.0}; }

std::vector<std::vector<int>> blocks(const Json& c) { return c.get<std::vector<std::vector<int>>>(); }

/// The block `b` of a Gaussian's mean or covariance.
std::vector<double> part(const std::vector<double>& v, const std::vector<int>& b, int dimension, bool matrix) {
  std::vector<double> out;
  for (int i : b) {
    if (!matrix) out.push_back(v[std::size_t(i)]);
    for (int j : b)
      if (matrix) out.push_back(v[std::size_t(i * dimension + j)]);
  }
  return out;
}

TEST(Reference, GaussianUnderEverySubdivision) {
  const Json file = reference("gaussian_partition.json");
  for (const Json& c : file["cases"]) {
    SCOPED_TRACE(c["case"].get<std::string>());
    const Json& h = c["hyperparameters"];
    const std::vector<double> mean = flat(h["mu"]), precision = flat(h["Lambda"]);
    const int dimension = int(mean.size());
    Model p;
    const Plate d = p.plate("d", dimension);
    const Data mu = p.data("mu", mean, {d}), lambda = p.data("Lambda", precision, {d, d});
    const Variable x = p.latent("x", {}, normal(mu(d), lambda(d, primed(d))), {d});
    Factorisation q(p);
    q.split(x, blocks(c["factorisation"])).start_gaussian(x, flat(c["init"]["mean_init"]), 1.0);
    const Posterior post = infer(p, q, {{x}}, sweeps(c), cavi::testing::test_device(1));
    // The bound of the joint case is zero: compare on the scale of the terms that cancel in it.
    expect_close(
        post.summary().elbo_trace,
        [&] {
          std::vector<double> t = flat(c["elbo_trace"]);
          t.resize(std::min(t.size(), post.summary().elbo_trace.size()));
          return t;
        }(),
        kBound, 1e-3, "bound");
    const GaussianParameters g = post.gaussian(x);
    int b = 0;
    for (const std::vector<int>& block : blocks(c["factorisation"])) {
      const Json& expected = c["posterior"]["b" + std::to_string(b++)];
      expect_close(part(g.mean, block, dimension, false), flat(expected["m"]), kPosterior, 1, "mean");
      expect_close(part(g.covariance, block, dimension, true), flat(expected["V"]), kPosterior, 1, "covariance");
    }
  }
}

TEST(Reference, RegressionWithRelevanceDetermination) {
  const Json file = reference("linear_regression_ard.json");
  for (const Json& c : file["cases"]) {
    SCOPED_TRACE(c["case"].get<std::string>());
    const Json& h = c["hyperparameters"];
    const std::vector<double> X = flat(c["data"]["X"]), y = flat(c["data"]["y"]), start = flat(c["init"]["mean_init"]);
    const int features = int(start.size());
    Model p;
    const Plate n = p.plate("n", std::int64_t(y.size())), d = p.plate("d", features);
    const Data Xd = p.data("X", X, {n, d}), yd = p.data("y", y, {n});
    const Variable alpha = p.latent("alpha", {d}, gamma(h["a0"], h["b0"].get<double>()));
    const Variable tau = p.latent("tau", {}, gamma(h["c0"], h["d0"].get<double>()));
    const Variable w = p.latent("w", {}, normal(0, alpha(d)), {d});
    p.observe(yd(n), normal(dot(Xd(n, d), w(d)), tau()));

    std::vector<std::vector<int>> subdivision;
    for (const Json& f : c["factorisation"])
      if (f.is_object()) subdivision.push_back(f["w"].get<std::vector<int>>());
    Factorisation q(p);
    q.split(w, subdivision).start_gaussian(w, start, 1.0);
    const Posterior post = infer(p, q, {{w}, {alpha}, {tau}}, sweeps(c), cavi::testing::test_device(1));
    expect_trace(post.summary().elbo_trace, flat(c["elbo_trace"]), kBound, "bound");
    EXPECT_NEAR(post.elbo(), c["elbo_final"].get<double>(), kBound * std::abs(post.elbo()));
    const GaussianParameters g = post.gaussian(w);
    for (std::size_t b = 0; b < subdivision.size(); ++b) {
      const Json& expected = c["posterior"]["w" + std::to_string(b)];
      expect_close(part(g.mean, subdivision[b], features, false), flat(expected["m"]), kPosterior, 1, "mean");
      expect_close(part(g.covariance, subdivision[b], features, true), flat(expected["V"]), kPosterior, 1e-2,
                   "covariance");
    }
    expect_close(post.gamma(alpha).shape, flat(c["posterior"]["alpha"]["a"]), kPosterior, 0, "alpha shape");
    expect_close(post.gamma(alpha).rate, flat(c["posterior"]["alpha"]["b"]), kPosterior, 0, "alpha rate");
    expect_close(post.gamma(tau).rate, flat(c["posterior"]["tau"]["b"]), kPosterior, 0, "tau rate");
  }
}

TEST(Reference, NormalGamma) {
  const Json file = reference("normal_gamma.json");
  for (const Json& c : file["cases"]) {
    const std::string name = c["case"];
    SCOPED_TRACE(name);
    const Json& h = c["hyperparameters"];
    const double m0 = h["m0"], k0 = h["k0"], a0 = h["a0"], b0 = h["b0"];
    const std::vector<double> x = flat(c["data"]["x"]);
    Model p;
    const Plate n = p.plate("n", std::int64_t(x.size()));
    const Data xd = p.data("x", x, {n});
    const Variable tau = p.latent("tau", {}, gamma(a0, b0));
    const Variable mu = p.latent("mu", {}, name == "independent_prior" ? normal(m0, k0) : normal(m0, k0 * tau()));
    p.observe(xd(n), normal(mu(), tau()));
    Factorisation q(p);
    if (name == "joint") q.joint({mu, tau});
    // mu ~ N(m0, 1 / k0) to begin with, whatever tau is.
    if (name != "joint") q.start_gaussian(mu, {m0}, 1 / k0);
    const Schedule order = name == "joint" ? Schedule{{mu, tau}} : Schedule{{mu}, {tau}};
    const Posterior post = infer(p, q, order, sweeps(c), cavi::testing::test_device(1));
    expect_trace(post.summary().elbo_trace, flat(c["elbo_trace"]), kBound, "bound");
    const Json& expected = c["posterior"];
    if (name == "joint") {
      const NormalWishartParameters nw = post.normal_wishart(mu);
      EXPECT_NEAR(nw.mean[0], expected["mutau"]["m"], kPosterior);
      EXPECT_NEAR(nw.mean_precision[0], expected["mutau"]["k"], kPosterior);
      EXPECT_NEAR(nw.degrees_of_freedom[0] / 2, expected["mutau"]["a"], kPosterior);
      EXPECT_NEAR(nw.inverse_scale[0] / 2, expected["mutau"]["b"].get<double>(), kPosterior * 45);
      EXPECT_NEAR(post.elbo(), c["log_evidence"], 1e-10);
    } else {
      EXPECT_NEAR(post.gaussian(mu).mean[0], expected["mu"]["m"], kPosterior);
      EXPECT_NEAR(post.gaussian(mu).covariance[0], expected["mu"]["V"], kPosterior);
      EXPECT_NEAR(post.gamma(tau).shape[0], expected["tau"]["a"], kPosterior);
      EXPECT_NEAR(post.gamma(tau).rate[0], expected["tau"]["b"].get<double>(), kPosterior * 50);
    }
  }
}

TEST(Reference, RowsNestedInGroups) {
  const Json file = reference("hierarchical_normal.json");
  for (const Json& c : file["cases"]) {
    const bool block = c["case"] == "block";
    SCOPED_TRACE(c["case"].get<std::string>());
    const Json& h = c["hyperparameters"];
    const std::vector<double> y = flat(c["data"]["y"]), means = flat(c["init"]["group_means"]);
    const auto group = c["data"]["group"].get<std::vector<std::int32_t>>();
    Model p;
    const Plate n = p.plate("n", std::int64_t(y.size())), g = p.plate("g", std::int64_t(means.size()));
    const Data yd = p.data("y", y, {n});
    const Index of = p.index("group", n, g, group);
    const Variable m = p.latent("m", {}, normal(h["m0"].get<double>(), h["p0"].get<double>()));
    const Variable kappa = p.latent("kappa", {}, gamma(h["ka"], h["kb"].get<double>()));
    const Variable tau = p.latent("tau", {}, gamma(h["ta"], h["tb"].get<double>()));
    const Variable mu = p.latent("mu", {g}, normal(m(), kappa()));
    p.observe(yd(n), normal(mu(of), tau()));
    Factorisation q(p);
    block ? q.joint({mu, m}) : q.start_gaussian(mu, means, 1.0);
    const Schedule order = block ? Schedule{{mu, m}, {kappa}, {tau}} : Schedule{{mu}, {m}, {kappa}, {tau}};
    const Posterior post = infer(p, q, order, sweeps(c), cavi::testing::test_device(1));
    std::vector<double> trace = post.summary().elbo_trace, expected = flat(c["elbo_trace"]);
    if (block) {  // the joint factor starts at its prior here, which the first update forgets
      trace.erase(trace.begin());
      expected.erase(expected.begin());
    }
    expect_trace(trace, expected, kBound, "bound");
    EXPECT_NEAR(post.gamma(kappa).rate[0], c["posterior"]["kappa"]["b"], 10 * kPosterior);
    EXPECT_NEAR(post.gamma(tau).rate[0], c["posterior"]["tau"]["b"], 20 * kPosterior);
    const Json& factor = c["posterior"][block ? "mum" : "mu"];
    expect_close(post.gaussian(mu).mean, flat(factor["m"]), kPosterior, 1, "mu");
    expect_close(post.gaussian(mu).covariance, flat(factor["V"]), kPosterior, 1, "V");
    if (!block) {
      EXPECT_NEAR(post.gaussian(m).mean[0], c["posterior"]["m"]["m"], kPosterior * 3);
    }
  }
}

TEST(Reference, MeansAndPrecisionsOfAMixtureInFactorsOfTheirOwn) {
  const Json c = reference("gaussian_mixture_split_factors.json");
  const std::vector<double> y = flat(c["y"]);
  const int rows = int(y.size() / 2), components = int(c["alpha"].size());
  for (const bool fuse : {true, false}) {
    Model p;
    const Plate n = p.plate("n", rows), k = p.plate("k", components), d = p.plate("d", 2);
    const Data Y = p.data("Y", Matrix(y, rows, 2), {n, d});
    const Variable pi = p.latent("alpha", {}, dirichlet(1e-5), {k});
    const Variable z = p.latent("z", {n}, categorical(pi(k)), {k});
    const Data prior_precision = p.data("prior precision", {1e-5, 0, 0, 1e-5}, {d, d});
    const Variable mu = p.latent("mu", {k}, normal(0, prior_precision(d, primed(d))), {d});
    const Variable lambda = p.latent("Lambda", {k}, wishart(2, 1e-5), {d});
    p.observe(Y(n, d), mixture(z(n, k), normal(mu(k, d), lambda(k))));
    Factorisation q(p);
    q.start_labels(z, c["z0"].get<std::vector<std::int32_t>>());
    Options options;
    options.fuse = fuse;
    const Posterior post =
        infer(p, q, {{mu}, {lambda}, {z}, {pi}}, {c["iters"].get<int>(), 0.0}, cavi::testing::test_device(1), options);
    EXPECT_EQ(post.summary().fused, fuse);
    std::vector<double> trace = post.summary().elbo_trace;
    trace.erase(trace.begin());  // the reference begins after the first sweep
    expect_trace(trace, flat(c["elbo_trace"]), kBound, fuse ? "fused bound" : "bound");
    expect_close(post.gaussian(mu).mean, flat(c["mu"]), kPosterior, 1, "mu");
    expect_close(post.mean(lambda), flat(c["E_Lambda"]), kPosterior, 1, "E Lambda");
    expect_close(post.dirichlet(pi), flat(c["alpha"]), kPosterior, 1, "alpha");
  }
}

}  // namespace
