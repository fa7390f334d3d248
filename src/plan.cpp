// SPDX-License-Identifier: Apache-2.0
#include "src/plan.hpp"

#include "src/contractions.hpp"
#include "src/fusion.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <map>
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
  Planner(const Model::Impl& m, const Factorisation& q, const Schedule& schedule, const Options& options)
      : m_(m), q_(q), options_(options), contractions_(m, plan_.program) {
    plan_.program.problems = m.problems;
    plan_.program.batched = m.batched;
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

  Plan build() {
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

 private:
  Factor& factor(int f) { return plan_.factors[std::size_t(f)]; }

  Buffer scalar(const std::string& name) { return contractions_.new_buffer(name, 1); }

  // ---- data ---------------------------------------------------------------------------------------------------------

  kernels::SourceSpec source_of(const DataInfo& d) const {
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

  /// The float64 buffer of a data array, loaded when first asked for.
  Buffer load(int data) {
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

  Piece data_piece(const Reference& r) {
    const DataInfo& d = m_.data[std::size_t(r.id)];
    Piece piece{load(r.id), 0, {}, {}};
    std::int64_t stride = 1;
    for (std::size_t i = d.plates.size(); i-- > 0;) {
      piece.axes.insert(piece.axes.begin(), {r.labels[i], stride});
      stride *= m_.plates[d.plates[i]].size;
    }
    return piece;
  }

  void observed_rows() {
    if (m_.observed_plate < 0) {
      plan_.program.rows = {1, -1};
      return;
    }
    const PlateInfo& p = m_.plates[m_.observed_plate];
    plan_.program.rows = p.ragged() ? kernels::Extent{0, m_.observed_plate} : kernels::Extent{p.size, -1};
    if (p.weights >= 0) plan_.program.rows_weight = load(p.weights);
  }

  // ---- terms --------------------------------------------------------------------------------------------------------

  void rewrite_terms() {
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

  /// Buffers of a mixture sweep, and the mixture's terms with statistics in place of data and responsibilities.
  void fuse(int f, const MixtureMatch& match) {
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

  std::vector<LabelledStride> strides(const std::vector<Label>& labels) const {
    std::vector<LabelledStride> axes;
    std::int64_t stride = 1;
    for (std::size_t i = labels.size(); i-- > 0;) {
      axes.insert(axes.begin(), {labels[i], stride});
      stride *= m_.plates[labels[i].plate].size;
    }
    return axes;
  }

  std::vector<int> factors_in(const PlanTerm& t) const {
    std::vector<int> out;
    for (const Reference& r : t.term.product)
      if (r.kind == Reference::Kind::variable) out.push_back(plan_.owner[std::size_t(r.id)]);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  void check_conjugacy() {
    for (const PlanTerm& t : terms_)
      for (int f : factors_in(t)) resolve(m_, factor(f), t.term);
  }

  /// The term with factor `skip` left out (-1: nothing), as pieces. Labels summed inside any slot are not summed again.
  Message message(const PlanTerm& t, int skip) {
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

  static bool is_constant(const Message& m) {
    return std::all_of(m.pieces.begin(), m.pieces.end(), [](const Piece& p) { return p.depends.empty(); });
  }

  /// `target` = sum of messages. The constant ones are added up once and copied.
  void accumulate(const std::vector<std::pair<Message, Piece>>& messages, const std::vector<Buffer>& targets,
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

  // ---- factors ------------------------------------------------------------------------------------------------------

  void allocate_factors() {
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

  Piece slot_piece(int f, const SlotView& view) {
    return {factor(f).eta[std::size_t(view.slot)], view.offset, view.axes, {f}};
  }

  std::vector<std::pair<Message, Piece>> messages_to(int f, bool prior_only) {
    std::vector<std::pair<Message, Piece>> out;
    for (int t : terms_of_[f]) {
      const PlanTerm& term = terms_[std::size_t(t)];
      if (prior_only && (term.term.prior_of < 0 || plan_.owner[std::size_t(term.term.prior_of)] != f)) continue;
      out.emplace_back(message(term, f), slot_piece(f, *resolve(m_, factor(f), term.term)));
    }
    return out;
  }

  kernels::Moments moments(int f) {
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

  void update(int f, std::vector<Op>& ops) {
    if (matches_[std::size_t(f)]) {
      update_mixture(f, ops);
    } else {
      accumulate(messages_to(f, false), factor(f).eta, ops);
      ops.push_back(moments(f));
      current_[std::size_t(f)] = true;
    }
    changed(f);
  }

  void changed(int f) {
    contractions_.forget(f);
    for (const PlanTerm& t : terms_) {
      const std::vector<int> in = factors_in(t);
      const bool mentions =
          std::find(in.begin(), in.end(), f) != in.end() || (t.fused >= 0 && plan_.owner[std::size_t(t.fused)] == f);
      for (int other : in)
        if (mentions && other != f) current_[std::size_t(other)] = false;
    }
  }

  void update_mixture(int f, std::vector<Op>& ops) {
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

  // ---- start --------------------------------------------------------------------------------------------------------

  void start(std::vector<Op>& ops) {
    for (const auto& s : q_.gaussian_starts()) start_gaussian(s, ops);
    for (std::size_t f = 0; f < plan_.factors.size(); ++f)
      if (plan_.factors[f].family == kernels::Family::categorical) start_categorical(int(f), ops);
    // The rest begins at the prior: parents before children.
    for (bool progress = true; progress;) {
      progress = false;
      for (int f = 0; f < int(plan_.factors.size()); ++f)
        if (!started_[std::size_t(f)] && parents_started(f)) {
          accumulate_prior(f, ops);
          progress = true;
        }
    }
    for (std::size_t f = 0; f < started_.size(); ++f)
      if (!started_[f])
        throw ShapeError(plan_.factors[f].name +
                         " cannot start at its prior, whose parents wait for it; give it a start");
  }

  bool parents_started(int f) const {
    for (int t : terms_of_.contains(f) ? terms_of_.at(f) : std::vector<int>{}) {
      const PlanTerm& term = terms_[std::size_t(t)];
      if (term.term.prior_of < 0 || plan_.owner[std::size_t(term.term.prior_of)] != f) continue;
      for (int other : factors_in(term))
        if (other != f && !started_[std::size_t(other)]) return false;
    }
    return true;
  }

  void accumulate_prior(int f, std::vector<Op>& ops) {
    for (Buffer b : factor(f).eta) ops.push_back(kernels::Fill{b, 0});
    for (const auto& [message, out] : messages_to(f, true))
      contractions_.emit(ops, message.coefficient, message.pieces, message.over, out, true);
    finish_start(f, ops);
  }

  void finish_start(int f, std::vector<Op>& ops) {
    ops.push_back(moments(f));
    started_[std::size_t(f)] = true;
    changed(f);
  }

  void start_gaussian(const Factorisation::GaussianStart& s, std::vector<Op>& ops) {
    if (s.variable.id < 0 || s.variable.id >= int(m_.variables.size()))
      throw ShapeError("a start for a variable of another model");
    const int f = plan_.owner[std::size_t(s.variable.id)];
    Factor& x = factor(f);
    if (x.family != kernels::Family::gaussian || x.variables.size() != 1)
      throw ShapeError(x.name + ": only a Gaussian factor of one variable starts from a mean");
    const kernels::Extent elements = elements_of(m_, x);
    const std::int64_t d = x.dimension,
                       size = d * (elements.plate < 0 ? elements.size : m_.plates[elements.plate].size);
    if (std::int64_t(s.mean.size()) != size)
      throw ShapeError(x.name + ": the start needs " + std::to_string(size) + " numbers, not " +
                       std::to_string(s.mean.size()));
    if (!(s.variance > 0)) throw ShapeError(x.name + ": the variance of the start must be positive");
    DataInfo mean;
    mean.name = "start of " + x.name;
    mean.values = s.mean;
    mean.per_problem = elements.plate >= 0;
    kernels::SourceSpec source = source_of(mean);
    if (elements.plate >= 0) {
      source.plate = elements.plate;
      source.matrix = Matrix(s.mean, m_.plates[elements.plate].size, int(d));
    }
    source.buffer = contractions_.new_buffer(mean.name, elements.plate < 0 ? size : d, elements.plate);
    const Buffer begin = source.buffer;
    plan_.program.sources.push_back(std::move(source));

    // eta = (m / v, -I / (2 v)), element by element; u begins at m so that blocks see it.
    const std::vector<kernels::Extent> labels{elements, {d, -1}};
    const auto along = [&](Buffer b, std::int64_t element, std::int64_t step) {
      return kernels::Operand{b, 0, {{0, element, -1}, {1, step, -1}}};
    };
    ops.push_back(kernels::Contract{1 / s.variance, labels, {along(begin, d, 1)}, along(x.eta[0], d, 1), false});
    ops.push_back(kernels::Contract{1, labels, {along(begin, d, 1)}, along(x.u[0], d, 1), false});
    ops.push_back(kernels::Fill{x.eta[1], 0});
    ops.push_back(kernels::Contract{-0.5 / s.variance, labels, {}, along(x.eta[1], d * d, d + 1), false});
    finish_start(f, ops);
  }

  void start_categorical(int f, std::vector<Op>& ops) {
    Factor& x = factor(f);
    const auto& starts = q_.categorical_starts();
    const auto given =
        std::find_if(starts.begin(), starts.end(), [&](const auto& s) { return s.variable.id == x.variables[0]; });
    const kernels::Extent elements = elements_of(m_, x);
    const std::int64_t n = elements.plate < 0 ? elements.size * m_.problems : m_.plates[elements.plate].size;
    kernels::Responsibilities r;
    r.seed = options_.seed;
    if (given != starts.end()) {
      r.labels = given->labels;
      r.dense = given->responsibilities;
      if (!r.labels.empty() && std::int64_t(r.labels.size()) != n)
        throw ShapeError(x.name + ": " + std::to_string(n) + " elements, " + std::to_string(r.labels.size()) +
                         " labels to start from");
      if (r.dense.rows() > 0 && (r.dense.rows() != n || r.dense.cols() != x.dimension))
        throw ShapeError(x.name + ": responsibilities to start from must be " + std::to_string(n) + " x " +
                         std::to_string(x.dimension) + ", not " + std::to_string(r.dense.rows()) + " x " +
                         std::to_string(r.dense.cols()));
    }
    plan_.program.responsibilities.push_back(std::move(r));
    const int position = int(plan_.program.responsibilities.size()) - 1;
    if (matches_[std::size_t(f)])
      ops.push_back(kernels::MixtureStart{plan_.fused[std::size_t(x.variables[0])]->shape, position});
    else
      ops.push_back(kernels::AssignStart{position, x.dimension, elements, moments(f).weight, x.u[0], x.entropy});
    started_[std::size_t(f)] = true;
    changed(f);
  }

  // ---- schedule and bound -------------------------------------------------------------------------------------------

  std::vector<int> resolve_schedule(const Schedule& schedule, bool default_to_all = true) const {
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

  /// The bound: <eta_j, u_j> covers all terms of a factor whose eta is up to date; other terms are contracted whole.
  void bound(std::vector<Op>& ops, const std::string& after) {
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

  Buffer inner_product(int f, std::vector<Op>& ops) {
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
  Buffer constant_part_ = kNoBuffer;
};

}  // namespace

Plan make_plan(const Model::Impl& model, const Factorisation& q, const Schedule& schedule, const Options& options) {
  return Planner(model, q, schedule, options).build();
}

}  // namespace cavi
