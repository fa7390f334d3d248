// SPDX-License-Identifier: Apache-2.0
#include "src/planner.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <numeric>

namespace cavi {

using kernels::Buffer;
using kernels::kNoBuffer;
using kernels::Op;

Planner::Planner(const Model::Impl& m, const Factorisation& q, const Schedule& schedule, const Options& options)
    : m_(m), q_(q), options_(options), contractions_(m, plan_.program) {
  plan_.program.problems = m.problems;
  plan_.program.batched = m.batched;
  plan_.complaints = m.complaints;
  for (const PlateInfo& p : m.plates) plan_.program.plate_offsets.push_back(p.offsets);
  for (const IndexInfo& i : m.indexes) plan_.program.maps.push_back(i.group_of);
  data_buffers_.assign(m.data.size(), kNoBuffer);
  plan_.factors = make_factors(m, q);
  plan_.owner.assign(m.variables.size(), -1);
  plan_.fused.resize(m.variables.size());
  for (std::size_t f = 0; f < plan_.factors.size(); ++f)
    for (int v : plan_.factors[f].variables) plan_.owner[std::size_t(v)] = int(f);
  matches_.resize(plan_.factors.size());
  rewrite_terms();
  allocate_factors();
  for (std::size_t t = 0; t < terms_.size(); ++t)
    for (int f : factors_in(terms_[t])) terms_of_[f].push_back(int(t));
  order_ = resolve_schedule(schedule);
  observed_rows();
}

Plan Planner::build() {
  check_conjugacy();
  std::vector<Op>& init = plan_.program.init;
  start(init);
  for (int f : resolve_schedule(options_.start_updates, false)) update(f, init);
  bound(init, "the start");
  if (!contractions_.constants().empty())
    init.insert(init.begin(), contractions_.constants().begin(), contractions_.constants().end());
  const std::size_t folded = contractions_.constants().size();

  contractions_.forget_all();
  std::string updated;
  std::vector<Op>& sweep = plan_.program.sweep;
  for (int f : order_) {
    update(f, sweep);
    updated += (updated.empty() ? "" : ", ") + factor(f).name;
    if (options_.bound_after_every_update) {
      bound(sweep, updated);
      updated.clear();
    }
  }
  if (!options_.bound_after_every_update || order_.empty()) bound(sweep, updated);
  // What the sweep found to be constant is computed before the first one, too.
  init.insert(init.begin() + std::int64_t(folded), contractions_.constants().begin() + std::int64_t(folded),
              contractions_.constants().end());
  for (std::size_t f = 0; f < plan_.factors.size(); ++f) {
    const Factor& x = plan_.factors[f];
    plan_.state.insert(plan_.state.end(), x.u.begin(), x.u.end());
    plan_.state.insert(plan_.state.end(), x.eta.begin(), x.eta.end());
    plan_.state.push_back(x.entropy);
    if (!matches_[f]) continue;
    const kernels::MixtureSweep& op = *plan_.fused[std::size_t(x.variables[0])];
    plan_.state.insert(plan_.state.end(),
                       {op.shape.count, op.shape.first, op.shape.second, op.constant, op.linear, op.quadratic});
  }
  return std::move(plan_);
}

void Planner::observed_rows() {
  if (m_.observed_plate < 0) {
    plan_.program.rows = {1, -1};
    return;
  }
  const PlateInfo& p = m_.plates[m_.observed_plate];
  plan_.program.rows = p.ragged() ? kernels::Extent{0, m_.observed_plate} : kernels::Extent{p.size, -1};
  if (p.weights >= 0) plan_.program.rows_weight = load(p.weights);
}

void Planner::allocate_factors() {
  for (std::size_t i = 0; i < plan_.factors.size(); ++i) {
    Factor& f = plan_.factors[i];
    if (matches_[i]) {
      f.entropy = plan_.fused[std::size_t(f.variables[0])]->shape.entropy;
      continue;
    }
    const kernels::Extent elements = elements_of(m_, f);
    for (std::size_t s = 0; s < f.slot_sizes.size(); ++s) {
      const std::int64_t size = f.slot_sizes[s] * (elements.plate < 0 ? elements.size : 1);
      f.eta.push_back(contractions_.new_buffer("eta of " + f.name, size, elements.plate));
      f.u.push_back(contractions_.new_buffer("u of " + f.name, size, elements.plate));
    }
    f.entropy = scalar("entropy of " + f.name);
  }
  current_.assign(plan_.factors.size(), false);
  started_.assign(plan_.factors.size(), false);
}

kernels::Moments Planner::moments(int f) {
  Factor& x = factor(f);
  kernels::Moments op;
  op.family = x.family;
  op.factor = x.name;
  op.dimension = x.dimension;
  op.inner = x.inner;
  op.blocks = x.blocks;
  op.elements = elements_of(m_, x);
  op.eta = x.eta;
  op.u = x.u;
  op.entropy = x.entropy;
  for (int p : x.plates)
    if (m_.plates[p].weights >= 0) {
      if (x.plates.size() > 1) throw ShapeError(x.name + ": a weighted plate must be a factor's only one");
      op.weight = load(m_.plates[p].weights);
    }
  return op;
}

void Planner::update(int f, std::vector<Op>& ops) {
  if (matches_[std::size_t(f)]) {
    update_mixture(f, ops);
  } else {
    accumulate(messages_to(f, false), factor(f).eta, ops);
    ops.push_back(moments(f));
    current_[std::size_t(f)] = true;
  }
  changed(f);
}

void Planner::update_mixture(int f, std::vector<Op>& ops) {
  const MixtureMatch& match = *matches_[std::size_t(f)];
  const kernels::MixtureSweep& op = *plan_.fused[std::size_t(match.variable)];
  std::vector<std::pair<Message, Piece>> messages;
  for (const MixtureTerm& t : match.terms) {
    const Buffer target = t.monomial == Monomial::constant ? op.constant
                          : t.monomial == Monomial::linear ? op.linear
                                                           : op.quadratic;
    messages.emplace_back(message({t.rest, {}, -1}, -1), Piece{target, 0, strides(t.labels), {f}});
  }
  accumulate(messages, {op.constant, op.linear, op.quadratic}, ops);
  ops.push_back(op);
}

void Planner::changed(int f) {
  contractions_.forget(f);
  for (const PlanTerm& t : terms_) {
    const std::vector<int> in = factors_in(t);
    const bool mentions =
        std::find(in.begin(), in.end(), f) != in.end() || (t.fused >= 0 && plan_.owner[std::size_t(t.fused)] == f);
    for (int other : in)
      if (mentions && other != f) current_[std::size_t(other)] = false;
  }
}

std::vector<int> Planner::resolve_schedule(const Schedule& schedule, bool default_to_all) const {
  std::vector<int> order;
  for (const auto& entry : schedule) {
    if (entry.empty()) throw ShapeError("schedule: an entry without variables");
    int f = -1;
    for (Variable v : entry) {
      if (v.id < 0 || v.id >= int(m_.variables.size())) throw ShapeError("schedule: a variable of another model");
      const int own = plan_.owner[std::size_t(v.id)];
      if (f >= 0 && own != f)
        throw ShapeError("schedule: '" + m_.variables[std::size_t(v.id)].name + "' is not in " +
                         plan_.factors[std::size_t(f)].name);
      f = own;
    }
    order.push_back(f);
  }
  if (!schedule.empty() || !default_to_all) return order;
  order.resize(plan_.factors.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_partition(order.begin(), order.end(),
                        [&](int f) { return plan_.factors[std::size_t(f)].on(m_.observed_plate); });
  return order;
}

void Planner::bound(std::vector<Op>& ops, const std::string& after) {
  kernels::Bound b;
  b.after = after;
  b.record = contractions_.new_buffer("bound", 2);
  std::vector<bool> covered(terms_.size(), false);
  for (int f = int(plan_.factors.size()) - 1; f >= 0; --f) {
    const auto& own = terms_of_[f];
    const bool free = std::none_of(own.begin(), own.end(), [&](int t) { return covered[std::size_t(t)]; });
    if (!current_[std::size_t(f)] || !free || own.empty()) continue;
    for (int t : own) covered[std::size_t(t)] = true;
    b.parts.push_back(inner_product(f, ops));
  }
  if (constant_part_ == kNoBuffer) {
    constant_part_ = scalar("constant part of the bound");
    contractions_.constants().push_back(kernels::Fill{constant_part_, 0});
    for (std::size_t t = 0; t < terms_.size(); ++t)
      if (const Message m = message(terms_[t], -1); is_constant(m))
        contractions_.emit(contractions_.constants(), m.coefficient, m.pieces, m.over, {constant_part_, 0, {}, {}},
                           true);
  }
  b.parts.push_back(constant_part_);
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    if (covered[t]) continue;
    const Message m = message(terms_[t], -1);
    if (is_constant(m)) continue;
    b.parts.push_back(scalar("part of the bound"));
    contractions_.emit(ops, m.coefficient, m.pieces, m.over, {b.parts.back(), 0, {}, {}}, false);
  }
  for (const Factor& f : plan_.factors) b.parts.push_back(f.entropy);
  ops.push_back(std::move(b));
}

Buffer Planner::inner_product(int f, std::vector<Op>& ops) {
  const Factor& x = factor(f);
  const Buffer out = scalar("terms of " + x.name), weight = moments(f).weight;
  const kernels::Extent elements = elements_of(m_, x);
  for (std::size_t s = 0; s < x.eta.size(); ++s) {
    const auto view = [&](Buffer b) { return kernels::Operand{b, 0, {{0, x.slot_sizes[s], -1}, {1, 1, -1}}}; };
    kernels::Contract op{1, {elements, {x.slot_sizes[s], -1}}, {view(x.eta[s]), view(x.u[s])}, {out, 0, {}}, s > 0};
    if (weight != kNoBuffer) op.operands.push_back({weight, 0, {{0, 1, -1}}});
    ops.push_back(std::move(op));
  }
  return out;
}

Plan make_plan(const Model::Impl& model, const Factorisation& q, const Schedule& schedule, const Options& options) {
  return Planner(model, q, schedule, options).build();
}

}  // namespace cavi
