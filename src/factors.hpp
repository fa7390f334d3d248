// SPDX-License-Identifier: Apache-2.0
// Factors of q: which variables they hold, of which family they are, and which slot a part of a term belongs to.
#pragma once

#include "kernels/ops.hpp"
#include "src/model_impl.hpp"

#include <cavi/factorisation.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cavi {

/// q_j: one family's parameters per element of its plates. A slot is the expectation of a statistic, or of a product of
/// statistics of the factor's variables, laid out as kernels::Family says.
struct Factor {
  std::string name;  ///< "q(mu, Lambda)"
  std::vector<int> variables;
  kernels::Family family = kernels::Family::gaussian;
  std::vector<int> plates;               ///< its own, outermost
  int dimension = 1;                     ///< of one element: stacked coordinates, categories
  int inner = 1;                         ///< normal_wishart: means per precision
  std::vector<std::vector<int>> blocks;  ///< gaussian
  std::vector<std::int64_t> slot_sizes;  ///< numbers of one element
  std::vector<int> offsets;              ///< gaussian: where each variable's coordinates begin

  std::vector<kernels::Buffer> eta, u;  ///< by slot
  kernels::Buffer entropy = kernels::kNoBuffer;

  bool on(int plate) const;                                          ///< whether `plate` is one of its own
  std::vector<const Reference*> references_in(const Term& t) const;  ///< to any of its variables
};

/// A running index through a slot.
struct LabelledStride {
  Label label;
  std::int64_t stride = 0;
};

/// The part of a term that belongs to one factor.
struct SlotView {
  int slot = 0;
  std::int64_t offset = 0;
  std::vector<LabelledStride> axes;
  std::vector<Label> absorbed;  ///< labels summed inside the slot
};

/// The partition of the model's variables, in the order of their last variable. Throws NotConjugate for a group that
/// has no family, ShapeError for blocks that are no partition.
std::vector<Factor> make_factors(const Model::Impl& m, const Factorisation& q);

/// The slot of `factor` that stands for its part of the term, or nothing when the term does not mention it. Throws
/// NotConjugate, naming factor, term and missing statistic.
std::optional<SlotView> resolve(const Model::Impl& m, const Factor& factor, const Term& term);

/// Elements of a factor, as an extent.
kernels::Extent elements_of(const Model::Impl& m, const Factor& f);

}  // namespace cavi
