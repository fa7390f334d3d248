// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random variates from counter-based numbers: a row's draws are a function of (seed, row) and of nothing else.
#pragma once

#include "kernels/math/host_device.hpp"
#include "kernels/math/random.hpp"
#include "kernels/math/special.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::math::inline CAVI_COMPILER {

/// Of the angle that is this part of a whole turn.
CAVI_HOST_DEVICE inline void sine_and_cosine(double turn, double& sine, double& cosine) {
#ifdef __CUDA_ARCH__
  sincospi(2 * turn, &sine, &cosine);  // unlike sincos without a case for angles of many turns
#else
  constexpr double kTwoPi = 6.283185307179586477;
  sine = std::sin(kTwoPi * turn);
  cosine = std::cos(kTwoPi * turn);
#endif
}

/// The numbers of one row, one after the other.
class RowNumbers {
 public:
  CAVI_HOST_DEVICE RowNumbers(std::uint64_t seed, random::Stream stream, std::uint64_t row)
      : seed_(seed), row_(row), stream_(stream) {}

  /// In the open interval (0, 1).
  CAVI_HOST_DEVICE double uniform() { return random::uniform(seed_, stream_, row_, next_++); }

  /// Standard normal, by the polar form's parent (Box and Muller 1958); the second of a pair is kept.
  CAVI_HOST_DEVICE double normal() {
    if (kept_) {
      kept_ = false;
      return second_;
    }
    const double radius = std::sqrt(-2 * std::log(uniform()));
    double sine = 0, cosine = 0;
    sine_and_cosine(uniform(), sine, cosine);
    kept_ = true;
    second_ = radius * sine;
    return radius * cosine;
  }

  /// The logarithm of a Gamma variate of rate one (Marsaglia and Tsang, A simple method for generating gamma variables,
  /// 2000): small shapes have variates below the smallest number.
  CAVI_HOST_DEVICE double log_gamma_variate(double shape) {
    const bool small = shape < 1;
    const double boost = small ? std::log(uniform()) / shape : 0;
    const double d = (small ? shape + 1 : shape) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    while (true) {
      const double x = normal(), root = 1 + c * x;
      const double u = uniform();
      if (root <= 0) continue;
      const double v = root * root * root;
      if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v) + boost;
    }
  }

  /// A Poisson variate: by adding up probabilities, for large rates by transformed rejection (Hörmann, The transformed
  /// rejection method for generating Poisson random variables, 1993).
  CAVI_HOST_DEVICE double poisson_variate(double rate) {
    if (rate < 10) {
      double rest = uniform(), p = std::exp(-rate), k = 0;
      for (; rest > p && p > 0; p *= rate / ++k) rest -= p;
      return k;
    }
    const double log_rate = std::log(rate), b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b,
                 inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), certain = 0.9277 - 3.6224 / (b - 2);
    while (true) {
      const double u = uniform() - 0.5, v = uniform(), us = 0.5 - std::abs(u);
      const double k = std::floor((2 * a / us + b) * u + rate + 0.43);
      if (us >= 0.07 && v <= certain) return k;
      if (k < 0 || (us < 0.013 && v > us)) continue;
      if (std::log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_rate - rate - lgamma(k + 1)) return k;
    }
  }

 private:
  std::uint64_t seed_, row_;
  random::Stream stream_;
  std::uint32_t next_ = 0;
  double second_ = 0;
  bool kept_ = false;
};

}  // namespace cavi::kernels::math::inline CAVI_COMPILER
