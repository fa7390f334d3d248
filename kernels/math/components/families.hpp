// SPDX-License-Identifier: Apache-2.0
/// \file
/// From the value that names a component family to its type.
#pragma once

#include "kernels/math/components/diag.hpp"
#include "kernels/math/components/full.hpp"
#include "kernels/math/components/linear.hpp"
#include "kernels/math/components/spherical.hpp"
#include "kernels/math/components/tied.hpp"

namespace cavi::kernels::components::inline CAVI_COMPILER {

/// Calls visit(F{}) with the family of `kind`, which is not linear.
template <class Visit>
decltype(auto) with_gaussian_family(Component kind, Visit&& visit) {
  switch (kind) {
    case Component::tied: return visit(Tied{});
    case Component::diag: return visit(Diag{});
    case Component::spherical: return visit(Spherical{});
    case Component::linear:
    case Component::full: break;
  }
  return visit(Full{});
}

/// Calls visit(F{}) with the family of `kind`.
template <class Visit>
decltype(auto) with_family(Component kind, Visit&& visit) {
  return kind == Component::linear ? visit(Linear{}) : with_gaussian_family(kind, visit);
}

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
