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

}  // namespace cavi::family_test
