// SPDX-License-Identifier: Apache-2.0
// Mixtures of counts, of zeros and ones, of durations and of categories against exact fits: through the engine every
// bound of the trace, fused and not; through the estimator the posterior.
#include "kernels/math/special.hpp"
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

Json cases_of(const char* file) { return reference(file)["cases"]; }

Matrix rows_of(const Json& c) {
  const Json& x = c["data"]["X"];
  return Matrix(flat(x), std::int64_t(x.size()), int(x[0].size()));
}

std::vector<std::int32_t> labels_of(const Json& c) { return c["init"]["labels"].get<std::vector<std::int32_t>>(); }

/// What all of these mixtures have in common.
struct Frame {
  Model p;
  Plate n, k;
  Variable pi, z;

  explicit Frame(const Json& c) {
    const double concentration = c["hyperparameters"]["c0"];
    n = p.plate("n", std::int64_t(c["data"]["X"].size()));
    k = p.plate("k", c["hyperparameters"]["K"].get<int>());
    pi = c["hyperparameters"]["weights"] == "dirichlet" ? p.latent("pi", {}, dirichlet(concentration), {k})
                                                        : p.latent("pi", {}, stick_breaking(concentration), {k});
    z = p.latent("z", {n}, categorical(pi(k)), {k});
  }

  /// Fits in the order of the references: parameters, weights, responsibilities.
  Posterior fit(const Json& c, const std::vector<Variable>& parameters, const Options& options) const {
    Factorisation q(p);
    q.start_labels(z, labels_of(c));
    Schedule schedule;
    for (Variable v : parameters) schedule.push_back({v});
    schedule.push_back({pi});
    schedule.push_back({z});
    return infer(p, q, schedule, {c["sweeps"].get<int>(), 0.0}, cavi::testing::test_device(2), options);
  }

  void expect_posterior(const Json& c, const Posterior& q) const {
    EXPECT_NEAR(q.elbo(), c["elbo_final"].get<double>(), 1e-9 * std::abs(q.elbo()));
    expect_close(q.mean(z), flat(c["posterior"]["z"]["r"]), 1e-9, 1, "responsibilities");
    const Json& w = c["posterior"]["weights"];
    if (w.contains("c")) return expect_close(q.dirichlet(pi), flat(w["c"]), 1e-9, 1, "weights");
    const std::vector<double> ab = q.beta(pi), a = flat(w["g1"]), b = flat(w["g2"]);
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_NEAR(ab[2 * i], a[i], 1e-8);
      EXPECT_NEAR(ab[2 * i + 1], b[i], 1e-8);
    }
  }
};

std::string name_of(const Json& c) { return c["model"].get<std::string>() + ", " + c["case"].get<std::string>(); }

/// Runs a model generically, fused, and fused in float32.
template <class Fit, class Check>
void expect_reference(const Json& c, bool fuses, Fit fit, Check check) {
  for (const bool fuse : {false, true})
    for (const Scalar precision : {Scalar::float64, Scalar::float32}) {
      if (!fuse && precision == Scalar::float32) continue;
      SCOPED_TRACE(name_of(c) + (fuse ? ", fused" : "") + (precision == Scalar::float32 ? " float32" : ""));
      Options o;
      o.fuse = fuse;
      o.precision = precision;
      const Posterior q = fit(o);
      EXPECT_EQ(q.summary().fused, fuse && fuses);
      expect_trace(q.summary().elbo_trace, flat(c["elbo_trace"]), precision == Scalar::float64 ? 1e-9 : 1e-5, "bound");
      if (precision == Scalar::float64) check(q);
    }
}

struct Independent {
  const char* file;
  ComponentFamily family;
};
const Independent kIndependent[]{{"bernoulli_mixture.json", ComponentFamily::bernoulli},
                                 {"poisson_gamma_mixture.json", ComponentFamily::poisson},
                                 {"exponential_mixture.json", ComponentFamily::exponential}};

/// [K x D x 2] from the two arrays of a reference.
std::vector<double> pairs(const Json& phi) {
  const std::vector<double> a = flat(phi["a"]), b = flat(phi["b"]);
  std::vector<double> out;
  for (std::size_t i = 0; i < a.size(); ++i) out.insert(out.end(), {a[i], b[i]});
  return out;
}

TEST(CountsReference, EveryBoundOfIndependentFeatures) {
  for (const Independent& reference_of : kIndependent)
    for (const Json& c : cases_of(reference_of.file)) {
      const ComponentFamily family = reference_of.family;
      const double a = c["hyperparameters"]["a0"], b = c["hyperparameters"]["b0"];
      Frame m(c);
      const Matrix x = rows_of(c);
      const Plate d = m.p.plate("d", x.cols());
      const Data X = m.p.data("X", x, {m.n, d});
      const Variable theta =
          m.p.latent("theta", {m.k, d}, family == ComponentFamily::bernoulli ? beta(a, b) : gamma(a, b));
      m.p.observe(X(m.n, d), mixture(m.z(m.n, m.k), of_family(family, theta(m.k, d))));
      expect_reference(
          c, true, [&](const Options& o) { return m.fit(c, {theta}, o); },
          [&](const Posterior& q) {
            m.expect_posterior(c, q);
            const Json& phi = c["posterior"]["phi"];
            if (family == ComponentFamily::bernoulli)
              return expect_close(q.beta(theta), pairs(phi), 1e-9, 1, "Beta parameters");
            expect_close(q.gamma(theta).shape, flat(phi["a"]), 1e-9, 1, "shape");
            expect_close(q.gamma(theta).rate, flat(phi["b"]), 1e-9, 1, "rate");
          });
    }
}

// A multinomial is no conditional of its own: its terms are.
TEST(CountsReference, EveryBoundOfMultinomials) {
  for (const Json& c : cases_of("multinomial_mixture.json")) {
    Frame m(c);
    const Matrix x = rows_of(c);
    const std::vector<double> counts = x.to_vector();
    std::vector<double> coefficient(std::size_t(x.rows()));
    for (std::size_t i = 0; i < coefficient.size(); ++i) {
      double sum = 0;
      for (int v = 0; v < x.cols(); ++v) {
        const double count = counts[i * std::size_t(x.cols()) + std::size_t(v)];
        coefficient[i] -= kernels::math::lgamma(count + 1);
        sum += count;
      }
      coefficient[i] += kernels::math::lgamma(sum + 1);
    }
    const Plate v = m.p.plate("v", x.cols());
    const Data X = m.p.data("X", x, {m.n, v}), base = m.p.data("coefficient", coefficient, {m.n});
    const Variable phi = m.p.latent("phi", {m.k}, dirichlet(c["hyperparameters"]["e0"].get<double>()), {v});
    m.p.term(1, {m.z(m.n, m.k), X(m.n, v), phi(m.k, v)});
    m.p.term(1, {base(m.n)});
    expect_reference(
        c, true, [&](const Options& o) { return m.fit(c, {phi}, o); },
        [&](const Posterior& q) {
          m.expect_posterior(c, q);
          expect_close(q.dirichlet(phi), flat(c["posterior"]["phi"]["e"]), 1e-9, 1, "phi");
        });
  }
}

// Columns of categories, one-hot: three arrays, so that nothing fuses.
TEST(CountsReference, EveryBoundOfLatentClasses) {
  for (const Json& c : cases_of("latent_class.json")) {
    Frame m(c);
    const Json& h = c["hyperparameters"];
    const std::vector<double> x = rows_of(c).to_vector();
    std::vector<Variable> phi;
    for (std::size_t j = 0; j < h["V"].size(); ++j) {
      const int values = h["V"][j];
      const std::size_t columns = h["V"].size(), rows = x.size() / columns;
      std::vector<double> one_hot(rows * std::size_t(values), 0);
      for (std::size_t i = 0; i < rows; ++i) one_hot[i * std::size_t(values) + std::size_t(x[i * columns + j])] = 1;
      const std::string name = "column " + std::to_string(j);
      const Plate v = m.p.plate(name, values);
      const Data X = m.p.data(name, Matrix(one_hot, std::int64_t(rows), values), {m.n, v});
      phi.push_back(m.p.latent("phi of " + name, {m.k}, dirichlet(h["e0"][j].get<double>()), {v}));
      m.p.term(1, {m.z(m.n, m.k), X(m.n, v), phi.back()(m.k, v)});
    }
    expect_reference(
        c, false, [&](const Options& o) { return m.fit(c, phi, o); },
        [&](const Posterior& q) {
          m.expect_posterior(c, q);
          for (std::size_t j = 0; j < phi.size(); ++j)
            expect_close(q.dirichlet(phi[j]), flat(c["posterior"]["phi"]["e" + std::to_string(j)]), 1e-9, 1, "phi");
        });
  }
}

MixtureOptions options_of(const Json& c, ComponentFamily family) {
  const Json& h = c["hyperparameters"];
  MixtureOptions o;
  o.family = family;
  o.n_components = h["K"];
  o.weight_concentration_prior = h["c0"].get<double>();
  o.weight_concentration_prior_type =
      h["weights"] == "dirichlet" ? WeightPrior::dirichlet : WeightPrior::dirichlet_process;
  o.component_prior = {h["a0"].get<double>(), h["b0"].get<double>()};
  o.precision = Scalar::float64;
  o.tol = 0;
  return o;
}

// The estimator sets the parameters from the labels first, so that a sweep of the references ends in its middle: the
// parameters are those after one sweep less.
TEST(CountsReference, TheEstimatorsPosterior) {
  for (const auto& [file, family] : kIndependent)
    for (const Json& c : cases_of(file)) {
      SCOPED_TRACE(name_of(c));
      MixtureOptions o = options_of(c, family);
      o.max_iter = c["sweeps"].get<int>() - 1;
      Mixture m(o, cavi::testing::test_device(1));
      const Summary s = m.fit(rows_of(c), {}, labels_of(c));
      EXPECT_TRUE(s.fused);
      const double start = c["exact_log_p_data_and_initial_labels"];
      EXPECT_NEAR(s.elbo_trace[0], start, 1e-9 * std::abs(start));
      EXPECT_NEAR(s.elbo, c["elbo_final"].get<double>(), 1e-9 * std::abs(s.elbo));
      const MixturePosterior& q = m.posterior();
      expect_close(q.component_parameters, pairs(c["posterior"]["phi"]), 1e-9, 1, "component parameters");
      for (std::size_t i = 0; i < q.means.size(); ++i) {
        const double a = q.component_parameters[2 * i], b = q.component_parameters[2 * i + 1];
        EXPECT_NEAR(q.means[i], family == ComponentFamily::bernoulli ? a / (a + b) : a / b, 1e-12 * q.means[i]);
      }
    }
}

// BayesPy's documented example. Its first update is that of the responsibilities, from a point value of the parameters.
TEST(CountsReference, EveryBoundOfBayesPysBernoulliMixture) {
  const Json c = reference("bernoulli_mixture_bayespy.json");
  const std::vector<double> x = flat(c["x"]), start = flat(c["logp_init"]);
  const std::size_t d = c["x"][0].size(), n = x.size() / d, k = start.size() / d / 2;
  std::vector<double> r(n * k);
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < k; ++j) {
      double logit = 0;
      for (std::size_t e = 0; e < d; ++e) logit += start[(e * k + j) * 2 + (x[i * d + e] == 1 ? 0 : 1)];
      sum += r[i * k + j] = std::exp(logit);
    }
    for (std::size_t j = 0; j < k; ++j) r[i * k + j] /= sum;
  }
  const std::vector<double> trace = flat(c["elbo_trace"]);
  for (const Scalar precision : {Scalar::float64, Scalar::float32}) {
    MixtureOptions o;
    o.family = ComponentFamily::bernoulli;
    o.n_components = int(k);
    o.weight_concentration_prior_type = WeightPrior::dirichlet;
    o.weight_concentration_prior = 1e-5;
    o.component_prior = {0.5, 0.5};
    o.precision = precision;
    o.tol = 0;
    o.max_iter = int(trace.size()) - 1;
    Mixture m(o, cavi::testing::test_device(1));
    const Summary s = m.fit(Matrix(x, std::int64_t(n), int(d)), {}, Matrix(r, std::int64_t(n), int(k)));
    const double tolerance = precision == Scalar::float64 ? 1e-9 : 1e-5;
    expect_close(s.elbo_trace, trace, tolerance, 1, "bound");
    if (precision == Scalar::float64) {
      expect_close(m.posterior().weight_concentration, flat(c["R"]), 1e-8, 1, "weights");
      expect_close(m.posterior().counts, flat(c["Nk"]), 1e-8, 1, "counts");
    }
  }
}

}  // namespace
