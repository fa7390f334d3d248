// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows drawn from the predictive density of a mixture; formulas in mixture_scores.hpp.
#pragma once

#include <cavi/mixture.hpp>

#include <cstdint>
#include <vector>

namespace cavi {

/// Of a gaussian family: a Student-t variate is m + sqrt((1 + beta) / beta) L y / sqrt(g), L L' = S, y standard normal,
/// g chi-squared.
class Sampler {
 public:
  /// Throws NumericalError when an inverse scale is not positive definite.
  explicit Sampler(const MixturePosterior& posterior);

  /// Fills out[D]; returns the component. Any thread may call it.
  std::int32_t draw(std::uint64_t seed, std::uint64_t row, double* out) const;

 private:
  const MixturePosterior& posterior_;
  std::vector<double> cumulative_;  ///< [K] weights up to and with a component
  std::vector<double> root_;        ///< as inverse_scale: L, or the root of S
};

}  // namespace cavi
