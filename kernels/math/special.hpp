// SPDX-License-Identifier: Apache-2.0
/// \file
/// Special functions of positive arguments in float64, without the global that glibc's lgamma writes (signgam).
///
/// Three ranges each: a rational interpolant (Chebyshev nodes, relative error below 1e-18) where the function has its
/// roots, kept as (x - root) * r(x); the recurrence up to x = 10; the asymptotic series beyond (Abramowitz and Stegun
/// 6.1.41, 6.3.18). Relative error is a few units roundoff, at the roots too. Arguments are positive (0 gives an
/// infinity, negative ones no meaningful number).
#pragma once

#include "kernels/math/host_device.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::math::inline CAVI_COMPILER {

inline constexpr double kLog2 = 0.6931471805599453094;
inline constexpr double kLogPi = 1.144729885849400174;
inline constexpr double kLog2Pi = 1.837877066409345484;

/// c0 + c1 x + c2 x^2 + ...
CAVI_HOST_DEVICE constexpr double polynomial(double, double c) { return c; }
template <class... C>
CAVI_HOST_DEVICE constexpr double polynomial(double x, double c, C... higher) {
  return c + x * polynomial(x, higher...);
}

namespace detail {

inline constexpr double kAsymptotic = 10;

/// ln Gamma(1 + t) for 0 <= t <= 1.
CAVI_HOST_DEVICE inline double lgamma_between_roots(double t) {
  const double p = polynomial(t, 0.5772156649015329, 1.5266184730966004, 1.4930605983586913, 0.6620976499212197,
                              0.13010128282514377, 0.009060657389383225, 7.137711555893187e-05, -7.978941098521763e-07);
  const double q = polynomial(t, 1.0, 3.0696842607718264, 3.621645643899702, 2.0587168639115454, 0.5774290623672858,
                              0.0725453126933089, 0.002977597285715616);
  return t * (t - 1) * (p / q);
}

/// digamma(x) for 1 <= x <= 2. Its root is the sum of the two numbers subtracted.
CAVI_HOST_DEVICE inline double digamma_about_root(double x) {
  const double t = x - 1;
  const double p = polynomial(t, 1.2503801375034054, 1.8675925104074453, 0.9711327526262392, 0.21631407251432455,
                              0.01996408274151926, 0.0005811135063985677, 1.0894678528383955e-06);
  const double q = polynomial(t, 1.0, 2.1771665986671342, 1.6630736963665909, 0.5710455727133128, 0.09111902253303285,
                              0.006100975692434821, 0.00012043151172286901);
  return ((x - 1.4616321449683622) - 9.549995429965697e-17) * (p / q);
}

/// ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2) for x >= 10.
CAVI_HOST_DEVICE inline double stirling_rest(double x) {
  const double f = 1 / (x * x);
  return polynomial(f, 1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188, -691. / 360360, 1. / 156,
                    -3617. / 122400) /
         x;
}

/// ln x - 1 / (2 x) - digamma(x) for x >= 10.
CAVI_HOST_DEVICE inline double digamma_rest(double x) {
  const double f = 1 / (x * x);
  return f * polynomial(f, 1. / 12, -1. / 120, 1. / 252, -1. / 240, 1. / 132, -691. / 32760, 1. / 12, -3617. / 8160);
}

}  // namespace detail

CAVI_OUT_OF_LINE CAVI_HOST_DEVICE inline double lgamma(double x) {
  if (x >= detail::kAsymptotic) return (x - 0.5) * (std::log(x) - 1) + (kLog2Pi - 1) / 2 + detail::stirling_rest(x);
  if (x < 1) return detail::lgamma_between_roots(x) - std::log(x);
  if (x <= 2) return detail::lgamma_between_roots(x - 1);
  double product = 1;
  while (x > 2) product *= x -= 1;
  return std::log(product) + detail::lgamma_between_roots(x - 1);
}

/// ln Gamma(x + h) - ln Gamma(x) for h >= 0. For large x nothing of size x ln x is subtracted.
CAVI_HOST_DEVICE inline double lgamma_rise(double x, double h) {
  if (x < detail::kAsymptotic) return lgamma(x + h) - lgamma(x);
  return (x - 0.5) * std::log1p(h / x) + h * (std::log(x + h) - 1) + detail::stirling_rest(x + h) -
         detail::stirling_rest(x);
}

CAVI_OUT_OF_LINE CAVI_HOST_DEVICE inline double digamma(double x) {
  if (x >= detail::kAsymptotic) return std::log(x) - 0.5 / x - detail::digamma_rest(x);
  if (x < 1) return detail::digamma_about_root(x + 1) - 1 / x;
  double sum = 0;
  while (x > 2) sum += 1 / (x -= 1);
  return sum + detail::digamma_about_root(x);
}

/// a + ln Gamma(a) + (1 - a) digamma(a), the entropy of a Gamma variable of shape a and rate one. Entropies of the
/// Gamma, Wishart, Beta and Dirichlet families are sums of it; for large a the terms of size a ln a are gone.
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE inline double gamma_entropy(double a) {
  if (a >= detail::kAsymptotic)
    return 0.5 * std::log(a) + (kLog2Pi + 1) / 2 - 0.5 / a + detail::stirling_rest(a) +
           (a - 1) * detail::digamma_rest(a);
  return a + lgamma(a) + (1 - a) * digamma(a);
}

/// ln Gamma_d(a) = d (d - 1) / 4 ln pi + sum_{i < d} ln Gamma(a - i / 2), for a > (d - 1) / 2.
CAVI_HOST_DEVICE inline double multivariate_lgamma(double a, int d) {
  double sum = 0.25 * d * (d - 1) * kLogPi;
  for (int i = 0; i < d; ++i) sum += lgamma(a - 0.5 * i);
  return sum;
}

/// sum_{i < d} digamma(a - i / 2), its derivative.
CAVI_HOST_DEVICE inline double multivariate_digamma(double a, int d) {
  double sum = 0;
  for (int i = 0; i < d; ++i) sum += digamma(a - 0.5 * i);
  return sum;
}

/// log sum_i exp(x_i); -infinity when n is 0 or every x_i is.
CAVI_HOST_DEVICE inline double log_sum_exp(const double* x, std::int64_t n) {
  double largest = -HUGE_VAL, sum = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::fmax(largest, x[i]);
  if (std::isinf(largest)) return largest;
  for (std::int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - largest);
  return largest + std::log(sum);
}

}  // namespace cavi::kernels::math::inline CAVI_COMPILER
