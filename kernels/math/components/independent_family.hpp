// SPDX-License-Identifier: Apache-2.0
/// \file
/// From the name of a family of independent features to its struct.
#pragma once

#include "independent_families.hpp"  // cmake/families.cmake

#include <cavi/component_family.hpp>
#include <cavi/error.hpp>

namespace cavi::kernels::components::inline CAVI_COMPILER {

// An enumerator that the build has overlooked does not compile.
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wswitch"
/// Calls visit(F{}). Throws Error for gaussian.
template <class Visit>
decltype(auto) with_independent_family(ComponentFamily family, Visit&& visit) {
  switch (family) {
    case ComponentFamily::gaussian: break;
#define CAVI_CASE(name, Type) \
  case ComponentFamily::name: return visit(components::Type{});
      CAVI_INDEPENDENT_FAMILIES(CAVI_CASE)
#undef CAVI_CASE
  }
  throw Error("features of the gaussian family are not independent");
}
#pragma GCC diagnostic pop

}  // namespace cavi::kernels::components::inline CAVI_COMPILER
