// SPDX-License-Identifier: Apache-2.0
// Model + factorisation + schedule -> program.
#pragma once

#include "kernels/ops.hpp"
#include "src/factors.hpp"
#include "src/model_impl.hpp"

#include <cavi/inference.hpp>

#include <optional>
#include <vector>

namespace cavi {

struct Plan {
  kernels::Program program;
  std::vector<Factor> factors;
  std::vector<int> owner;  ///< factor of each variable
  /// The sweep that stands for a categorical variable's update, by variable, when the mixture was fused.
  std::vector<std::optional<kernels::MixtureSweep>> fused;
  /// What State::q holds, in this order: all that a sweep or a Posterior reads and the start alone does not tell.
  std::vector<kernels::Buffer> state;
  std::vector<std::string> complaints;  ///< by problem: why it cannot be fitted; empty: all can
};

/// Throws NotConjugate, ShapeError.
Plan make_plan(const Model::Impl& model, const Factorisation& q, const Schedule& schedule, const Options& options);

}  // namespace cavi
