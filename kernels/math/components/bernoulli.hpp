// SPDX-License-Identifier: Apache-2.0
/// \file
/// Zeros and ones: ln p(x) = x ln p + (1 - x) ln(1 - p) with p ~ Beta(a, b).
#pragma once

#include "kernels/math/components/independent.hpp"

namespace cavi::kernels::components::inline CAVI_COMPILER {

struct Bernoulli {
  static constexpr const char *parameter = "mean", *about = "0 and 1", *values = "0 or 1";
  static constexpr bool whole = true;
  CAVI_HOST_DEVICE static bool holds(double x) { return x == 0 || x == 1; }
  using Prior = Beta;
  static constexpr LogTerm terms[]{{1, true, 0}, {-1, true, 1}, {1, false, 1}};
  static double variance(double p) { return p * (1 - p); }
  CAVI_HOST_DEVICE static double draw(double p, math::RowNumbers& numbers) { return numbers.uniform() < p; }
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
