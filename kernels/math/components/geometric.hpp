// SPDX-License-Identifier: Apache-2.0
/// \file
/// Failures before a success: ln p(x) = ln p + x ln(1 - p) with p ~ Beta(a, b).
#pragma once

#include "kernels/math/components/independent.hpp"

namespace cavi::kernels::components::inline CAVI_COMPILER {

struct Geometric : Counts {
  static constexpr const char *parameter = "p", *about = "failures before a success";
  using Prior = Beta;
  static constexpr LogTerm terms[]{{1, false, 0}, {1, true, 1}};
  static double variance(double p) { return (1 - p) / (p * p); }
  CAVI_HOST_DEVICE static double draw(double p, math::RowNumbers& numbers) {
    return std::floor(std::log(numbers.uniform()) / std::log1p(-p));
  }
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
