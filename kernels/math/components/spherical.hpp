// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with one precision for all features: logit = offset - root^2 |x - m|^2 / 2.
#pragma once

#include "kernels/ops.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::components {

struct Spherical {
  static constexpr Component kind = Component::spherical;
  static constexpr bool shared_root = false;
  static constexpr std::int64_t root_size(int) { return 1; }
  static constexpr std::int64_t second_size(int) { return 1; }

  static bool factor(const double* quadratic, int, double* root) {
    *root = std::sqrt(-2 * *quadratic);
    return *root > 0 && std::isfinite(*root);
  }

  static double locate(const double* root, const double* linear, double constant, int d, double* mean) {
    double square = 0;
    for (int i = 0; i < d; ++i) {
      const double u = linear[i] / *root;
      mean[i] = u / *root;
      square += u * u;
    }
    return constant + square / 2;
  }

  static void precision(const double* root, int, double* precision) { *precision = *root * *root; }

  static double product(const double* precision, const double* second, int) { return *precision * *second; }

  static void to_origin(double count, const double* first, const double* mean, int d, double* second) {
    for (int i = 0; i < d; ++i) *second += mean[i] * (2 * first[i] + count * mean[i]);
  }
};

}  // namespace cavi::kernels::components
