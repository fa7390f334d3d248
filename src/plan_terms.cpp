// SPDX-License-Identifier: Apache-2.0
// Terms as the planner works on them: pieces of buffers, with the part of one factor left out.
#include "src/observed.hpp"
#include "src/planner.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <numeric>

namespace cavi {

using kernels::Buffer;
using kernels::kNoBuffer;
using kernels::Op;

namespace {

bool same_index(const Label& a, const Label& b) { return a.plate == b.plate && a.copy == b.copy; }

bool contains(const std::vector<Label>& labels, const Label& l) {
  return std::any_of(labels.begin(), labels.end(), [&](const Label& o) { return same_index(o, l); });
}

}  // namespace

kernels::SourceSpec Planner::source_of(const DataInfo& d) const {
  kernels::SourceSpec s;
  s.name = d.name;
  s.per_problem = d.per_problem;
  if (!d.plates.empty() && m_.plates[d.plates[0]].ragged()) s.plate = d.plates[0];
  if (d.values.empty() && d.matrix.rows() > 0) {
    s.matrix = d.matrix;
    s.origin = d.origin;
  } else {
    const std::int64_t rows = s.plate >= 0 ? m_.plates[s.plate].size : d.per_problem ? m_.problems : 1;
    const std::int64_t cols = rows > 0 ? std::int64_t(d.values.size()) / rows : 0;
    s.matrix = Matrix(d.values, rows, int(cols));
  }
  return s;
}

Buffer Planner::load(int data) {
  Buffer& b = data_buffers_[std::size_t(data)];
  if (b != kNoBuffer) return b;
  const DataInfo& d = m_.data[std::size_t(data)];
  std::int64_t size = 1;
  int ragged = -1;
  for (int p : d.plates) m_.plates[p].ragged() ? void(ragged = p) : void(size *= m_.plates[p].size);
  b = contractions_.new_buffer(d.name, size, ragged);
  kernels::SourceSpec s = source_of(d);
  s.buffer = b;
  plan_.program.sources.push_back(std::move(s));
  return b;
}

Piece Planner::data_piece(const Reference& r) {
  const DataInfo& d = m_.data[std::size_t(r.id)];
  Piece piece{load(r.id), 0, {}, {}};
  std::int64_t stride = 1;
  for (std::size_t i = d.plates.size(); i-- > 0;) {
    piece.axes.insert(piece.axes.begin(), {r.labels[i], stride});
    stride *= m_.plates[d.plates[i]].size;
  }
  return piece;
}

void Planner::rewrite_terms() {
  std::vector<Term> terms = m_.terms;
  for (std::size_t f = 0; f < plan_.factors.size() && options_.fuse; ++f) {
    if (plan_.factors[f].family != kernels::Family::categorical) continue;
    const int z = plan_.factors[f].variables[0];
    std::optional<MixtureMatch> match = match_mixture(m_, terms, z);
    if (!match) continue;
    terms = std::move(match->others);
    fuse(int(f), *match);
    matches_[f] = std::move(match);
  }
  for (Term& t : terms) terms_.push_back({std::move(t), {}, -1});
}

void Planner::refuse_large_counts(const DataInfo& rows) {
  for (std::size_t b = 0; b < std::size_t(m_.problems) && !rows.largest.empty(); ++b) {
    const double largest = rows.largest[rows.per_problem ? b : 0];
    if (largest <= kLargestFloat32Count) continue;
    const std::string why = too_large_for_float32(largest);
    if (!m_.batched) throw NumericalError("'" + rows.name + "': " + why);
    plan_.complaints.resize(std::size_t(m_.problems));
    if (plan_.complaints[b].empty()) plan_.complaints[b] = why;
  }
}

void Planner::fuse(int f, const MixtureMatch& match) {
  if (options_.precision == Scalar::float32) refuse_large_counts(m_.data[std::size_t(match.data)]);
  kernels::MixtureSweep op;
  kernels::MixtureShape& s = op.shape;
  s.component = match.component;
  s.components = match.components;
  s.features = match.features;
  s.precision = options_.precision;
  plan_.program.sources.push_back(source_of(m_.data[std::size_t(match.data)]));
  s.source = int(plan_.program.sources.size()) - 1;
  if (const int w = m_.plates[match.row_plate].weights; w >= 0) s.weight = load(w);
  const std::int64_t k = s.components, d = s.features,
                     q = kernels::quadratic_size(s.component, s.components, s.features);
  const std::string& name = m_.variables[match.variable].name;
  s.count = contractions_.new_buffer("count of " + name, k);
  s.first = contractions_.new_buffer("first moments of " + name, k * d);
  s.second = contractions_.new_buffer("second moments of " + name, q);
  s.entropy = scalar("entropy of " + name);
  op.constant = contractions_.new_buffer("constants of " + name, k);
  op.linear = contractions_.new_buffer("linear parameters of " + name, k * d);
  op.quadratic = contractions_.new_buffer("quadratic parameters of " + name, q);
  plan_.fused[std::size_t(match.variable)] = op;

  for (const MixtureTerm& t : match.terms) {
    PlanTerm p{t.rest, {}, match.variable};
    const Buffer statistic = t.monomial == Monomial::constant ? s.count
                             : t.monomial == Monomial::linear ? s.first
                                                              : s.second;
    p.statistics.push_back({statistic, 0, strides(t.labels), {f}});
    terms_.push_back(std::move(p));
  }
}

std::vector<LabelledStride> Planner::strides(const std::vector<Label>& labels) const {
  std::vector<LabelledStride> axes;
  std::int64_t stride = 1;
  for (std::size_t i = labels.size(); i-- > 0;) {
    axes.insert(axes.begin(), {labels[i], stride});
    stride *= m_.plates[labels[i].plate].size;
  }
  return axes;
}

std::vector<int> Planner::factors_in(const PlanTerm& t) const {
  std::vector<int> out;
  for (const Reference& r : t.term.product)
    if (r.kind == Reference::Kind::variable) out.push_back(plan_.owner[std::size_t(r.id)]);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void Planner::check_conjugacy() {
  for (const PlanTerm& t : terms_)
    for (int f : factors_in(t)) resolve(m_, factor(f), t.term);
}

Message Planner::message(const PlanTerm& t, int skip) {
  Message out;
  out.coefficient = t.term.coefficient;
  out.pieces = t.statistics;
  std::vector<Label> absorbed, labels = t.term.over, direct;
  for (const Reference& r : t.term.product) {
    labels.insert(labels.end(), r.labels.begin(), r.labels.end());
    if (r.kind == Reference::Kind::data) {
      out.pieces.push_back(data_piece(r));
    } else if (skip >= 0 && plan_.owner[std::size_t(r.id)] == skip) {
      for (const Label& l : r.labels)
        if (l.index < 0) direct.push_back(l);
    }
  }
  for (int f : factors_in(t)) {
    const SlotView view = *resolve(m_, factor(f), t.term);
    absorbed.insert(absorbed.end(), view.absorbed.begin(), view.absorbed.end());
    if (f != skip) out.pieces.push_back({factor(f).u[std::size_t(view.slot)], view.offset, view.axes, {f}});
  }
  std::vector<Label> weighted;
  for (const Label& l : labels) {
    if (contains(absorbed, l)) continue;
    if (!contains(out.over, l)) out.over.push_back(l);
    const int w = m_.plates[l.plate].weights;
    // Messages to a factor on the plate itself are not weighted.
    if (w < 0 || contains(direct, l) || contains(weighted, l)) continue;
    weighted.push_back(l);
    out.pieces.push_back({load(w), 0, {{Label(l.plate, l.copy, -1), 1}}, {}});
  }
  return out;
}

std::vector<std::pair<Message, Piece>> Planner::messages_to(int f, bool prior_only) {
  std::vector<std::pair<Message, Piece>> out;
  for (int t : terms_of_[f]) {
    const PlanTerm& term = terms_[std::size_t(t)];
    if (prior_only && (term.term.prior_of < 0 || plan_.owner[std::size_t(term.term.prior_of)] != f)) continue;
    out.emplace_back(message(term, f), slot_piece(f, *resolve(m_, factor(f), term.term)));
  }
  return out;
}

void Planner::accumulate(const std::vector<std::pair<Message, Piece>>& messages, const std::vector<Buffer>& targets,
                         std::vector<Op>& ops) {
  for (Buffer target : targets) {
    const auto [entry, first_time] = folded_.try_emplace(target, kNoBuffer);
    Buffer& folded = entry->second;
    if (first_time) {
      const kernels::BufferSpec spec = plan_.program.buffers[std::size_t(target)];
      folded = contractions_.new_buffer("constant part of " + spec.name, spec.size, spec.plate);
      auto& constants = contractions_.constants();
      constants.push_back(kernels::Fill{folded, 0});
      for (const auto& [message, out] : messages)
        if (out.buffer == target && is_constant(message)) {
          Piece place = out;
          place.buffer = folded;
          contractions_.emit(constants, message.coefficient, message.pieces, message.over, place, true);
        }
    }
    ops.push_back(kernels::Copy{folded, target});
  }
  for (const auto& [message, out] : messages)
    if (!is_constant(message)) contractions_.emit(ops, message.coefficient, message.pieces, message.over, out, true);
}

}  // namespace cavi
