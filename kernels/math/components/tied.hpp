// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components that share one precision matrix: logit = offset - |R x - c|^2, rows whitened once for all components.
///
/// No second moment is summed: sum_n w_n x_n x_n' does not depend on responsibilities. What the logits lack comes from
/// it by moving it to the components' means with the very counts and first moments that the sweep found. Their rounding
/// errors, large when means are far from the origin, then cancel in the bound.
#pragma once

#include "kernels/math/components/full.hpp"

namespace cavi::kernels::components::inline CAVI_COMPILER {

struct Tied : Full {
  static constexpr Component kind = Component::tied;
  static constexpr bool shared = true;

  /// centre = c = R m.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double locate(const double* root, const double* linear, double constant, double scale, int d,
                                        double* centre, Team team = {}) {
    return scale * constant + solve(root, linear, scale, d, centre, team);
  }

  /// What is left after product(root, second) of the moment about the origin; moments in the frame: z = R x - c.
  template <class Team = Alone>
  CAVI_HOST_DEVICE static double shortfall(const double*, const double* centre, double count, const double* first,
                                           const double*, int d, double*, Team team = {}) {
    double sum = 0;
    for (int i = team.rank(); i < d; i += team.size()) sum -= centre[i] * (2 * first[i] + count * centre[i]);
    return team.sum(sum);
  }

  template <class Team = Alone>
  CAVI_HOST_DEVICE static void to_origin(const double* root, const double* centre, double count, double* first, double*,
                                         int d, Team team = {}) {
    team.sync();
    for (int i = team.rank(); i < d; i += team.size()) first[i] += count * centre[i];
    team.sync();
    unwhiten(root, d, first, team);
  }
};

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
