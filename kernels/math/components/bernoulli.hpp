// SPDX-License-Identifier: Apache-2.0
/// \file
/// Zeros and ones: ln p(x) = x ln p + (1 - x) ln(1 - p) with p ~ Beta(a, b).
#pragma once

#include "kernels/math/components/linear.hpp"
#include "kernels/math/distributions.hpp"
#include "kernels/math/special.hpp"

#include <cmath>

namespace cavi::kernels::components {

/// A family of independent features tells which values it has, the part of ln p(x) that holds no parameter, what
/// remains of it under q in the form constant + coefficient x, the predictive, and a draw from that.
struct Bernoulli {
  static constexpr const char* values = "0 or 1";
  static bool holds(double x) { return x == 0 || x == 1; }
  static double log_base(double) { return 0; }
  static Affine expected_log(double a, double b) {
    const double rest = math::digamma(b);
    return {rest - math::digamma(a + b), math::digamma(a) - rest};
  }
  static double log_predictive(double a, double b, double x) { return std::log((x == 1 ? a : b) / (a + b)); }
  static double draw(double a, double b, math::RowNumbers& numbers) { return numbers.uniform() * (a + b) < a; }
};

}  // namespace cavi::kernels::components
