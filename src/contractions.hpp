// SPDX-License-Identifier: Apache-2.0
// Lowers sums of products to Contract operations: picks the order, shares intermediate results, folds constants.
#pragma once

#include "kernels/ops.hpp"
#include "src/factors.hpp"
#include "src/model_impl.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace cavi {

/// A view of a buffer with labels, and the factors its numbers depend on (none: constant during the fit).
struct Piece {
  kernels::Buffer buffer = kernels::kNoBuffer;
  std::int64_t offset = 0;
  std::vector<LabelledStride> axes;
  std::set<int> depends;
};

class Contractions {
 public:
  Contractions(const Model::Impl& model, kernels::Program& program) : model_(model), program_(program) {}

  /// Appends operations for `out (+)= c * sum over labels not in out of the product of pieces`; labels of `over` that
  /// no piece has multiply by their size. What depends on no factor goes to constants(), once.
  void emit(std::vector<kernels::Op>& ops, double c, const std::vector<Piece>& pieces, const std::vector<Label>& over,
            const Piece& out, bool accumulate);

  /// Intermediate results that depend on the factor are stale from here on.
  void forget(int factor);
  /// All intermediate results but the constants are stale: a program begins.
  void forget_all();

  /// Operations to run once before everything else.
  std::vector<kernels::Op>& constants() { return constants_; }

  kernels::Buffer new_buffer(std::string name, std::int64_t size, int plate = -1);

 private:
  using LabelSet = std::set<Label>;
  struct Problem;
  struct Temporary {
    Piece piece;
    bool valid = false;
  };

  double size_of(const LabelSet& labels) const;
  int ragged_labels(const LabelSet& labels) const;
  std::string key(const Problem& p, unsigned subset) const;
  Piece evaluate(const Problem& p, unsigned subset, std::vector<kernels::Op>& ops);
  void append(std::vector<kernels::Op>& ops, double c, const std::vector<Piece>& pieces, const LabelSet& over,
              const Piece& out, bool accumulate) const;

  const Model::Impl& model_;
  kernels::Program& program_;
  std::map<std::string, Temporary> temporaries_;
  std::vector<kernels::Op> constants_;
};

}  // namespace cavi
