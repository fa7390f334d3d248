// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small positive definite matrices, in place: A = U'U with U upper triangular, row-major [n x n], packed.
///
/// Rows of U are contiguous, so every inner loop but one runs along rows: the factorisation subtracts multiples of
/// finished rows (left-looking, four at a time to spare stores), the inverse multiplies rows of U^-1. The order of
/// operations is fixed. Nothing allocates; what lies below the diagonal is neither read nor written before inverse().
///
/// A team of more than one shares the columns of a row. It factors and solves by the same steps; the inverse goes by
/// columns, which need no meeting.
#pragma once

#include "kernels/math/host_device.hpp"
#include "kernels/math/team.hpp"

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
CAVI_HOST_DEVICE inline int cholesky(double* a, int n, Alone = {}) {
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
template <class Team = Alone>
CAVI_HOST_DEVICE double log_determinant(const double* u, int n, Team team = {}) {
  double sum = 0;
  for (int i = team.rank(); i < n; i += team.size()) sum += std::log(u[std::ptrdiff_t(i) * n + i]);
  return 2 * team.sum(sum);
}

/// x <- A^-1 x from U.
CAVI_HOST_DEVICE inline void solve(const double* u, int n, double* x, Alone = {}) {
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
CAVI_HOST_DEVICE inline void inverse(double* u, int n, Alone = {}) {
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

template <class Team>
CAVI_HOST_DEVICE int cholesky(double* a, int n, Team team) {
  for (int i = 0; i < n; ++i) {
    double* row = a + std::ptrdiff_t(i) * n;
    for (int j = i + team.rank(); j < n; j += team.size()) {
      double rest = row[j];
      for (int k = 0; k < i; ++k) rest -= a[std::ptrdiff_t(k) * n + i] * a[std::ptrdiff_t(k) * n + j];
      row[j] = rest;
    }
    team.sync();
    const double pivot = row[i];
    if (!(pivot > 0 && pivot < HUGE_VAL)) return i;
    const double root = std::sqrt(pivot), scale = 1 / root;
    team.sync();
    for (int j = i + team.rank(); j < n; j += team.size()) row[j] = j == i ? root : row[j] * scale;
    team.sync();
  }
  return -1;
}

template <class Team>
CAVI_HOST_DEVICE void solve(const double* u, int n, double* x, Team team) {
  for (int step = 0; step < 2 * n; ++step) {
    const bool down = step < n;
    const int i = down ? step : 2 * n - 1 - step;
    const double found = x[i] / u[std::ptrdiff_t(i) * n + i];
    team.sync();
    if (team.rank() == 0) x[i] = found;
    for (int j = team.rank() + (down ? i + 1 : 0); j < (down ? n : i); j += team.size())
      x[j] -= u[down ? std::ptrdiff_t(i) * n + j : std::ptrdiff_t(j) * n + i] * found;
    team.sync();
  }
}

template <class Team>
CAVI_HOST_DEVICE void inverse(double* u, int n, Team team) {
  const auto at = [u, n](int i, int j) -> double& { return u[std::ptrdiff_t(i) * n + j]; };
  // Element (i, j) of U^-1 goes below the diagonal, to (j, i): column by column, each by one member. Its diagonal is
  // that of U inverted.
  for (int j = team.rank(); j < n; j += team.size())
    for (int i = j - 1; i >= 0; --i) {
      double sum = at(i, j) / at(j, j);
      for (int k = i + 1; k < j; ++k) sum += at(i, k) * at(j, k);
      at(j, i) = -sum / at(i, i);
    }
  team.sync();
  // A^-1 = U^-1 U^-T: first above the diagonal, where nothing is needed any more, then on it, then below.
  for (std::ptrdiff_t e = team.rank(); e < std::ptrdiff_t(n) * n; e += team.size()) {
    const int i = int(e / n), j = int(e % n);
    if (i >= j) continue;
    double sum = at(j, i) / at(j, j);
    for (int k = j + 1; k < n; ++k) sum += at(k, i) * at(k, j);
    at(i, j) = sum;
  }
  team.sync();
  for (int i = team.rank(); i < n; i += team.size()) {
    double sum = 1 / (at(i, i) * at(i, i));
    for (int k = i + 1; k < n; ++k) sum += at(k, i) * at(k, i);
    at(i, i) = sum;
  }
  team.sync();
  for (std::ptrdiff_t e = team.rank(); e < std::ptrdiff_t(n) * n; e += team.size()) {
    const int i = int(e / n), j = int(e % n);
    if (j < i) at(i, j) = at(j, i);
  }
  team.sync();
}

}  // namespace cavi::kernels::math::inline CAVI_COMPILER
