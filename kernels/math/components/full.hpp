// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with a precision matrix each: logit = offset - |R (x - m)|^2 with R upper triangular.
#pragma once

#include "kernels/math/team.hpp"
#include "kernels/ops.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::components::inline CAVI_COMPILER {

using math::Alone;

/// A family turns natural parameters into the frame in which rows are scored and their moments summed, and the moments
/// back to the origin of the rows. All families have the same static members, in float64, for one component; matrices
/// are [d x d], row-major. `scale` multiplies the logit, so that its unit may be the nat or the bit. A team shares the
/// work: all of it calls with the same arguments, gets the same result, and may read what was written once it has met.
struct Full {
  static constexpr Component kind = Component::full;
  static constexpr bool shared = false;  ///< one root and one second moment for all components
  CAVI_HOST_DEVICE static constexpr std::int64_t root_size(int d) { return std::int64_t(d) * d; }
  CAVI_HOST_DEVICE static constexpr std::int64_t second_size(int d) { return std::int64_t(d) * d; }

  /// root'root = -scale quadratic; false when that is not positive definite.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static bool factor(const double* quadratic, double scale, int d, double* root, Team team = {}) {
    for (int i = 0; i < d; ++i)
      for (int j = team.rank(); j < d; j += team.size())
        root[i * d + j] = j < i ? 0 : -scale * (quadratic[i * d + j] + quadratic[j * d + i]) / 2;
    team.sync();
    for (int i = 0; i < d; ++i) {
      double* row = root + i * d;
      const double pivot = row[i];
      if (!(pivot > 0 && pivot < HUGE_VAL)) return false;
      const double inverse = 1 / std::sqrt(pivot);
      team.sync();
      for (int j = i + team.rank(); j < d; j += team.size()) row[j] *= inverse;
      team.sync();
      for (int p = i + 1; p < d; ++p)
        for (int j = p + team.rank(); j < d; j += team.size()) root[p * d + j] -= row[p] * row[j];
      team.sync();
    }
    return true;
  }

  /// u with root'u = scale linear / 2; returns |u|^2.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double solve(const double* root, const double* linear, double scale, int d, double* u,
                                       Team team = {}) {
    double square = 0;
    for (int i = team.rank(); i < d; i += team.size()) u[i] = scale * linear[i] / 2;
    team.sync();
    for (int i = 0; i < d; ++i) {
      const double value = u[i] / root[i * d + i];
      square += value * value;
      team.sync();
      if (team.rank() == 0) u[i] = value;
      for (int j = i + 1 + team.rank(); j < d; j += team.size()) u[j] -= root[i * d + j] * value;
      team.sync();
    }
    return square;
  }

  /// x = root^-1 x.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static void unwhiten(const double* root, int d, double* x, Team team = {}) {
    for (int i = d - 1; i >= 0; --i) {
      double left = team.rank() == 0 ? x[i] : 0;
      for (int j = i + 1 + team.rank(); j < d; j += team.size()) left -= root[i * d + j] * x[j];
      left = team.sum(left);
      if (team.rank() == 0) x[i] = left / root[i * d + i];
      team.sync();
    }
  }

  /// The maximum of the logit, and where it is: centre = m.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double locate(const double* root, const double* linear, double constant, double scale, int d,
                                        double* centre, Team team = {}) {
    const double square = solve(root, linear, scale, d, centre, team);
    unwhiten(root, d, centre, team);
    return scale * constant + square;
  }

  /// <root'root, second> with the upper triangle of `second`; `work` holds d numbers.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double product(const double* root, const double* second, int d, double* work,
                                         Team team = {}) {
    double sum = 0;
    for (int i = 0; i < d; ++i) {  // a row of root'root
      for (int j = i + team.rank(); j < d; j += team.size()) work[j] = 0;
      for (int p = 0; p <= i; ++p)
        for (int j = i + team.rank(); j < d; j += team.size()) work[j] += root[p * d + i] * root[p * d + j];
      for (int j = i + team.rank(); j < d; j += team.size()) sum += (i == j ? 1 : 2) * work[j] * second[i * d + j];
      team.sync();
    }
    return team.sum(sum);
  }

  /// Sum of what the rows' logits lack to the offset, from the moments in the frame: z = x - m.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double shortfall(const double* root, const double*, double, const double*,
                                           const double* second, int d, double* work, Team team = {}) {
    return product(root, second, d, work, team);
  }

  /// Moves the moments from the frame to the origin; of `second` the upper triangle comes, the whole matrix goes.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static void to_origin(const double*, const double* centre, double count, double* first,
                                         double* second, int d, Team team = {}) {
    for (int i = 0; i < d; ++i)
      for (int j = i + team.rank(); j < d; j += team.size())
        second[j * d + i] = second[i * d + j] +=
            centre[i] * first[j] + first[i] * centre[j] + count * centre[i] * centre[j];
    team.sync();
    for (int i = team.rank(); i < d; i += team.size()) first[i] += count * centre[i];
    team.sync();
  }
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
