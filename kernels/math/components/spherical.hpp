// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components with one precision for all features: logit = offset - root |x - m|^2. The root is the precision itself.
#pragma once

#include "kernels/math/team.hpp"
#include "kernels/ops.hpp"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::components::inline CAVI_COMPILER {

using math::Alone;

struct Spherical {
  static constexpr Component kind = Component::spherical;
  static constexpr bool shared = false;
  CAVI_HOST_DEVICE static constexpr std::int64_t root_size(int) { return 1; }
  CAVI_HOST_DEVICE static constexpr std::int64_t second_size(int) { return 1; }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static bool factor(const double* quadratic, double scale, int, double* root, Team team = {}) {
    const double precision = -scale * *quadratic;
    if (team.rank() == 0) *root = precision;
    team.sync();
    return precision > 0 && precision < HUGE_VAL;
  }

  /// centre = m.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double locate(const double* root, const double* linear, double constant, double scale, int d,
                                        double* centre, Team team = {}) {
    double square = 0;
    for (int i = team.rank(); i < d; i += team.size()) {
      centre[i] = scale * linear[i] / 2 / *root;
      square += centre[i] * centre[i];
    }
    team.sync();
    return scale * constant + *root * team.sum(square);
  }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static double shortfall(const double* root, const double*, double, const double*,
                                           const double* second, int, double*, Team = {}) {
    return *root * *second;
  }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static void to_origin(const double*, const double* centre, double count, double* first,
                                         double* second, int d, Team team = {}) {
    team.sync();
    double moved = team.rank() == 0 ? *second : 0;
    for (int i = team.rank(); i < d; i += team.size()) {
      moved += centre[i] * (2 * first[i] + count * centre[i]);
      first[i] += count * centre[i];
    }
    moved = team.sum(moved);
    if (team.rank() == 0) *second = moved;
    team.sync();
  }
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
