// SPDX-License-Identifier: Apache-2.0
/// \file
/// Counts: ln p(x) = x ln(rate) - rate - ln x! with rate ~ Gamma(a, b); the predictive is a negative binomial.
#pragma once

#include "kernels/math/components/linear.hpp"
#include "kernels/math/distributions.hpp"
#include "kernels/math/special.hpp"

#include <cmath>

namespace cavi::kernels::components {

struct Poisson {
  static constexpr const char* values = "a count (0, 1, 2, ...)";
  static bool holds(double x) { return x >= 0 && x == std::floor(x) && !std::isinf(x); }
  static double log_base(double x) { return x < 2 ? 0 : -math::lgamma(x + 1); }
  static Affine expected_log(double a, double b) { return {-a / b, math::digamma(a) - std::log(b)}; }
  static double log_predictive(double a, double b, double x) {
    return math::lgamma_rise(a, x) + log_base(x) - a * std::log1p(1 / b) - x * std::log1p(b);
  }
  static double draw(double a, double b, math::RowNumbers& numbers) {
    return numbers.poisson_variate(std::exp(numbers.log_gamma_variate(a)) / b);
  }
};

}  // namespace cavi::kernels::components
