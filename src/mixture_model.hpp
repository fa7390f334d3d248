// SPDX-License-Identifier: Apache-2.0
// The model behind the estimator: what it needs of the data, its terms, and its posterior as arrays.
#pragma once

#include "kernels/cpu/mixture.hpp"

#include <cavi/mixture.hpp>
#include <cavi/model.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cavi {

/// Everything about the data that the model needs, one block per problem.
struct Prepared {
  std::vector<double> origin;            ///< [B x D] near the mean of the rows, subtracted for accuracy; gaussian
  std::vector<double> scale;             ///< [B x D x D] as in standardised_rows.hpp; empty: no problem has one
  std::vector<double> log_density;       ///< [B] of the rows relative to standardised ones, nats; empty as scale is
  std::vector<double> mean_prior;        ///< [B x D] of standardised rows; gaussian
  std::vector<double> covariance;        ///< [B x quadratic size of one component] of standardised rows; gaussian
  std::vector<double> unit;              ///< [B] power of two in which distances are taken; gaussian
  std::array<double, 2> prior = {1, 1};  ///< a and b of the other families ...
  std::vector<double> rate;              ///< [B x D] ... or b per column
  std::vector<std::string> complaints;   ///< [B] why a problem cannot be fitted

  /// [D x D] of problem b, or nullptr.
  const double* scale_of(std::size_t b, std::size_t d) const {
    return scale.empty() || scale[b * d * d] == 0 ? nullptr : &scale[b * d * d];
  }
};
Prepared prepare(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                 const double* weight, kernels::cpu::ThreadPool& pool);

/// The model of all problems, and the handles by which its posterior is read.
struct MixtureModel {
  Model model;
  Variable z, pi;
  Variable mu, lambda;  ///< gaussian: one factor
  Variable theta;       ///< the parameter of any other family

  /// Why problem b cannot be fitted; empty when it can.
  std::string complaint(std::size_t b) const;
};
MixtureModel build(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                   const std::vector<double>& weight, const Prepared& data);

/// Every array of a posterior.
std::array<std::vector<double>*, 9> arrays_of(MixturePosterior& p);
std::array<const std::vector<double>*, 9> arrays_of(const MixturePosterior& p);

/// The parameters of all problems; NaN where there was nothing to fit.
MixturePosterior read(const MixtureModel& m, const MixtureOptions& o, const Posterior& q, const Matrix& x,
                      const Prepared& data);

/// One problem has all threads to itself; several are dealt out whole.
void over_problems(std::size_t problems, kernels::cpu::ThreadPool& pool, const std::function<void(std::size_t)>& work);

/// Rows of problem b.
kernels::Rows rows_of(const Matrix& x, const std::vector<std::int64_t>& offsets, std::size_t b);

}  // namespace cavi
