// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small positive definite matrices, in place: A = U'U with U upper triangular, row-major [n x n], packed.
///
/// Rows of U are contiguous, so every inner loop but one runs along rows: the factorisation subtracts multiples of
/// finished rows (left-looking, four at a time to spare stores), the inverse multiplies rows of U^-1. The order of
/// operations is fixed. Nothing allocates; what lies below the diagonal is neither read nor written before inverse().
#pragma once

#include "kernels/math/host_device.hpp"

#include <cmath>
#include <cstddef>

namespace cavi::kernels::math::inline CAVI_COMPILER {

/// sum_i a_i b_i in four interleaved sums.
CAVI_HOST_DEVICE inline double dot(const double* a, const double* b, int n) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  int i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < n; ++i) s0 += a[i] * b[i];
  return (s0 + s2) + (s1 + s3);
}

/// Overwrites the upper triangle of `a` by U. Returns -1, or the first row whose pivot is not a positive finite number.
CAVI_HOST_DEVICE inline int cholesky(double* a, int n) {
  for (int i = 0; i < n; ++i) {
    double* row = a + std::ptrdiff_t(i) * n;
    int k = 0;
    for (; k + 4 <= i; k += 4) {
      const double* u = a + std::ptrdiff_t(k) * n;
      const double c0 = u[i], c1 = u[n + i], c2 = u[2 * n + i], c3 = u[3 * n + i];
      for (int j = i; j < n; ++j) row[j] -= (c0 * u[j] + c1 * u[n + j]) + (c2 * u[2 * n + j] + c3 * u[3 * n + j]);
    }
    for (; k < i; ++k) {
      const double* u = a + std::ptrdiff_t(k) * n;
      const double c = u[i];
      for (int j = i; j < n; ++j) row[j] -= c * u[j];
    }
    const double pivot = row[i];
    if (!(pivot > 0 && pivot < HUGE_VAL)) return i;
    row[i] = std::sqrt(pivot);
    const double scale = 1 / row[i];
    for (int j = i + 1; j < n; ++j) row[j] *= scale;
  }
  return -1;
}

/// ln |A| from U.
CAVI_HOST_DEVICE inline double log_determinant(const double* u, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += std::log(u[std::ptrdiff_t(i) * n + i]);
  return 2 * sum;
}

/// x <- A^-1 x from U.
CAVI_HOST_DEVICE inline void solve(const double* u, int n, double* x) {
  for (int i = 0; i < n; ++i) {
    const double* row = u + std::ptrdiff_t(i) * n;
    x[i] /= row[i];
    for (int j = i + 1; j < n; ++j) x[j] -= row[j] * x[i];
  }
  for (int i = n - 1; i >= 0; --i) {
    const double* row = u + std::ptrdiff_t(i) * n;
    x[i] = (x[i] - dot(row + i + 1, x + i + 1, n - 1 - i)) / row[i];
  }
}

/// U <- A^-1, both triangles.
CAVI_HOST_DEVICE inline void inverse(double* u, int n) {
  // U^-1, from the last row up: row i is -1 / u_ii times the combination of the rows below it with weights u_ik. Taken
  // from the right, weight k is read just before its place receives its first contribution.
  for (int i = n - 1; i >= 0; --i) {
    double* row = u + std::ptrdiff_t(i) * n;
    row[i] = 1 / row[i];
    for (int k = n - 1; k > i; --k) {
      const double* below = u + std::ptrdiff_t(k) * n;
      const double c = -row[i] * row[k];
      row[k] = c * below[k];
      for (int j = k + 1; j < n; ++j) row[j] += c * below[j];
    }
  }
  // A^-1 = U^-1 U^-T: element (i, j) needs rows i and j from column j on, all of them still unwritten.
  for (int i = 0; i < n; ++i) {
    double* row = u + std::ptrdiff_t(i) * n;
    for (int j = i; j < n; ++j) {
      const double* other = u + std::ptrdiff_t(j) * n;
      row[j] = dot(row + j, other + j, n - j);
    }
  }
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < i; ++j) u[std::ptrdiff_t(i) * n + j] = u[std::ptrdiff_t(j) * n + i];
}

}  // namespace cavi::kernels::math::inline CAVI_COMPILER
