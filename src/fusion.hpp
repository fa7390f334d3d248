// SPDX-License-Identifier: Apache-2.0
// The rewrite rule for mixtures: one categorical factor on a data plate, whose terms are a polynomial of a data row, is
// replaced by a single pass over the data.
#pragma once

#include "kernels/ops.hpp"
#include "src/factors.hpp"
#include "src/model_impl.hpp"

#include <optional>
#include <vector>

namespace cavi {

/// What a term gives to the logits, and which statistic of the responsibilities stands for its data.
enum class Monomial { constant, linear, quadratic };

/// A term that mentions the categorical variable, cut into its polynomial of the row and the rest.
struct MixtureTerm {
  Monomial monomial = Monomial::constant;
  Term rest;                  ///< without the variable and the data; `over` holds what must still be summed
  std::vector<Label> labels;  ///< of the coefficient in the logits, in the order of kernels::MixtureSweep
};

/// A mixture as the rule found it. All other terms are untouched.
struct MixtureMatch {
  int variable = -1;  ///< z
  int data = -1;      ///< the rows
  int row_plate = -1;
  kernels::Component component = kernels::Component::full;
  int components = 0, features = 0;
  std::vector<MixtureTerm> terms;
  std::vector<Term> others;  ///< terms that do not mention z
};

/// Tries the rule on one categorical variable that is a factor by itself.
std::optional<MixtureMatch> match_mixture(const Model::Impl& m, const std::vector<Term>& terms, int variable);

}  // namespace cavi
