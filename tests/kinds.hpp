// SPDX-License-Identifier: Apache-2.0
// Every kind of component that the estimator has, and data that suit it: a family that is new is among them.
#pragma once

#include "src/json_fields.hpp"
#include "tests/models.hpp"

#include <cavi/mixture.hpp>

#include <cmath>
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

/// Clustered rows, turned into durations, counts, or zeros and ones, whichever the family takes first.
inline std::vector<double> rows_for(const Kind& kind, int rows, int features, int seed) {
  double (*const turns[])(double) = {[](double v) { return v; }, [](double v) { return std::abs(v); },
                                     [](double v) { return std::floor(std::abs(3 * v)); },
                                     [](double v) { return double(v > 0.8); }};
  for (const auto turn : turns) {
    std::vector<double> x = clusters(rows, features, seed);
    for (double& v : x) v = turn(v);
    try {
      require_values(Matrix(x, rows, features), kind.options());
      return x;
    } catch (const NumericalError&) {
    }
  }
  throw Error("no rows for the family " + name_of(kind));
}

}  // namespace cavi::testing
