// SPDX-License-Identifier: Apache-2.0
// Families whose features are independent given the component, each with one parameter: from the value that names one
// to its type, and what prediction makes of it.
#pragma once

#include "kernels/cpu/thread_pool.hpp"
#include "kernels/math/components/bernoulli.hpp"
#include "kernels/math/components/exponential.hpp"
#include "kernels/math/components/poisson.hpp"
#include "kernels/ops.hpp"

#include <cavi/mixture.hpp>
#include <cavi/model.hpp>

namespace cavi {

/// Calls visit(F{}) with the type of a family that is not gaussian.
template <class Visit>
decltype(auto) with_independent(ComponentFamily family, Visit&& visit) {
  namespace components = kernels::components;
  switch (family) {
    case ComponentFamily::bernoulli: return visit(components::Bernoulli{});
    case ComponentFamily::poisson: return visit(components::Poisson{});
    default: return visit(components::Exponential{});
  }
}

/// Its conditional, and back.
Conditional::Kind conditional_of(ComponentFamily family);
ComponentFamily family_of(Conditional::Kind kind);

/// Log predictive of every row, sum_k w_k prod_d integral p(x_d; theta_kd) q(theta_kd). Throws NumericalError naming
/// row and column of a number that the family cannot have.
void independent_log_density(const MixturePosterior& p, const kernels::Rows& rows, double* density,
                             kernels::cpu::ThreadPool& pool);

}  // namespace cavi
