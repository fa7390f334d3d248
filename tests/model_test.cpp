// SPDX-License-Identifier: Apache-2.0
// What a model refuses, and in which words; latent models beside mixtures whose posterior is known in closed form.
#include "tests/device.hpp"
#include "tests/models.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

namespace {

using namespace cavi;

template <class E, class F>
void expect_refusal(F call, std::initializer_list<const char*> words) {
  try {
    call();
    FAIL() << "nothing was thrown";
  } catch (const E& e) {
    for (const char* w : words)
      EXPECT_NE(std::string(e.what()).find(w), std::string::npos) << e.what() << "\nlacks: " << w;
  }
}

void run(const Model& p, const Factorisation& q) { infer(p, q, {}, {2, 0.0}, cavi::testing::test_device(1)); }

TEST(NotConjugateError, NamesFactorTermAndStatistic) {
  Model p;
  const Plate d = p.plate("d", 2);
  const Variable lambda = p.latent("Lambda", {}, wishart(3, 1.0), {d});
  const Variable mu = p.latent("mu", {}, normal(0, 0.5 * lambda()), {d});
  p.term(-1e-3, {mu.statistic(1, d, primed(d)), lambda.statistic(1)});
  Factorisation together(p), apart(p);
  together.joint({mu, lambda});
  expect_refusal<NotConjugate>([&] { run(p, together); }, {"q(mu, Lambda)", "ln det Lambda", "mu^2(d, d')"});
  run(p, apart);  // the product of the two expectations is fine when they are apart
}

TEST(NotConjugateError, AFourthPowerHasNoFamily) {
  Model p;
  const Plate n = p.plate("n", 3);
  const Data y = p.data("y", {1, 2, 3}, {n});
  const Variable w = p.latent("w", {}, normal(0, 1));
  p.term(-0.1, {y(n), w.statistic(1), w.statistic(1)});
  expect_refusal<NotConjugate>([&] { run(p, Factorisation(p)); }, {"q(w)", "w^2 * w^2"});
}

TEST(NotConjugateError, ARateMustBePositiveAndASelectorCategorical) {
  Model p;
  const Plate n = p.plate("n", 2);
  const Data y = p.data("y", {1, 2}, {n});
  const Variable w = p.latent("w", {}, normal(0, 1));
  expect_refusal<NotConjugate>([&] { p.observe(y(n), normal(0, w())); }, {"'w'", "positive"});
  expect_refusal<NotConjugate>([&] { p.observe(y(n), mixture(w(), normal(0, 1))); }, {"'w'", "categorical"});
  expect_refusal<NotConjugate>([&] { p.observe(y(n), poisson(w())); }, {"'y'", "conjugate"});
  expect_refusal<NotConjugate>([&] { p.latent("k", {}, poisson(w())); }, {"'k'", "latent"});
}

TEST(NotConjugateError, CoupledCategoriesCannotBeUpdatedAtOnce) {
  Model p;
  const Plate n = p.plate("n", 4), k = p.plate("k", 2);
  const Variable pi = p.latent("pi", {}, dirichlet(1), {k}), z = p.latent("z", {n}, categorical(pi(k)), {k});
  p.term(0.5, {z(n, k), z(primed(n), k)});
  expect_refusal<NotConjugate>([&] { run(p, Factorisation(p)); }, {"q(z)", "plate 'n'"});
}

TEST(NotConjugateError, JointFactorsNeedAFamily) {
  Model p;
  const Variable a = p.latent("a", {}, gamma(1, 1)), b = p.latent("b", {}, gamma(1, 1));
  Factorisation q(p);
  q.joint({a, b});
  expect_refusal<NotConjugate>([&] { run(p, q); }, {"q(a, b)", "no family"});
}

TEST(ShapeErrors, NameWhatDoesNotFit) {
  Model p;
  const Plate n = p.plate("n", 4), d = p.plate("d", 2);
  expect_refusal<ShapeError>([&] { p.data("X", {1, 2, 3}, {n, d}); }, {"'X'", "8", "3"});
  expect_refusal<ShapeError>(
      [&] {
        p.data("X", Matrix(std::vector<double>(6, 0), 3, 2), {n, d});
      },
      {"'X'", "4 x 2", "3 x 2"});
  const Data y = p.data("y", {1, 2, 3, 4}, {n});
  expect_refusal<ShapeError>([&] { p.observe(y(d), normal(0, 1)); }, {"'y'", "plate 'n'"});
  expect_refusal<ShapeError>([&] { p.observe(y(n, d), normal(0, 1)); }, {"'y'", "1 labels"});
  expect_refusal<ShapeError>([&] { p.latent("g", {}, gamma(-1, 1)); }, {"'g'", "shape", "positive"});
  expect_refusal<ShapeError>([&] { p.latent("L", {}, wishart(0.5, 1.0), {d}); }, {"'L'", "D - 1"});
  expect_refusal<ShapeError>([&] { p.latent("L", {}, wishart(3, {1, 2, 2, 1}), {d}); }, {"L", "positive definite"});
  expect_refusal<ShapeError>([&] { p.latent("pi", {}, dirichlet(1)); }, {"'pi'", "event"});
  expect_refusal<OptionError>([&] { p.latent("pi", {}, dirichlet(1e-17), {d}); }, {"'pi'", "1e-10", "rounding"});
  expect_refusal<OptionError>([&] { p.latent("v", {}, stick_breaking(1e-12), {d}); }, {"'v'", "1e-10", "rounding"});
  expect_refusal<ShapeError>([&] { p.index("of", n, d, {0, 1, 2, 0}); }, {"'of'", "entry 2"});
  expect_refusal<ShapeError>([&] { p.plate("m", -1); }, {"'m'", "negative"});
  expect_refusal<NumericalError>([&] { p.weights(n, {1, 1, -1, 1}); }, {"element 2"});
  const Variable w = p.latent("w", {}, normal(0, 1), {d});
  Factorisation q(p);
  q.split(w, {{0}, {0, 1}});
  expect_refusal<ShapeError>([&] { run(p, q); }, {"q(w)", "blocks"});
  expect_refusal<ShapeError>(
      [&] {
        infer(p, Factorisation(p), {{}}, {1, 0.0}, cavi::testing::test_device(1));
      },
      {"schedule"});
  expect_refusal<OptionError>(
      [&] {
        infer(p, Factorisation(p), {}, {-1, -1.0}, cavi::testing::test_device(1));
      },
      {"max_iter", "tol"});
  const Model other = p;
  expect_refusal<ShapeError>(
      [&] {
        infer(other, Factorisation(p), {}, {1, 0.0}, cavi::testing::test_device(1));
      },
      {"another model"});
}

TEST(NumericalErrors, NameTheDataOrTheFactor) {
  Model p;
  const Plate n = p.plate("n", 3);
  const Data y = p.data("y", {1, std::nan(""), 3}, {n});
  const Variable mu = p.latent("mu", {}, normal(0, 1));
  p.observe(y(n), normal(mu(), 1));
  expect_refusal<NumericalError>([&] { run(p, Factorisation(p)); }, {"'y'", "not finite"});

  Model improper;
  const Variable x = improper.latent("x", {}, normal(0, 1));
  improper.term(2, {x.statistic(1)});  // turns the precision negative
  expect_refusal<NumericalError>([&] { run(improper, Factorisation(improper)); }, {"q(x)", "positive"});
}

// A model that is one conjugate factor: the bound is the log evidence, in closed form.
TEST(Evidence, GammaPoisson) {
  Model p;
  const Plate n = p.plate("n", 4);
  const std::vector<double> counts = {3, 0, 5, 2};
  const Data x = p.data("x", counts, {n});
  const double a = 1.7, b = 0.6;
  const Variable rate = p.latent("rate", {}, gamma(a, b));
  p.observe(x(n), poisson(rate()));
  const Posterior q = infer(p, Factorisation(p), {}, {1, 0.0}, cavi::testing::test_device(1));
  double evidence = a * std::log(b) - std::lgamma(a) + std::lgamma(a + 10) - (a + 10) * std::log(b + 4);
  for (double c : counts) evidence -= std::lgamma(c + 1);
  EXPECT_NEAR(q.elbo(), evidence, 1e-12 * std::abs(evidence));
  EXPECT_NEAR(q.gamma(rate).shape[0], a + 10, 1e-12);
}

TEST(Evidence, BetaBernoulli) {
  Model p;
  const Plate n = p.plate("n", 6);
  const Data x = p.data("x", {1, 0, 1, 1, 0, 1}, {n});
  const Variable v = p.latent("v", {}, beta(0.4, 1.3));
  p.observe(x(n), bernoulli(v()));
  const auto log_beta = [](double a, double b) { return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b); };
  const Posterior q = infer(p, Factorisation(p), {}, {1, 0.0}, cavi::testing::test_device(1));
  EXPECT_NEAR(q.elbo(), log_beta(4.4, 3.3) - log_beta(0.4, 1.3), 1e-12);
  EXPECT_NEAR(q.mean(v)[0], 4.4 / 7.7, 1e-14);
}

TEST(Evidence, MissingEverythingIsThePrior) {
  Model p;
  const Plate n = p.plate("n", 0), d = p.plate("d", 2);
  const Data x = p.data("x", std::vector<double>{}, {n, d});
  const Variable lambda = p.latent("Lambda", {}, wishart(5, {2, 0.5, 0.5, 1}), {d});
  const Variable mu = p.latent("mu", {}, normal(1.5, 3 * lambda()), {d});
  p.observe(x(n, d), normal(mu(d), lambda()));
  Factorisation q(p);
  q.joint({mu, lambda});
  const Posterior post = infer(p, q, {}, {3, 0.0}, cavi::testing::test_device(1));
  EXPECT_NEAR(post.elbo(), 0, 1e-12);
  const NormalWishartParameters w = post.normal_wishart(mu);
  EXPECT_NEAR(w.degrees_of_freedom[0], 5, 1e-12);
  EXPECT_NEAR(w.mean_precision[0], 3, 1e-12);
  EXPECT_NEAR(w.mean[1], 1.5, 1e-12);
  EXPECT_NEAR(w.inverse_scale[1], 0.5, 1e-12);
}

TEST(Batch, AnyModelCanBeBatched) {
  const int problems = 5, rows = 7;
  const std::vector<double> y = cavi::testing::gaussians(problems * rows, 61);
  std::vector<double> prior_mean = cavi::testing::gaussians(problems, 62);
  const auto build = [&](Model& p, std::int64_t first, int count) {
    p.batch(count);
    const Plate n = p.plate("n", rows);
    const Data x = p.batched_data("x", {y.begin() + first * rows, y.begin() + (first + count) * rows}, {n});
    const Data m0 = p.batched_data("m0", {prior_mean.begin() + first, prior_mean.begin() + first + count}, {});
    const Variable tau = p.latent("tau", {}, gamma(1, 1)), mu = p.latent("mu", {}, normal(m0(), 2));
    p.observe(x(n), normal(mu(), tau()));
    return mu;
  };
  Model all;
  const Variable mu = build(all, 0, problems);
  const Posterior batch = infer(all, Factorisation(all), {}, {50, 1e-9}, cavi::testing::test_device(2));
  ASSERT_EQ(batch.n_problems(), problems);
  for (int b = 0; b < problems; ++b) {
    Model one;
    build(one, b, 1);
    const Posterior q = infer(one, Factorisation(one), {}, {50, 1e-9}, cavi::testing::test_device(1));
    EXPECT_EQ(q.summary().elbo_trace, batch.summary(b).elbo_trace);
    EXPECT_EQ(q.mean(mu), batch.mean(mu, b));
  }
  EXPECT_THROW(batch.summary(problems), ShapeError);
}

TEST(Chain, CoupledElementsOfAPlateAreUpdatedOneAfterTheOther) {
  // A random walk: exact means, whatever the subdivision, at the fixed point.
  Model p;
  const int length = 6;
  const Plate t = p.plate("t", length), s = p.plate("s", length - 1);
  const Index from = p.index("from", s, t, {0, 1, 2, 3, 4}), to = p.index("to", s, t, {1, 2, 3, 4, 5});
  const Variable x = p.latent("x", {t}, normal(0, 0.5));
  p.term(-1, {x.statistic(1, from)});
  p.term(-1, {x.statistic(1, to)});
  p.term(2, {x(from), x(to)});
  const Data y = p.data("y", {1, 2, 0, -1, 3, 2}, {t});
  p.observe(y(t), normal(x(t), 4));
  Factorisation whole(p), split(p);
  Options every;
  every.bound_after_every_update = true;
  const Posterior q = infer(p, split, {{x}}, {400, 0.0}, cavi::testing::test_device(1), every);
  const auto& trace = q.summary().update_trace;
  for (std::size_t i = 1; i < trace.size(); ++i) EXPECT_GE(trace[i], trace[i - 1] - 1e-12 * std::abs(trace[i - 1]));
  // Solve (0.5 I + 4 I + 2 * Laplacian) m = 4 y by Gauss-Seidel on plain numbers.
  const double data[] = {1, 2, 0, -1, 3, 2};
  double m[length] = {};
  for (int sweep = 0; sweep < 1000; ++sweep)
    for (int i = 0; i < length; ++i) {
      double h = 4 * data[i], precision = 4.5;
      for (int j : {i - 1, i + 1})
        if (j >= 0 && j < length) h += 2 * m[j], precision += 2;
      m[i] = h / precision;
    }
  const GaussianParameters g = q.gaussian(x);
  for (int i = 0; i < length; ++i) EXPECT_NEAR(g.mean[std::size_t(i)], m[i], 1e-10);
}

}  // namespace
