// SPDX-License-Identifier: Apache-2.0
/// \file
/// Families whose features are independent given the component, each with one parameter theta that has a conjugate
/// prior with numbers a and b:
///
///     ln p(x | theta) = base(x) + sum over terms of coefficient (x, or 1) t(theta)
///
/// A family is its name in ComponentFamily and a struct, in a file of that name, of what nobody else can know:
///
///     parameter, about           words: what tables call theta, and what kind of numbers x are
///     values, whole, holds(x)    which numbers those are, and whether all are whole
///     Prior, terms               the prior, whose statistics are t, and ln p(x | theta)
///     log_base(x)                base, unless it is zero
///     prior_b(mean)              of a Gamma prior: the default b for a column with this mean, a being 1
///     variance(theta)            of x
///     draw(theta, numbers)       an x
///
/// Everything else follows, the functions below among it. holds(), log_base() and draw() are called on
/// devices, too.
#pragma once

#include "kernels/math/distributions.hpp"
#include "kernels/math/host_device.hpp"
#include "kernels/math/special.hpp"

#include <array>
#include <cmath>
#include <cstddef>

namespace cavi::kernels::components::inline CAVI_COMPILER {

/// constant + coefficient x.
struct Affine {
  double constant = 0, coefficient = 0;
};

struct LogTerm {
  double coefficient = 1;
  bool with_row = false;
  int statistic = 0;
};

/// A number per statistic of a prior.
using Pair = std::array<double, 2>;

enum class Conjugate { beta, gamma };

/// Statistics ln theta and ln(1 - theta), whose natural parameters are a and b but for constants.
struct Beta {
  static constexpr Conjugate kind = Conjugate::beta;
  static Pair natural(double a, double b) { return {a, b}; }
  static Pair expected(double a, double b) {
    const double sum = math::digamma(a + b);
    return {math::digamma(a) - sum, math::digamma(b) - sum};
  }
  /// What the log-normaliser gains when the natural parameters do by `eta`.
  CAVI_HOST_DEVICE static double log_normaliser_rise(double a, double b, const Pair& eta) {
    return math::lgamma_rise(a, eta[0]) + math::lgamma_rise(b, eta[1]) - math::lgamma_rise(a + b, eta[0] + eta[1]);
  }
  CAVI_HOST_DEVICE static double draw(double a, double b, math::RowNumbers& numbers) {
    const double log_a = numbers.log_gamma_variate(a), log_b = numbers.log_gamma_variate(b);
    return 1 / (1 + std::exp(log_b - log_a));
  }
};

/// Statistics theta and ln theta, whose natural parameters are -b and a but for a constant.
struct Gamma {
  static constexpr Conjugate kind = Conjugate::gamma;
  static Pair natural(double a, double b) { return {-b, a}; }
  static Pair expected(double a, double b) { return {a / b, math::digamma(a) - std::log(b)}; }
  CAVI_HOST_DEVICE static double log_normaliser_rise(double a, double b, const Pair& eta) {
    return math::lgamma_rise(a, eta[1]) - a * std::log1p(-eta[0] / b) - eta[1] * std::log(b - eta[0]);
  }
  CAVI_HOST_DEVICE static double draw(double a, double b, math::RowNumbers& numbers) {
    return std::exp(numbers.log_gamma_variate(a)) / b;
  }
};

/// Values of more than one family.
struct Counts {
  static constexpr const char* values = "a count (0, 1, 2, ...)";
  static constexpr bool whole = true;
  CAVI_HOST_DEVICE static bool holds(double x) { return x >= 0 && x == std::floor(x) && !std::isinf(x); }
};

/// What this many rows with this sum add to the natural parameters.
template <class F>
constexpr Pair message(double rows, double sum) {
  Pair eta{};
  for (const LogTerm& t : F::terms) eta[std::size_t(t.statistic)] += t.coefficient * (t.with_row ? sum : rows);
  return eta;
}

/// E ln p(x | theta) but for the base.
template <class F>
Affine expected_log(double a, double b) {
  const Pair expected = F::Prior::expected(a, b);
  Affine sum;
  for (const LogTerm& t : F::terms)
    (t.with_row ? sum.coefficient : sum.constant) += t.coefficient * expected[std::size_t(t.statistic)];
  return sum;
}

/// ln of p(x | theta) with theta integrated out.
template <class F>
CAVI_HOST_DEVICE double log_predictive(double a, double b, double x) {
  constexpr Pair one = message<F>(1, 0), with_x = message<F>(0, 1);
  double base = 0;
  if constexpr (requires { F::log_base(x); }) base = F::log_base(x);
  return base + F::Prior::log_normaliser_rise(a, b, {one[0] + with_x[0] * x, one[1] + with_x[1] * x});
}

/// How many rows made (a, b) of (a0, b0): message() backwards.
template <class F>
double rows_between(const Pair& prior, const Pair& posterior) {
  constexpr Pair one = message<F>(1, 0), x = message<F>(0, 1);
  constexpr double determinant = one[0] * x[1] - one[1] * x[0];
  static_assert(determinant != 0, "the rows cannot be told from their sum");
  const Pair from = F::Prior::natural(prior[0], prior[1]), to = F::Prior::natural(posterior[0], posterior[1]);
  return ((to[0] - from[0]) * x[1] - (to[1] - from[1]) * x[0]) / determinant;
}

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
