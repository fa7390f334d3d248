// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components whose logits are linear in the row: logit = offset + <centre, x>. Those of independent.hpp are, and
/// multinomial ones. There is no frame to move to, and logits may be large (a count times a logarithm), so that they
/// are taken in float64 from the parameters as they are.
#pragma once

#include "kernels/math/team.hpp"
#include "kernels/ops.hpp"

#include <cstdint>

namespace cavi::kernels::components::inline CAVI_COMPILER {

using math::Alone;

struct Linear {
  static constexpr Component kind = Component::linear;
  static constexpr bool shared = false;
  CAVI_HOST_DEVICE static constexpr std::int64_t root_size(int) { return 0; }
  CAVI_HOST_DEVICE static constexpr std::int64_t second_size(int) { return 0; }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static bool factor(const double*, double, int, double*, Team = {}) {
    return true;
  }

  /// centre = the coefficients. The offset is not a number when one of them is none.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double locate(const double*, const double* linear, double constant, double scale, int d,
                                        double* centre, Team team = {}) {
    double nothing = 0;
    for (int i = team.rank(); i < d; i += team.size()) {
      centre[i] = scale * linear[i];
      nothing += 0 * centre[i];
    }
    team.sync();
    return scale * constant + team.sum(nothing);
  }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static double shortfall(const double*, const double* centre, double, const double* first,
                                           const double*, int d, double*, Team team = {}) {
    double sum = 0;
    for (int i = team.rank(); i < d; i += team.size()) sum -= centre[i] * first[i];
    return team.sum(sum);
  }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static void to_origin(const double*, const double*, double, double*, double*, int, Team = {}) {}
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
