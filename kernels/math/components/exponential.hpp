// SPDX-License-Identifier: Apache-2.0
/// \file
/// Durations: ln p(x) = ln(rate) - rate x with rate ~ Gamma(a, b); the predictive is a Lomax distribution.
#pragma once

#include "kernels/math/components/independent.hpp"

namespace cavi::kernels::components::inline CAVI_COMPILER {

struct Exponential {
  static constexpr const char *parameter = "rate", *about = "durations", *values = "a duration (0 or more)";
  static constexpr bool whole = false;
  CAVI_HOST_DEVICE static bool holds(double x) { return x >= 0 && !std::isinf(x); }
  using Prior = Gamma;
  static constexpr LogTerm terms[]{{1, false, 1}, {-1, true, 0}};
  static double prior_b(double mean) { return mean; }
  static double variance(double rate) { return 1 / (rate * rate); }
  CAVI_HOST_DEVICE static double draw(double rate, math::RowNumbers& numbers) {
    return -std::log(numbers.uniform()) / rate;
  }
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
