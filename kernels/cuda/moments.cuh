// SPDX-License-Identifier: Apache-2.0
// Updates of factors.
//
//   work    a unit per plate element: one thread where an element is a few numbers, else a warp
//   memory  an element's statistics are its workspace, in global memory: they fit into L1
//   order   that of math/families.hpp for a team; entropies are summed up by a contraction afterwards
#pragma once

#include "kernels/cuda/device_ops.hpp"
#include "kernels/cuda/team.hpp"
#include "kernels/math/families.hpp"

namespace cavi::kernels::cuda {

__device__ inline math::Moment moment_of(const DeviceMoments& m, const double* const* eta, double* const* u,
                                         double* workspace, Lanes team) {
  switch (m.family) {
    case Family::gaussian:
      return m.blocks == 0
                 ? math::gaussian(eta, u, m.dimension, team)
                 : math::gaussian_blocks(eta, u, m.dimension, {m.coordinates, m.offsets, m.blocks}, workspace, team);
    case Family::wishart: return math::wishart(eta, u, m.dimension, team);
    case Family::normal_wishart: return math::normal_wishart(eta, u, m.dimension, m.inner, team);
    case Family::dirichlet: return math::dirichlet(eta, u, m.dimension, team);
    case Family::sticks: return math::sticks(eta, u, m.dimension, team);
    case Family::categorical: return math::categorical(eta, u, m.dimension, team);
  }
  return {};
}

__device__ inline void moments_unit(const DeviceMoments& m, const DeviceProblem& p, std::int64_t element, int number,
                                    Lanes team) {
  const double* eta[kMaxSlots];
  double* u[kMaxSlots];
  for (int i = 0; i < m.slots; ++i) {
    eta[i] = p[m.eta[i]] + element * m.size[i];
    u[i] = p[m.u[i]] + element * m.size[i];
  }
  double* workspace = m.workspace == kNoBuffer ? nullptr : p[m.workspace] + element * m.workspace_size;
  const math::Moment moment = moment_of(m, eta, u, workspace, team);
  if (team.rank() != 0) return;
  if (moment.failure != math::Failure::none) report_failure(p, number, element, int(moment.failure));
  const double weight = m.weight == kNoBuffer ? 1 : p[m.weight][element];
  p[m.entropies][element] = weight == 0 ? 0 : weight * moment.entropy;
}

}  // namespace cavi::kernels::cuda
