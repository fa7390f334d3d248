// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with a precision matrix each: logit = offset - |R (x - m)|^2 / 2 with R upper triangular.
#pragma once

#include "kernels/ops.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace cavi::kernels::components {

/// Every family has the same static members, all in float64; matrices are [d x d], row-major.
struct Full {
  static constexpr Component kind = Component::full;
  static constexpr bool shared_root = false;  ///< one root for all components
  static constexpr std::int64_t root_size(int d) { return std::int64_t(d) * d; }
  /// Numbers of `second` that a sweep accumulates for one component.
  static constexpr std::int64_t second_size(int d) { return std::int64_t(d) * d; }

  /// root'root = -(quadratic + quadratic'); false when that is not positive definite.
  static bool factor(const double* quadratic, int d, double* root) {
    for (int i = 0; i < d; ++i) {
      std::fill_n(root + std::int64_t(i) * d, i, 0.0);
      for (int j = i; j < d; ++j)
        root[i * std::int64_t(d) + j] = -(quadratic[i * std::int64_t(d) + j] + quadratic[j * std::int64_t(d) + i]);
    }
    for (int i = 0; i < d; ++i) {
      double* row = root + std::int64_t(i) * d;
      if (!(row[i] > 0) || !std::isfinite(row[i])) return false;
      const double scale = 1 / std::sqrt(row[i]);
      for (int j = i; j < d; ++j) row[j] *= scale;
      for (int p = i + 1; p < d; ++p) {
        double* below = root + std::int64_t(p) * d;
        for (int j = p; j < d; ++j) below[j] -= row[p] * row[j];
      }
    }
    return true;
  }

  /// The maximum of the logit, and its value there: mean = (root'root)^-1 linear, offset = constant + linear'mean / 2.
  static double locate(const double* root, const double* linear, double constant, int d, double* mean) {
    std::copy_n(linear, d, mean);
    double square = 0;
    for (int i = 0; i < d; ++i) {  // root'u = linear
      const double* row = root + std::int64_t(i) * d;
      mean[i] /= row[i];
      square += mean[i] * mean[i];
      for (int j = i + 1; j < d; ++j) mean[j] -= row[j] * mean[i];
    }
    for (int i = d - 1; i >= 0; --i) {  // root mean = u
      const double* row = root + std::int64_t(i) * d;
      for (int j = i + 1; j < d; ++j) mean[i] -= row[j] * mean[j];
      mean[i] /= row[i];
    }
    return constant + square / 2;
  }

  /// precision = root'root, upper triangle.
  static void precision(const double* root, int d, double* precision) {
    std::fill_n(precision, root_size(d), 0.0);
    for (int p = 0; p < d; ++p)
      for (int i = p; i < d; ++i) {
        const double* row = root + std::int64_t(p) * d;
        double* out = precision + std::int64_t(i) * d;
        for (int j = i; j < d; ++j) out[j] += row[i] * row[j];
      }
  }

  /// <precision, second> over upper triangles.
  static double product(const double* precision, const double* second, int d) {
    double sum = 0;
    for (int i = 0; i < d; ++i) {
      const double* a = precision + std::int64_t(i) * d;
      const double* b = second + std::int64_t(i) * d;
      sum += a[i] * b[i];
      for (int j = i + 1; j < d; ++j) sum += 2 * a[j] * b[j];
    }
    return sum;
  }

  /// Turns `second`, an upper triangle about the mean, into the whole matrix about the origin; `first` is about the
  /// mean.
  static void to_origin(double count, const double* first, const double* mean, int d, double* second) {
    for (int i = 0; i < d; ++i)
      for (int j = i; j < d; ++j) {
        double& upper = second[std::int64_t(i) * d + j];
        upper += mean[i] * first[j] + first[i] * mean[j] + count * mean[i] * mean[j];
        second[std::int64_t(j) * d + i] = upper;
      }
  }
};

}  // namespace cavi::kernels::components
