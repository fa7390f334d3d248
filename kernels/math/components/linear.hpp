// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components whose logits are linear in the row: logit = offset + <centre, x>. Bernoulli, Poisson, exponential and
/// multinomial ones all are. There is no frame to move to, and logits may be large (a count times a logarithm), so that
/// they are taken in float64 from the parameters as they are.
#pragma once

#include "kernels/ops.hpp"

#include <cstdint>

namespace cavi::kernels::components {

/// constant + coefficient x.
struct Affine {
  double constant = 0, coefficient = 0;
};

struct Linear {
  static constexpr Component kind = Component::linear;
  static constexpr bool shared = false;
  static constexpr std::int64_t root_size(int) { return 0; }
  static constexpr std::int64_t second_size(int) { return 0; }

  static bool factor(const double*, double, int, double*) { return true; }

  /// centre = the coefficients. The offset is not a number when one of them is none.
  static double locate(const double*, const double* linear, double constant, double scale, int d, double* centre) {
    double nothing = 0;
    for (int i = 0; i < d; ++i) {
      centre[i] = scale * linear[i];
      nothing += 0 * centre[i];
    }
    return scale * constant + nothing;
  }

  static double shortfall(const double*, const double* centre, double, const double* first, const double*, int d,
                          double*) {
    double sum = 0;
    for (int i = 0; i < d; ++i) sum -= centre[i] * first[i];
    return sum;
  }

  static void to_origin(const double*, const double*, double, double*, double*, int) {}
};

}  // namespace cavi::kernels::components
