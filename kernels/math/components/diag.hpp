// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with a precision per feature: logit = offset - sum_d (root_d (x_d - m_d))^2 / 2.
#pragma once

#include "kernels/ops.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::components {

struct Diag {
  static constexpr Component kind = Component::diag;
  static constexpr bool shared_root = false;
  static constexpr std::int64_t root_size(int d) { return d; }
  static constexpr std::int64_t second_size(int d) { return d; }

  static bool factor(const double* quadratic, int d, double* root) {
    for (int i = 0; i < d; ++i) {
      root[i] = std::sqrt(-2 * quadratic[i]);
      if (!(root[i] > 0) || !std::isfinite(root[i])) return false;
    }
    return true;
  }

  static double locate(const double* root, const double* linear, double constant, int d, double* mean) {
    double square = 0;
    for (int i = 0; i < d; ++i) {
      const double u = linear[i] / root[i];
      mean[i] = u / root[i];
      square += u * u;
    }
    return constant + square / 2;
  }

  static void precision(const double* root, int d, double* precision) {
    for (int i = 0; i < d; ++i) precision[i] = root[i] * root[i];
  }

  static double product(const double* precision, const double* second, int d) {
    double sum = 0;
    for (int i = 0; i < d; ++i) sum += precision[i] * second[i];
    return sum;
  }

  static void to_origin(double count, const double* first, const double* mean, int d, double* second) {
    for (int i = 0; i < d; ++i) second[i] += mean[i] * (2 * first[i] + count * mean[i]);
  }
};

}  // namespace cavi::kernels::components
