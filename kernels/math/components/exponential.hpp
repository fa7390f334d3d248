// SPDX-License-Identifier: Apache-2.0
/// \file
/// Durations: ln p(x) = ln(rate) - rate x with rate ~ Gamma(a, b); the predictive is a Lomax distribution.
#pragma once

#include "kernels/math/components/linear.hpp"
#include "kernels/math/distributions.hpp"
#include "kernels/math/special.hpp"

#include <cmath>

namespace cavi::kernels::components {

struct Exponential {
  static constexpr const char* values = "a duration (0 or more)";
  static bool holds(double x) { return x >= 0 && !std::isinf(x); }
  static double log_base(double) { return 0; }
  static Affine expected_log(double a, double b) { return {math::digamma(a) - std::log(b), -a / b}; }
  static double log_predictive(double a, double b, double x) { return std::log(a / b) - (a + 1) * std::log1p(x / b); }
  static double draw(double a, double b, math::RowNumbers& numbers) {
    return -std::log(numbers.uniform()) * b * std::exp(-numbers.log_gamma_variate(a));
  }
};

}  // namespace cavi::kernels::components
