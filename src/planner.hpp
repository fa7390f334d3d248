// SPDX-License-Identifier: Apache-2.0
// The planner: the state that grows while a program is written. Its parts, a file each: plan.cpp (schedule, updates,
// bound), plan_terms.cpp (terms as pieces, messages, fusion), plan_start.cpp (where factors begin).
#pragma once

#include "src/contractions.hpp"
#include "src/fusion.hpp"
#include "src/plan.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cavi {

/// A term with one factor left out: its contribution to that factor's natural parameters.
struct Message {
  double coefficient = 1;
  std::vector<Piece> pieces;
  std::vector<Label> over;
};

/// A term as the planner works on it. The data of a fused mixture are replaced by a statistic of its responsibilities.
struct PlanTerm {
  Term term;
  std::vector<Piece> statistics;
  int fused = -1;  ///< variable whose responsibilities `statistics` stand for
};

class Planner {
 public:
  Planner(const Model::Impl& m, const Factorisation& q, const Schedule& schedule, const Options& options);
  Plan build();

 private:
  using Buffer = kernels::Buffer;
  using Op = kernels::Op;

  // plan_terms.cpp
  kernels::SourceSpec source_of(const DataInfo& d) const;
  /// The float64 buffer of a data array, loaded when first asked for.
  Buffer load(int data);
  Piece data_piece(const Reference& r);
  void rewrite_terms();
  /// Counts that a sweep in float32 would round.
  void refuse_large_counts(const DataInfo& rows);
  /// Buffers of a mixture sweep, and the mixture's terms with statistics in place of data and responsibilities.
  void fuse(int f, const MixtureMatch& match);
  std::vector<LabelledStride> strides(const std::vector<Label>& labels) const;
  std::vector<int> factors_in(const PlanTerm& t) const;
  void check_conjugacy();
  /// The term with factor `skip` left out (-1: nothing), as pieces. Labels summed inside any slot are not summed again.
  Message message(const PlanTerm& t, int skip);
  std::vector<std::pair<Message, Piece>> messages_to(int f, bool prior_only);
  /// `target` = sum of messages. The constant ones are added up once and copied.
  void accumulate(const std::vector<std::pair<Message, Piece>>& messages, const std::vector<Buffer>& targets,
                  std::vector<Op>& ops);

  // plan.cpp
  void observed_rows();
  void allocate_factors();
  kernels::Moments moments(int f);
  void update(int f, std::vector<Op>& ops);
  void update_mixture(int f, std::vector<Op>& ops);
  void changed(int f);
  std::vector<int> resolve_schedule(const Schedule& schedule, bool default_to_all = true) const;
  /// The bound: <eta_j, u_j> covers all terms of a factor whose eta is up to date; other terms are contracted whole.
  void bound(std::vector<Op>& ops, const std::string& after);
  Buffer inner_product(int f, std::vector<Op>& ops);

  // plan_start.cpp
  void start(std::vector<Op>& ops);
  bool parents_started(int f) const;
  void accumulate_prior(int f, std::vector<Op>& ops);
  void finish_start(int f, std::vector<Op>& ops);
  void start_gaussian(const Factorisation::GaussianStart& s, std::vector<Op>& ops);
  void start_categorical(int f, std::vector<Op>& ops);

  Factor& factor(int f) { return plan_.factors[std::size_t(f)]; }
  Buffer scalar(const std::string& name) { return contractions_.new_buffer(name, 1); }
  static bool is_constant(const Message& m) {
    return std::all_of(m.pieces.begin(), m.pieces.end(), [](const Piece& p) { return p.depends.empty(); });
  }
  Piece slot_piece(int f, const SlotView& view) {
    return {factor(f).eta[std::size_t(view.slot)], view.offset, view.axes, {f}};
  }

  const Model::Impl& m_;
  const Factorisation& q_;
  const Options& options_;
  Plan plan_;
  Contractions contractions_;
  std::vector<PlanTerm> terms_;
  std::map<int, std::vector<int>> terms_of_;          ///< by factor
  std::vector<std::optional<MixtureMatch>> matches_;  ///< by factor
  std::vector<Buffer> data_buffers_;                  ///< by data
  std::map<Buffer, Buffer> folded_;                   ///< constant part of a sum of messages, by target
  std::vector<bool> current_;                         ///< by factor: eta is the sum of all its messages now
  std::vector<bool> started_;
  std::vector<int> order_;
  Buffer constant_part_ = kernels::kNoBuffer;
};

}  // namespace cavi
