// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with one precision for all features: logit = offset - root |x - m|^2. The root is the precision itself.
#pragma once

#include "kernels/ops.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::components {

struct Spherical {
  static constexpr Component kind = Component::spherical;
  static constexpr bool shared = false;
  static constexpr std::int64_t root_size(int) { return 1; }
  static constexpr std::int64_t second_size(int) { return 1; }

  static bool factor(const double* quadratic, double scale, int, double* root) {
    *root = -scale * *quadratic;
    return *root > 0 && std::isfinite(*root);
  }

  /// centre = m.
  static double locate(const double* root, const double* linear, double constant, double scale, int d, double* centre) {
    double square = 0;
    for (int i = 0; i < d; ++i) {
      centre[i] = scale * linear[i] / 2 / *root;
      square += centre[i] * centre[i];
    }
    return scale * constant + *root * square;
  }

  static double shortfall(const double* root, const double*, double, const double*, const double* second, int,
                          double*) {
    return *root * *second;
  }

  static void to_origin(const double*, const double* centre, double count, double* first, double* second, int d) {
    for (int i = 0; i < d; ++i) {
      *second += centre[i] * (2 * first[i] + count * centre[i]);
      first[i] += count * centre[i];
    }
  }
};

}  // namespace cavi::kernels::components
