// SPDX-License-Identifier: Apache-2.0
#include <cavi/factorisation.hpp>

#include <utility>

namespace cavi {

Factorisation& Factorisation::joint(std::vector<Variable> variables) {
  groups_.push_back({std::move(variables)});
  return *this;
}

Factorisation& Factorisation::split(Variable v, std::vector<std::vector<int>> blocks) {
  splits_.push_back({v, std::move(blocks)});
  return *this;
}

Factorisation& Factorisation::independent(Variable v) { return split(v, {}); }

Factorisation& Factorisation::start_gaussian(Variable v, std::vector<double> mean, double variance) {
  gaussian_starts_.push_back({v, std::move(mean), variance});
  return *this;
}

Factorisation& Factorisation::start_labels(Variable z, std::vector<std::int32_t> labels) {
  categorical_starts_.push_back({z, std::move(labels), {}});
  return *this;
}

Factorisation& Factorisation::start_responsibilities(Variable z, const Matrix& responsibilities) {
  categorical_starts_.push_back({z, {}, responsibilities});
  return *this;
}

Factorisation& Factorisation::start_random(Variable z) {
  categorical_starts_.push_back({z, {}, {}});
  return *this;
}

}  // namespace cavi
