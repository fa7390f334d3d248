// SPDX-License-Identifier: Apache-2.0
// Every kind of component that the estimator has, and data that suit it: a family that is new is among them.
#pragma once

#include "src/names.hpp"
#include "tests/models.hpp"

#include <cavi/mixture.hpp>

#include <string>
#include <vector>

namespace cavi::testing {

struct Kind {
  ComponentFamily family = ComponentFamily::gaussian;
  CovarianceType covariance = CovarianceType::full;

  MixtureOptions options() const {
    MixtureOptions o;
    o.family = family;
    o.covariance_type = covariance;
    return o;
  }
};

inline std::string name_of(const Kind& k) {
  return k.family == ComponentFamily::gaussian ? word_for(k.covariance) : word_for(k.family);
}
inline std::ostream& operator<<(std::ostream& out, const Kind& k) { return out << name_of(k); }

inline std::vector<Kind> every_kind() {
  std::vector<Kind> all;
  for (const auto& [word, covariance] : names(CovarianceType{})) all.push_back({ComponentFamily::gaussian, covariance});
  for (const auto& [word, family] : names(ComponentFamily{}))
    if (family != ComponentFamily::gaussian) all.push_back({family, CovarianceType::full});
  return all;
}

inline std::vector<double> rows_for(const Kind& kind, int rows, int features, int seed) {
  return family_rows(kind.family, rows, features, seed);
}

}  // namespace cavi::testing
