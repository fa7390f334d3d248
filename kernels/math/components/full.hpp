// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with a precision matrix each: logit = offset - |R (x - m)|^2 with R upper triangular.
#pragma once

#include "kernels/ops.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace cavi::kernels::components {

/// A family turns natural parameters into the frame in which rows are scored and their moments summed, and the moments
/// back to the origin of the rows. All families have the same static members, in float64, for one component; matrices
/// are [d x d], row-major. `scale` multiplies the logit, so that its unit may be the nat or the bit.
struct Full {
  static constexpr Component kind = Component::full;
  static constexpr bool shared = false;  ///< one root and one second moment for all components
  static constexpr std::int64_t root_size(int d) { return std::int64_t(d) * d; }
  static constexpr std::int64_t second_size(int d) { return std::int64_t(d) * d; }

  /// root'root = -scale quadratic; false when that is not positive definite.
  static bool factor(const double* quadratic, double scale, int d, double* root) {
    for (int i = 0; i < d; ++i)
      for (int j = 0; j < d; ++j)
        root[i * d + j] = j < i ? 0 : -scale * (quadratic[i * d + j] + quadratic[j * d + i]) / 2;
    for (int i = 0; i < d; ++i) {
      double* row = root + i * d;
      if (!(row[i] > 0) || !std::isfinite(row[i])) return false;
      const double inverse = 1 / std::sqrt(row[i]);
      for (int j = i; j < d; ++j) row[j] *= inverse;
      for (int p = i + 1; p < d; ++p)
        for (int j = p; j < d; ++j) root[p * d + j] -= row[p] * row[j];
    }
    return true;
  }

  /// u with root'u = scale linear / 2; returns |u|^2.
  static double solve(const double* root, const double* linear, double scale, int d, double* u) {
    double square = 0;
    for (int i = 0; i < d; ++i) u[i] = scale * linear[i] / 2;
    for (int i = 0; i < d; ++i) {
      u[i] /= root[i * d + i];
      square += u[i] * u[i];
      for (int j = i + 1; j < d; ++j) u[j] -= root[i * d + j] * u[i];
    }
    return square;
  }

  /// x = root^-1 x.
  static void unwhiten(const double* root, int d, double* x) {
    for (int i = d - 1; i >= 0; --i) {
      for (int j = i + 1; j < d; ++j) x[i] -= root[i * d + j] * x[j];
      x[i] /= root[i * d + i];
    }
  }

  /// The maximum of the logit, and where it is: centre = m.
  static double locate(const double* root, const double* linear, double constant, double scale, int d, double* centre) {
    const double square = solve(root, linear, scale, d, centre);
    unwhiten(root, d, centre);
    return scale * constant + square;
  }

  /// <root'root, second> with the upper triangle of `second`; `work` holds d x d numbers.
  static double product(const double* root, const double* second, int d, double* work) {
    std::fill_n(work, root_size(d), 0.0);
    for (int p = 0; p < d; ++p)
      for (int i = p; i < d; ++i)
        for (int j = i; j < d; ++j) work[i * d + j] += root[p * d + i] * root[p * d + j];
    double sum = 0;
    for (int i = 0; i < d; ++i)
      for (int j = i; j < d; ++j) sum += (i == j ? 1 : 2) * work[i * d + j] * second[i * d + j];
    return sum;
  }

  /// Sum of what the rows' logits lack to the offset, from the moments in the frame: z = x - m.
  static double shortfall(const double* root, const double*, double, const double*, const double* second, int d,
                          double* work) {
    return product(root, second, d, work);
  }

  /// Moves the moments from the frame to the origin; of `second` the upper triangle comes, the whole matrix goes.
  static void to_origin(const double*, const double* centre, double count, double* first, double* second, int d) {
    for (int i = 0; i < d; ++i)
      for (int j = i; j < d; ++j)
        second[j * d + i] = second[i * d + j] +=
            centre[i] * first[j] + first[i] * centre[j] + count * centre[i] * centre[j];
    for (int i = 0; i < d; ++i) first[i] += count * centre[i];
  }
};

}  // namespace cavi::kernels::components
