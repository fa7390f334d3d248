// SPDX-License-Identifier: Apache-2.0
// Laws of the exponential families: the gradient of the log-normaliser is u, moments and entropies by quadrature and by
// the textbook, special cases against each other, and what is refused.
#include "tests/family_test.hpp"

#include <gtest/gtest.h>

#include <boost/math/quadrature/exp_sinh.hpp>
#include <boost/math/quadrature/sinh_sinh.hpp>
#include <boost/math/quadrature/tanh_sinh.hpp>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/gamma.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace {

using namespace cavi::family_test;  // NOLINT

double log_normaliser(const Case& c, const Slots& eta) {
  const Result r = run(c.update, eta);
  EXPECT_EQ(r.failure, Failure::none) << c.name;
  return r.entropy + inner(eta, r.u);
}

TEST(Families, GradientOfTheLogNormaliserIsU) {
  const double weight[] = {4. / 5, -1. / 5, 4. / 105, -1. / 280};  // central differences of order eight
  Random random(1);
  for (int n = 1; n <= 8; ++n)
    for (int j = 1; j <= 8; j += 1 + n / 3)
      for (const Case& c : random_cases(n, j, random)) {
        const Result at = run(c.update, c.eta);
        ASSERT_EQ(at.failure, Failure::none) << c.name;
        for (std::size_t s = 0; s < c.eta.size(); ++s)
          for (std::size_t i = 0; i < c.eta[s].size(); ++i) {
            const double h = 0.003;
            double slope = 0;
            for (int k = 1; k <= 4; ++k)
              for (const int sign : {-1, 1}) {
                Slots eta = c.eta;
                eta[s][i] += sign * k * h;
                slope += sign * weight[k - 1] / h * log_normaliser(c, eta);
              }
            EXPECT_NEAR(slope, at.u[s][i], 1e-9 * (1 + std::abs(at.u[s][i])))
                << c.name << " slot " << s << " [" << i << "]";
          }
      }
}

// ---- constants: the gradient does not see them, quadrature and textbook normalisers do ------------------------------

using Real = long double;
Real lgamma(Real x) { return boost::math::lgamma(x); }
Real psi(Real x) { return boost::math::digamma(x); }

// Checks 1 = int p, u = int T p and H = -int p ln p for a density exp(<eta, T>) on an interval.
template <class Integrate, class Statistics>
void expect_moments(const Case& c, Integrate integrate, Statistics statistics) {
  const Result r = run(c.update, c.eta);
  ASSERT_EQ(r.failure, Failure::none) << c.name;
  const Real a = r.entropy + inner(c.eta, r.u);
  const auto expectation = [&](auto f) {
    return integrate([&](auto... x) {
      const std::vector<Real> t = statistics(x...);
      Real log_p = -a;
      for (std::size_t s = 0; s < t.size(); ++s) log_p += c.eta[s][0] * t[s];
      const Real p = std::exp(log_p);
      return p > 0 ? p * f(t, log_p) : Real(0);
    });
  };
  EXPECT_NEAR(double(expectation([](auto&, Real) { return Real(1); })), 1, 1e-9) << c.name;
  EXPECT_NEAR(double(expectation([](auto&, Real log_p) { return -log_p; })), r.entropy,
              1e-8 * (1 + std::abs(r.entropy)))
      << c.name;
  for (std::size_t s = 0; s < r.u.size(); ++s) {
    const auto u = double(expectation([s](auto& t, Real) { return t[s]; }));
    EXPECT_NEAR(u, r.u[s][0], 1e-8 * (1 + std::abs(u))) << c.name << " slot " << s;
  }
}

TEST(Families, OneDimensionalMomentsByQuadrature) {
  boost::math::quadrature::exp_sinh<Real> half_line;
  boost::math::quadrature::sinh_sinh<Real> line;
  boost::math::quadrature::tanh_sinh<Real> interval;
  const auto over_half_line = [&](auto f) { return half_line.integrate([&](Real x) { return f(x); }); };
  const auto over_unit = [&](auto f) {  // xc is the distance to the nearer end
    return interval.integrate([&](Real x, Real xc) { return x < 0.5 ? f(x, 1 - x) : f(x, xc < 0 ? -xc : xc); }, Real(0),
                              Real(1));
  };
  for (const double a : {0.6, 1., 2.5, 40.})
    for (const double b : {0.3, 1., 7.}) {
      const std::string name = std::to_string(a) + ", " + std::to_string(b);
      expect_moments({"gamma " + name, wishart(1), {{-b}, {a - 1}}}, over_half_line, [](Real x) {
        return std::vector<Real>{x, std::log(x)};
      });
      expect_moments({"beta " + name, sticks(1), {{a - 1}, {b + 0.4 - 1}, {0}}}, over_unit, [](Real x, Real rest) {
        return std::vector<Real>{std::log(x), std::log(rest), std::log(x)};
      });
      const auto over_line = [&](auto f) {  // x = mean + t / sqrt(b)
        const Real mean = a / Real(b) - 1, scale = 1 / std::sqrt(Real(b));
        return scale * line.integrate([&](Real t) { return f(mean + t * scale); });
      };
      expect_moments({"gaussian " + name, gaussian(1), {{a - b}, {-0.5 * b}}}, over_line, [](Real x) {
        return std::vector<Real>{x, x * x};
      });
      // Normal-Gamma: mu = m + t / sqrt(beta L), so that the inner integral runs over a standard scale.
      const double beta = 0.5 + b, m = 1.5;
      const auto over_both = [&](auto f) {
        return half_line.integrate([&](Real l) {
          const Real scale = 1 / std::sqrt(beta * l);
          return scale * line.integrate([&](Real t) { return f(l, m + t * scale); });
        });
      };
      expect_moments({"normal-gamma " + name,
                      normal_wishart(1, 1),
                      {{-b - 0.5 * beta * m * m}, {a - 1 + 0.5}, {beta * m}, {-0.5 * beta}}},
                     over_both, [](Real l, Real mu) {
                       return std::vector<Real>{l, std::log(l), l * mu, l * mu * mu};
                     });
    }
}

TEST(Families, WishartMatchesItsTextbookFormulas) {  // Bishop, PRML, appendix B
  Random random(2);
  for (int d = 1; d <= 8; ++d) {
    const Matrix w = random.positive(d), inverse = w.inverse();
    const double nu = random.uniform(d - 0.9, d + 12);
    const Matrix e = -0.5 * inverse;
    const Slots eta = {flat(Eigen::Map<const Vector>(e.data(), e.size())), {0.5 * (nu - d - 1)}};
    const Result r = run(wishart(d), eta);
    ASSERT_EQ(r.failure, Failure::none);
    const Real log_w = std::log(Real(w.determinant()));
    Real expected = d * std::log(Real(2)) + log_w, log_z = 0.5L * nu * (d * std::log(Real(2)) + log_w);
    log_z += 0.25L * d * (d - 1) * std::log(Real(M_PI));
    for (int i = 0; i < d; ++i) expected += psi(0.5L * (nu - i)), log_z += lgamma(0.5L * (nu - i));
    EXPECT_NEAR(r.u[1][0], double(expected), 1e-11 * (1 + std::abs(r.u[1][0])));
    for (int i = 0; i < d * d; ++i) EXPECT_NEAR(r.u[0][i], nu * w.data()[i], 1e-11 * nu * w.norm());
    const auto h = double(log_z - 0.5L * (nu - d - 1) * expected + 0.5L * nu * d);
    EXPECT_NEAR(r.entropy, h, 1e-11 * (1 + std::abs(h) + double(std::abs(log_z)))) << d;
  }
}

TEST(Families, WishartOfDimensionOneIsTheGamma) {
  for (const double a : {1e-6, 0.3, 1., 17., 1e5})
    for (const double b : {1e-6, 1., 1e4}) {
      const Result r = run(wishart(1), {{-b}, {a - 1}});
      const Real shape = Real(a - 1) + 1;
      EXPECT_NEAR(r.u[0][0] / double(shape / b), 1, 1e-14);
      EXPECT_NEAR(r.u[1][0], double(psi(shape) - std::log(Real(b))), 1e-14 * (20 + std::abs(r.u[1][0])));
      const auto h = double(shape - std::log(Real(b)) + lgamma(shape) + (1 - shape) * psi(shape));
      EXPECT_NEAR(r.entropy, h, 1e-14 * (20 + std::abs(h)));
    }
}

TEST(Families, NormalWishartMatchesItsTextbookFormulas) {  // Bishop, PRML, equations 10.59 to 10.66, with J means
  Random random(3);
  for (int d = 1; d <= 8; ++d)
    for (const int j : {1, 2, 5}) {
      const Matrix w = random.positive(d);
      const double nu = random.uniform(d - 0.9, d + 12);
      Matrix e = -0.5 * w.inverse(), m = Matrix::NullaryExpr(j, d, [&] { return random.normal(); });
      Slots eta(4);
      std::vector<double> beta = random.numbers(j, 0.1, 5);
      for (int i = 0; i < j; ++i) {
        e -= 0.5 * beta[i] * m.row(i).transpose() * m.row(i);
        for (int c = 0; c < d; ++c) eta[2].push_back(beta[i] * m(i, c));
        eta[3].push_back(-0.5 * beta[i]);
      }
      eta[0] = flat(Eigen::Map<const Vector>(e.data(), e.size()));
      eta[1] = {0.5 * (nu - d - 1 + j)};
      const Result r = run(normal_wishart(d, j), eta),
                   precision =
                       run(wishart(d), {flat(Eigen::Map<const Vector>(Matrix(-0.5 * w.inverse()).data(), d * d)),
                                        {0.5 * (nu - d - 1)}});
      ASSERT_EQ(r.failure, Failure::none);
      const double scale = nu * w.norm() * (1 + m.squaredNorm());
      for (int i = 0; i < d * d; ++i) EXPECT_NEAR(r.u[0][i], nu * w.data()[i], 1e-10 * scale);
      EXPECT_NEAR(r.u[1][0], precision.u[1][0], 1e-10 * (1 + std::abs(precision.u[1][0])));
      double h = precision.entropy;
      for (int i = 0; i < j; ++i) {
        const Vector lm = nu * w * m.row(i).transpose();
        for (int c = 0; c < d; ++c) EXPECT_NEAR(r.u[2][i * d + c], lm[c], 1e-10 * scale);
        EXPECT_NEAR(r.u[3][i], d / beta[i] + m.row(i).dot(lm), 1e-10 * (scale + d / beta[i]));
        h += 0.5 * (d * (1 + std::log(2 * M_PI) - std::log(beta[i])) - precision.u[1][0]);
      }
      EXPECT_NEAR(r.entropy, h, 1e-10 * (1 + std::abs(h))) << d << ", " << j;
    }
}

TEST(Families, EntropiesKeepTheirDigitsForLargeCounts) {
  for (const double n : {1e3, 1e6, 1e9}) {
    const double tolerance = 1e-12 + 1e-17 * n;  // the oracle cancels too; in double it would be wrong by 2e-15 n
    const int d = 3;
    // Wishart with W^-1 = n times the identity.
    const Real nu = Real(n) + d + 1, log_2w = d * std::log(2 / Real(n));
    Real log_z = nu / 2 * log_2w + Real(d * (d - 1)) / 4 * std::log(std::acos(Real(-1))), sum = log_2w;
    for (int i = 0; i < d; ++i) log_z += lgamma((nu - i) / 2), sum += psi((nu - i) / 2);
    const Real wishart_entropy = log_z - (nu - d - 1) / 2 * sum + nu * d / 2;
    const Slots eta = {{-n / 2, 0, 0, 0, -n / 2, 0, 0, 0, -n / 2}, {n / 2}};
    EXPECT_NEAR(run(wishart(d), eta).entropy, double(wishart_entropy), tolerance) << n;

    const Real a = Real(n) + 1, b = 2 * Real(n) + 1, s = a + b;
    const Real beta_entropy =
        lgamma(a) + lgamma(b) - lgamma(s) - (a - 1) * psi(a) - (b - 1) * psi(b) + (s - 2) * psi(s);
    EXPECT_NEAR(run(sticks(1), {{n}, {2 * n}, {0}}).entropy, double(beta_entropy), tolerance) << n;
    EXPECT_NEAR(run(dirichlet(2), {{n, 2 * n}}).entropy, double(beta_entropy), tolerance) << n;
  }
}

TEST(Families, DirichletOfTwoIsTheBetaAndOfOneIsAPoint) {
  Random random(4);
  for (int i = 0; i < 50; ++i) {
    const double a = random.uniform(-0.99, 20), b = random.uniform(-0.99, 20);
    const Result two = run(dirichlet(2), {{a, b}}), beta = run(sticks(1), {{a}, {b}, {0}});
    EXPECT_NEAR(two.u[0][0], beta.u[0][0], 1e-14 * (1 + std::abs(beta.u[0][0])));
    EXPECT_NEAR(two.u[0][1], beta.u[1][0], 1e-14 * (1 + std::abs(beta.u[1][0])));
    EXPECT_NEAR(two.entropy, beta.entropy, 1e-13 * (10 + std::abs(beta.entropy)));
    const Result one = run(dirichlet(1), {{a}});
    EXPECT_EQ(one.u[0][0], 0);
    EXPECT_EQ(one.entropy, 0);
  }
}

TEST(Families, SticksBreakAPitmanYorProcess) {
  Random random(5);
  for (const int k : {1, 2, 3, 17})
    for (const double discount : {0., 0.25, 0.9}) {
      const double alpha = random.uniform(0.1, 3);
      const std::vector<double> count = random.numbers(k, 0, 50);
      Slots prior(3), folded(3);
      std::vector<Real> a(k), b(k);
      for (int i = 0; i < k; ++i) {
        prior[0].push_back(1 - discount - 1);
        prior[1].push_back(alpha + (i + 1) * discount - 1);
        Real rest = 0;
        for (int j = i + 1; j < k; ++j) rest += count[j];
        a[i] = 1 - discount + count[i], b[i] = alpha + (i + 1) * discount + rest;
        folded[0].push_back(double(a[i] - 1)), folded[1].push_back(double(b[i] - 1));
      }
      prior[2] = count;
      folded[2].assign(k, 0);
      const Result r = run(sticks(k), prior), same = run(sticks(k), folded);
      Real log_rest = 0, entropy = 0;
      for (int i = 0; i < k; ++i) {
        const Real log_v = psi(a[i]) - psi(a[i] + b[i]), log_1v = psi(b[i]) - psi(a[i] + b[i]);
        EXPECT_NEAR(r.u[0][i], double(log_v), 1e-13 * (1 + std::abs(r.u[0][i])));
        EXPECT_NEAR(r.u[1][i], double(log_1v), 1e-13 * (1 + std::abs(r.u[1][i])));
        EXPECT_NEAR(r.u[2][i], double(log_v + log_rest), 1e-13 * (1 + std::abs(r.u[2][i])));
        log_rest += log_1v;
        entropy += lgamma(a[i]) + lgamma(b[i]) - lgamma(a[i] + b[i]) - (a[i] - 1) * log_v - (b[i] - 1) * log_1v;
        for (int s = 0; s < 3; ++s) EXPECT_NEAR(r.u[s][i], same.u[s][i], 1e-12 * (1 + std::abs(r.u[s][i])));
      }
      EXPECT_NEAR(r.entropy, double(entropy), 1e-12 * (10 + std::abs(r.entropy)));
      EXPECT_NEAR(r.entropy, same.entropy, 1e-12 * (10 + std::abs(r.entropy)));
    }
}

TEST(Families, CategoricalIsASoftmax) {
  Random random(6);
  for (const int k : {1, 2, 3, 100}) {
    std::vector<double> logits = random.numbers(k, -30, 30);
    if (k > 2) logits[1] = -kInfinity;
    const Result r = run(categorical(k), {logits});
    Real sum = 0, entropy = 0;
    for (const double x : logits) sum += std::exp(Real(x));
    for (int i = 0; i < k; ++i) {
      const Real p = std::exp(Real(logits[i])) / sum;
      EXPECT_NEAR(r.u[0][i], double(p), 1e-14 * double(p));
      if (p > 0) entropy -= p * std::log(p);
    }
    EXPECT_NEAR(r.entropy, double(entropy), 1e-14 * (1 + double(entropy)));
    std::vector<double> moved = logits;
    for (double& x : moved) x += 1e6;
    EXPECT_NEAR(run(categorical(k), {moved}).entropy, double(entropy), 1e-8);
  }
  EXPECT_NEAR(run(categorical(7), {std::vector<double>(7, -1e300)}).entropy, std::log(7), 1e-15);
  const Result sure = run(categorical(3), {{-kInfinity, 5, -kInfinity}});
  EXPECT_EQ(sure.u[0], (std::vector<double>{0, 1, 0}));
  EXPECT_EQ(sure.entropy, 0);
}

TEST(Families, BadParametersFailWithTheirReason) {
  const auto failure = [](const Update& update, const Slots& eta) { return run(update, eta).failure; };
  EXPECT_EQ(failure(gaussian(2), {{0, 0}, {-1, 2, 2, -1}}), Failure::precision);
  EXPECT_EQ(failure(gaussian(1), {{0}, {0}}), Failure::precision);
  EXPECT_EQ(failure(gaussian(1), {{0}, {kNaN}}), Failure::precision);
  EXPECT_EQ(failure(gaussian(1), {{0}, {-kInfinity}}), Failure::precision);
  EXPECT_EQ(failure(gaussian(1), {{kNaN}, {-1}}), Failure::not_finite);
  EXPECT_EQ(failure(gaussian(1), {{kInfinity}, {-1}}), Failure::not_finite);

  EXPECT_EQ(failure(wishart(1), {{-1}, {-1}}), Failure::degrees_of_freedom);
  EXPECT_EQ(failure(wishart(3), {{-1, 0, 0, 0, -1, 0, 0, 0, -1}, {-1}}), Failure::degrees_of_freedom);
  EXPECT_EQ(failure(wishart(1), {{0}, {1}}), Failure::inverse_scale);
  EXPECT_EQ(failure(wishart(2), {{-1, 2, 2, -1}, {1}}), Failure::inverse_scale);
  EXPECT_EQ(failure(wishart(1), {{-1}, {kNaN}}), Failure::not_finite);
  EXPECT_EQ(failure(wishart(1), {{-1}, {kInfinity}}), Failure::not_finite);

  EXPECT_EQ(failure(normal_wishart(1, 1), {{-1}, {1}, {0}, {0}}), Failure::mean_precision);
  EXPECT_EQ(failure(normal_wishart(1, 2), {{-1}, {1}, {0, 0}, {-1, 1}}), Failure::mean_precision);
  EXPECT_EQ(failure(normal_wishart(1, 1), {{-1}, {1}, {3}, {-1}}), Failure::inverse_scale);
  EXPECT_EQ(failure(normal_wishart(1, 1), {{-1}, {-0.5}, {0}, {-1}}), Failure::degrees_of_freedom);
  EXPECT_EQ(failure(normal_wishart(1, 1), {{-1}, {1}, {kNaN}, {-1}}), Failure::not_finite);

  EXPECT_EQ(failure(dirichlet(2), {{0, -1}}), Failure::concentration);
  EXPECT_EQ(failure(dirichlet(2), {{0, kNaN}}), Failure::concentration);
  EXPECT_EQ(failure(dirichlet(2), {{0, kInfinity}}), Failure::not_finite);
  EXPECT_EQ(failure(sticks(2), {{-1, 0}, {0, 0}, {0, 0}}), Failure::concentration);
  EXPECT_EQ(failure(sticks(2), {{0, 0}, {-1, 0}, {0, 0}}), Failure::concentration);
  EXPECT_EQ(failure(sticks(2), {{-1, 0}, {-1, 0}, {1, 1}}), Failure::none);
  EXPECT_EQ(failure(sticks(1), {{kInfinity}, {0}, {0}}), Failure::not_finite);
  EXPECT_EQ(failure(categorical(2), {{-kInfinity, -kInfinity}}), Failure::logits);
  EXPECT_EQ(failure(categorical(2), {{kNaN, 0}}), Failure::not_finite);
  EXPECT_EQ(failure(categorical(2), {{0, kInfinity}}), Failure::not_finite);
}

}  // namespace
