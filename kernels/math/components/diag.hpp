// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with a precision per feature: logit = offset - sum_d (s_d x_d + c_d)^2. A row is moved and scaled by one
/// fused multiply-add, which rounds once, so that c need not be small.
#pragma once

#include "kernels/ops.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::components {

struct Diag {
  static constexpr Component kind = Component::diag;
  static constexpr bool shared = false;
  static constexpr std::int64_t root_size(int d) { return d; }
  static constexpr std::int64_t second_size(int d) { return d; }

  static bool factor(const double* quadratic, double scale, int d, double* root) {
    for (int i = 0; i < d; ++i) {
      root[i] = std::sqrt(-scale * quadratic[i]);
      if (!(root[i] > 0) || !std::isfinite(root[i])) return false;
    }
    return true;
  }

  /// centre = c = -s m.
  static double locate(const double* root, const double* linear, double constant, double scale, int d, double* centre) {
    double square = 0;
    for (int i = 0; i < d; ++i) {
      centre[i] = -scale * linear[i] / 2 / root[i];
      square += centre[i] * centre[i];
    }
    return scale * constant + square;
  }

  static double shortfall(const double*, const double*, double, const double*, const double* second, int d, double*) {
    double sum = 0;
    for (int i = 0; i < d; ++i) sum += second[i];
    return sum;
  }

  static void to_origin(const double* root, const double* centre, double count, double* first, double* second, int d) {
    for (int i = 0; i < d; ++i) {
      second[i] = (second[i] + centre[i] * (count * centre[i] - 2 * first[i])) / (root[i] * root[i]);
      first[i] = (first[i] - count * centre[i]) / root[i];
    }
  }
};

}  // namespace cavi::kernels::components
