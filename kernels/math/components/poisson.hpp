// SPDX-License-Identifier: Apache-2.0
/// \file
/// Counts: ln p(x) = x ln(rate) - rate - ln x! with rate ~ Gamma(a, b); the predictive is a negative binomial.
#pragma once

#include "kernels/math/components/independent.hpp"

namespace cavi::kernels::components::inline CAVI_COMPILER {

struct Poisson : Counts {
  static constexpr const char *parameter = "mean", *about = "counts";
  using Prior = Gamma;
  static constexpr LogTerm terms[]{{1, true, 1}, {-1, false, 0}};
  CAVI_HOST_DEVICE static double log_base(double x) { return x < 2 ? 0 : -math::lgamma(x + 1); }
  static double prior_b(double mean) { return 1 / mean; }
  static double variance(double rate) { return rate; }
  CAVI_HOST_DEVICE static double draw(double rate, math::RowNumbers& numbers) { return numbers.poisson_variate(rate); }
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
