// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with a precision per feature: logit = offset - sum_d (s_d x_d + c_d)^2. A row is moved and scaled by one
/// fused multiply-add, which rounds once, so that c need not be small.
#pragma once

#include "kernels/math/team.hpp"
#include "kernels/ops.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::components::inline CAVI_COMPILER {

using math::Alone;

struct Diag {
  static constexpr Component kind = Component::diag;
  static constexpr bool shared = false;
  CAVI_HOST_DEVICE static constexpr std::int64_t root_size(int d) { return d; }
  CAVI_HOST_DEVICE static constexpr std::int64_t second_size(int d) { return d; }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static bool factor(const double* quadratic, double scale, int d, double* root, Team team = {}) {
    bool positive = true;
    for (int i = team.rank(); i < d; i += team.size()) {
      root[i] = std::sqrt(-scale * quadratic[i]);
      positive = positive && root[i] > 0 && root[i] < HUGE_VAL;
    }
    team.sync();
    return team.all(positive);
  }

  /// centre = c = -s m.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double locate(const double* root, const double* linear, double constant, double scale, int d,
                                        double* centre, Team team = {}) {
    double square = 0;
    for (int i = team.rank(); i < d; i += team.size()) {
      centre[i] = -scale * linear[i] / 2 / root[i];
      square += centre[i] * centre[i];
    }
    team.sync();
    return scale * constant + team.sum(square);
  }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static double shortfall(const double*, const double*, double, const double*, const double* second,
                                           int d, double*, Team team = {}) {
    double sum = 0;
    for (int i = team.rank(); i < d; i += team.size()) sum += second[i];
    return team.sum(sum);
  }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static void to_origin(const double* root, const double* centre, double count, double* first,
                                         double* second, int d, Team team = {}) {
    team.sync();
    for (int i = team.rank(); i < d; i += team.size()) {
      second[i] = (second[i] + centre[i] * (count * centre[i] - 2 * first[i])) / (root[i] * root[i]);
      first[i] = (first[i] - count * centre[i]) / root[i];
    }
    team.sync();
  }
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
