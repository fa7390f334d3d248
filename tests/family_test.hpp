// SPDX-License-Identifier: Apache-2.0
// What tests of the families share: running one, random parameters, Eigen's names.
#pragma once

#include "kernels/math/families.hpp"

#include <Eigen/Dense>

#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace cavi::family_test {

namespace math = cavi::kernels::math;
using math::Failure;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;
using Slots = std::vector<std::vector<double>>;
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Update = std::function<math::Moment(const double* const*, double* const*)>;

struct Result {
  Slots u;
  double entropy = 0;
  Failure failure = Failure::none;
};

// Outputs start as NaN: what the family does not write fails every comparison.
inline Result run(const Update& update, const Slots& eta) {
  Result r;
  std::vector<const double*> in;
  std::vector<double*> out;
  for (const auto& slot : eta) r.u.emplace_back(slot.size(), kNaN);
  for (std::size_t s = 0; s < eta.size(); ++s) in.push_back(eta[s].data()), out.push_back(r.u[s].data());
  const auto moment = update(in.data(), out.data());
  r.entropy = moment.entropy, r.failure = moment.failure;
  return r;
}

inline double inner(const Slots& a, const Slots& b) {
  double sum = 0;
  for (std::size_t s = 0; s < a.size(); ++s) sum = std::inner_product(a[s].begin(), a[s].end(), b[s].begin(), sum);
  return sum;
}

struct Case {
  std::string name;
  Update update;
  Slots eta;
};

class Random {
 public:
  explicit Random(unsigned seed) : rng_(seed) {}
  double normal() { return std::normal_distribution<double>()(rng_); }
  double uniform(double a, double b) { return std::uniform_real_distribution<double>(a, b)(rng_); }
  Vector vector(int n) {
    return Vector::NullaryExpr(n, [&] { return normal(); });
  }
  std::vector<double> numbers(int n, double a, double b) {
    std::vector<double> x(n);
    for (double& v : x) v = uniform(a, b);
    return x;
  }
  Matrix positive(int n) {
    const Matrix a = Matrix::NullaryExpr(n, n + 2, [&] { return normal(); });
    return a * a.transpose() / n + 0.5 * Matrix::Identity(n, n);
  }
  // A matrix whose symmetric part is `s`.
  std::vector<double> unsymmetric(const Matrix& s) {
    const Matrix a = Matrix::NullaryExpr(s.rows(), s.cols(), [&] { return normal(); });
    const Matrix m = s + a - a.transpose();
    return {m.data(), m.data() + m.size()};
  }

 private:
  std::mt19937_64 rng_;
};

inline std::vector<double> flat(const Vector& v) { return {v.data(), v.data() + v.size()}; }

inline Update gaussian(int m) {
  return [m](auto* eta, auto* u) { return math::gaussian(eta, u, m); };
}
inline Update wishart(int d) {
  return [d](auto* eta, auto* u) { return math::wishart(eta, u, d); };
}
inline Update normal_wishart(int d, int j) {
  return [=](auto* eta, auto* u) { return math::normal_wishart(eta, u, d, j); };
}
inline Update dirichlet(int k) {
  return [k](auto* eta, auto* u) { return math::dirichlet(eta, u, k); };
}
inline Update sticks(int k) {
  return [k](auto* eta, auto* u) { return math::sticks(eta, u, k); };
}
inline Update categorical(int k) {
  return [k](auto* eta, auto* u) { return math::categorical(eta, u, k); };
}

inline Slots normal_wishart_eta(Random& random, int d, int j) {
  Slots eta(4);
  Matrix e = -0.5 * random.positive(d);
  for (int i = 0; i < j; ++i) {
    const double beta = random.uniform(1, 4);
    const Vector m = 0.4 * random.vector(d);
    e -= 0.5 * beta * m * m.transpose();
    for (int r = 0; r < d; ++r) eta[2].push_back(beta * m[r]);
    eta[3].push_back(-0.5 * beta);
  }
  eta[0] = random.unsymmetric(e);
  eta[1] = {0.5 * (random.uniform(d + 0.5, d + 20) + j - d - 1)};
  return eta;
}

/// A case of every family with dimension n and, for the Normal-Wishart, j means.
inline std::vector<Case> random_cases(int n, int j, Random& random) {
  const std::string size = " " + std::to_string(n);
  return {
      {"gaussian" + size, gaussian(n), {flat(random.vector(n)), random.unsymmetric(-0.5 * random.positive(n))}},
      {"wishart" + size, wishart(n), {random.unsymmetric(-0.5 * random.positive(n)), {random.uniform(-0.3, 20)}}},
      {"normal_wishart" + size + " x " + std::to_string(j), normal_wishart(n, j), normal_wishart_eta(random, n, j)},
      {"dirichlet" + size, dirichlet(n), {random.numbers(n, -0.5, 9)}},
      {"sticks" + size, sticks(n), {random.numbers(n, -0.2, 3), random.numbers(n, -0.3, 3), random.numbers(n, 0, 9)}},
      {"categorical" + size, categorical(n), {random.numbers(n, -4, 4)}},
  };
}

}  // namespace cavi::family_test
