// SPDX-License-Identifier: Apache-2.0
/// \file
/// Zeros and ones: ln p(x) = x ln p + (1 - x) ln(1 - p) with p ~ Beta(a, b).
#pragma once

namespace cavi::kernels::components {

struct Bernoulli {
  static constexpr const char* values = "0 or 1";
  static bool holds(double x) { return x == 0 || x == 1; }
};

}  // namespace cavi::kernels::components
