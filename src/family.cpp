// SPDX-License-Identifier: Apache-2.0
#include "src/family.hpp"

#include "kernels/math/components/independent_family.hpp"
#include "src/names.hpp"

#include <cstddef>
#include <iterator>
#include <type_traits>

namespace cavi {
namespace {

namespace components = kernels::components;

template <class F>
constexpr IndependentFamily describe(ComponentFamily family, const char* name) {
  IndependentFamily row{family, name, F::parameter, F::about, F::values, F::whole, F::holds, F::Prior::kind, F::terms};
  if constexpr (requires { F::log_base; }) row.log_base = F::log_base;
  if constexpr (std::is_same_v<typename F::Prior, components::Gamma>) row.prior_b = F::prior_b;
  row.variance = F::variance;
  row.expected_log = components::expected_log<F>;
  row.rows_between = components::rows_between<F>;
  return row;
}

#define CAVI_DESCRIBE(name, Type) describe<components::Type>(ComponentFamily::name, #name),
constexpr IndependentFamily kFamilies[]{CAVI_INDEPENDENT_FAMILIES(CAVI_DESCRIBE)};
#undef CAVI_DESCRIBE

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kFamilies); ++i)
    if (std::size_t(kFamilies[i].family) != i + 1) return false;
  return true;
}
static_assert(in_order());

}  // namespace

std::span<const IndependentFamily> independent_families() { return kFamilies; }

const IndependentFamily& family_of(ComponentFamily family) {
  return components::with_independent_family(
      family, [&](auto) -> const IndependentFamily& { return kFamilies[std::size_t(family) - 1]; });
}

const Names<ComponentFamily>& names(ComponentFamily) {
  static const Names<ComponentFamily> names = [] {
    Names<ComponentFamily> all{{"gaussian", ComponentFamily::gaussian}};
    for (const IndependentFamily& f : kFamilies) all.emplace_back(f.name, f.family);
    return all;
  }();
  return names;
}

}  // namespace cavi
