// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"
#include "src/model_impl.hpp"
#include "src/plan.hpp"

#include <cavi/inference.hpp>

#include <memory>
#include <vector>

namespace cavi {

struct Posterior::Impl {
  Model::Impl model;
  Plan plan;
  std::unique_ptr<kernels::Session> session;
  std::vector<Summary> summaries;

  const Factor& factor_of(Variable v) const;
  void check_problem(int problem) const;
  std::vector<double> read(kernels::Buffer b, int problem) const;
  /// A variable's statistic cut out of its factor's slot, [plates x event].
  std::vector<double> extract(Variable v, int statistic, int problem) const;
};

}  // namespace cavi
