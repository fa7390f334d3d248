// SPDX-License-Identifier: Apache-2.0
/// \file
/// Words for the values of enumerations: those of the API, which files have as they are and the command line with
/// hyphens.
#pragma once

#include <cavi/mixture.hpp>

#include <string>
#include <utility>
#include <vector>

namespace cavi {

template <class E>
using Names = std::vector<std::pair<const char*, E>>;

const Names<ComponentFamily>& names(ComponentFamily);  // from the list of families
inline const Names<CovarianceType>& names(CovarianceType) {
  static const Names<CovarianceType> names{{"full", CovarianceType::full},
                                           {"tied", CovarianceType::tied},
                                           {"diag", CovarianceType::diag},
                                           {"spherical", CovarianceType::spherical}};
  return names;
}
inline const Names<WeightPrior>& names(WeightPrior) {
  static const Names<WeightPrior> names{{"dirichlet", WeightPrior::dirichlet},
                                        {"dirichlet_process", WeightPrior::dirichlet_process},
                                        {"pitman_yor", WeightPrior::pitman_yor}};
  return names;
}
inline const Names<Init>& names(Init) {
  static const Names<Init> names{{"kmeans", Init::kmeans},
                                 {"kmeans_plus_plus", Init::kmeans_plus_plus},
                                 {"random", Init::random},
                                 {"random_from_data", Init::random_from_data}};
  return names;
}
inline const Names<Scalar>& names(Scalar) {
  static const Names<Scalar> names{{"float32", Scalar::float32}, {"float64", Scalar::float64}};
  return names;
}
inline const Names<Termination>& names(Termination) {
  static const Names<Termination> names{{"converged", Termination::converged},
                                        {"max_iter", Termination::max_iter},
                                        {"stopped", Termination::stopped},
                                        {"numerical_error", Termination::numerical_error},
                                        {"no_data", Termination::no_data}};
  return names;
}

/// The word for a value of an enumeration.
template <class E>
std::string word_for(E value) {
  for (const auto& [word, which] : names(value))
    if (which == value) return word;
  return "";
}

}  // namespace cavi
