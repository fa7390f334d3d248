// SPDX-License-Identifier: Apache-2.0
/// \file
/// Durations: ln p(x) = ln(rate) - rate x with rate ~ Gamma(a, b).
#pragma once

#include <cmath>

namespace cavi::kernels::components {

struct Exponential {
  static constexpr const char* values = "a duration (0 or more)";
  static bool holds(double x) { return x >= 0 && !std::isinf(x); }
};

}  // namespace cavi::kernels::components
