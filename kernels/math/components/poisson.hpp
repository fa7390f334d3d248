// SPDX-License-Identifier: Apache-2.0
/// \file
/// Counts: ln p(x) = x ln(rate) - rate - ln x! with rate ~ Gamma(a, b).
#pragma once

#include "kernels/math/special.hpp"

#include <cmath>

namespace cavi::kernels::components {

struct Poisson {
  static constexpr const char* values = "a count (0, 1, 2, ...)";
  static bool holds(double x) { return x >= 0 && x == std::floor(x) && !std::isinf(x); }
  /// The part of ln p(x) that holds no parameter.
  static double log_base(double x) { return x < 2 ? 0 : -math::lgamma(x + 1); }
};

}  // namespace cavi::kernels::components
