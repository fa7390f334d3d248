// SPDX-License-Identifier: Apache-2.0
/// \file
/// Fits to be written and read, and what must be equal of them.
#pragma once

#include "tests/io_files.hpp"
#include "tests/kinds.hpp"

#include <cavi/mixture.hpp>

#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

namespace cavi::test {

using cavi::testing::every_kind;
using cavi::testing::Kind;

inline constexpr CovarianceType kCovariances[]{CovarianceType::full, CovarianceType::tied, CovarianceType::diag,
                                               CovarianceType::spherical};

inline constexpr WeightPrior kWeightPriors[]{WeightPrior::dirichlet, WeightPrior::dirichlet_process,
                                             WeightPrior::pitman_yor};

inline constexpr const char* kTypeNames[]{"full", "tied", "diag", "spherical"};  ///< by CovarianceType
inline std::string type_name(const ::testing::TestParamInfo<CovarianceType>& type) {
  return kTypeNames[int(type.param)];
}

inline Matrix three_clouds(int rows, int cols, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<double> normal;
  std::vector<double> x(std::size_t(rows) * std::size_t(cols));
  for (int n = 0; n < rows; ++n)
    for (int d = 0; d < cols; ++d)
      x[std::size_t(n) * std::size_t(cols) + std::size_t(d)] = normal(rng) + (d + 1) * 1.5 * (n % 3);
  return Matrix(std::move(x), rows, cols);
}

inline Matrix three_clouds(const Kind& kind, int rows, int cols, unsigned seed) {
  if (kind.family == ComponentFamily::gaussian) return three_clouds(rows, cols, seed);
  return Matrix(cavi::testing::rows_for(kind, rows, cols, int(seed)), rows, cols);
}

inline MixtureOptions options(const Kind& kind, WeightPrior weights, Scalar precision = Scalar::float32) {
  MixtureOptions o = kind.options();
  o.n_components = 4;
  o.weight_concentration_prior_type = weights;
  if (weights == WeightPrior::pitman_yor) o.discount = 0.3;
  o.init_params = Init::random_from_data;
  o.seed = 5;
  o.max_iter = 17;
  o.tol = 0;
  o.precision = precision;
  return o;
}

inline MixtureOptions options(CovarianceType covariance, WeightPrior weights, Scalar precision = Scalar::float32) {
  return options(Kind{ComponentFamily::gaussian, covariance}, weights, precision);
}

inline std::string bits(const MixturePosterior& p) {
  std::string out = fmt::format("{} {} {} {} {} {};", p.n_problems, p.n_components, p.n_features, int(p.family),
                                int(p.covariance_type), int(p.weight_prior));
  for (const auto* v : {&p.counts, &p.weights, &p.weight_concentration, &p.means, &p.mean_precision,
                        &p.degrees_of_freedom, &p.inverse_scale, &p.covariances, &p.component_parameters})
    out += raw(*v) + ";";
  for (const std::string& name : p.column_names) out += name + ";";
  return out;
}

/// All of a summary but how long it took.
inline std::string bits(const Summary& s) {
  return fmt::format("{} {} {} {} {} {};", int(s.termination), s.message, s.n_iter, s.device, int(s.precision),
                     s.fused) +
         raw(std::vector<double>{s.elbo, s.rows}) + raw(s.elbo_trace) + ";" + raw(s.update_trace);
}

inline std::string bits(const MixtureOptions& o) {
  std::string out = fmt::format("{} {} {} {} {} {} {} {} {};", o.n_components, int(o.family), int(o.covariance_type),
                                int(o.weight_concentration_prior_type), int(o.init_params), o.seed, o.max_iter,
                                int(o.precision), o.fuse);
  out += raw(std::vector<double>{o.discount, o.mean_precision_prior, o.reg_covar, o.tol});
  for (const auto& v : {o.weight_concentration_prior, o.degrees_of_freedom_prior})
    out += v ? raw(std::vector<double>{*v}) : "none";
  for (const auto& v : {o.mean_prior, o.covariance_prior}) out += v ? raw(*v) : "none";
  out += o.component_prior ? raw(std::vector<double>(o.component_prior->begin(), o.component_prior->end())) : "none";
  return out;
}

inline Mixture fitted(const MixtureOptions& o, const Matrix& x) {
  Mixture m(o, Device::cpu(2));
  m.fit(x);
  return m;
}

}  // namespace cavi::test
