// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random variates from counter-based numbers: a row's draws are a function of (seed, row) and of nothing else.
#pragma once

#include "kernels/math/host_device.hpp"
#include "kernels/math/random.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::math::inline CAVI_COMPILER {

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
    constexpr double kTwoPi = 6.283185307179586477;
    const double radius = std::sqrt(-2 * std::log(uniform())), angle = kTwoPi * uniform();
    kept_ = true;
    second_ = radius * std::sin(angle);
    return radius * std::cos(angle);
  }

  /// The logarithm of a Gamma variate of rate one (Marsaglia and Tsang, A simple method for generating gamma variables,
  /// 2000): small shapes have variates below the smallest number.
  CAVI_HOST_DEVICE double log_gamma_variate(double shape) {
    if (shape < 1) {
      const double boost = std::log(uniform()) / shape;
      return log_gamma_variate(shape + 1) + boost;
    }
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    while (true) {
      const double x = normal(), root = 1 + c * x;
      const double u = uniform();
      if (root <= 0) continue;
      const double v = root * root * root;
      if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
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
