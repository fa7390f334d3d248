// SPDX-License-Identifier: Apache-2.0
// Which slot of a factor a part of a term is: the conjugacy of a model under its factorisation, one family at a time.
#include "src/factors.hpp"

#include <cavi/error.hpp>

#include <algorithm>

namespace cavi {

using kernels::Family;

namespace {

struct Resolver {
  const Model::Impl& m;
  const Factor& f;
  const Term& term;
  std::vector<const Reference*> refs;

  [[noreturn]] void fail() const {
    std::string missing;
    for (const Reference* r : refs) missing += (missing.empty() ? "" : " * ") + describe(m, *r);
    throw NotConjugate("not conjugate: factor " + f.name + " has no statistic " + missing + ", which the term " +
                       m.describe(term) + " needs");
  }

  /// Axes of the factor's own plates, an element of the slot apart.
  std::vector<LabelledStride> outer(std::int64_t slot_size) const {
    std::vector<LabelledStride> axes;
    const auto& plates = m.variables[refs[0]->id].plates;
    std::int64_t stride = slot_size;
    for (std::size_t i = f.plates.size(); i-- > 0;) {
      const auto at = std::find(plates.begin(), plates.end(), f.plates[i]) - plates.begin();
      axes.insert(axes.begin(), {refs[0]->labels[std::size_t(at)], stride});
      stride *= m.plates[f.plates[i]].size;
    }
    return axes;
  }

  /// Axes of what a reference has beside the factor's own plates: inner plates, then event labels [from, to),
  /// row-major.
  std::vector<LabelledStride> rest(const Reference& r, std::size_t from, std::size_t to, std::int64_t unit) const {
    const VariableInfo& v = m.variables[r.id];
    std::vector<LabelledStride> axes;
    std::int64_t stride = unit;
    const auto prepend = [&](const Label& l, int plate) {
      axes.insert(axes.begin(), {l, stride});
      stride *= m.plates[plate].size;
    };
    for (std::size_t i = to; i-- > from;) prepend(r.labels[v.plates.size() + i], v.event[i - from]);
    for (std::size_t i = v.plates.size(); i-- > 0;)
      if (!f.on(v.plates[i])) prepend(r.labels[i], v.plates[i]);
    return axes;
  }

  int offset_of(const Reference& r) const {
    return f.offsets[std::size_t(std::find(f.variables.begin(), f.variables.end(), r.id) - f.variables.begin())];
  }

  static void append(std::vector<LabelledStride>& to, const std::vector<LabelledStride>& axes) {
    to.insert(to.end(), axes.begin(), axes.end());
  }

  SlotView gaussian() const {
    const std::int64_t d = f.dimension;
    const std::size_t event = m.variables[refs[0]->id].event.size();
    SlotView view;
    if (refs.size() == 1 && refs[0]->statistic == 0) {
      view.axes = outer(d);
      view.offset = offset_of(*refs[0]);
      append(view.axes, rest(*refs[0], 0, event, 1));
      return view;
    }
    // A second moment: a coordinate of the first reference down the rows, one of the second along the columns.
    const bool square = refs.size() == 1 && refs[0]->statistic == 1;
    if (!square && !(refs.size() == 2 && refs[0]->statistic == 0 && refs[1]->statistic == 0)) fail();
    const Reference &a = *refs[0], &b = square ? a : *refs[1];
    view.slot = 1;
    view.axes = outer(d * d);
    view.offset = offset_of(a) * d + offset_of(b);
    const std::size_t event_b = m.variables[b.id].event.size();
    append(view.axes, rest(a, 0, event, d));
    append(view.axes, square ? rest(b, event, 2 * event, 1) : rest(b, 0, event_b, 1));
    return view;
  }

  SlotView wishart() const {
    if (refs.size() != 1) fail();
    SlotView view;
    view.slot = refs[0]->statistic;
    view.axes = outer(f.slot_sizes[std::size_t(view.slot)]);
    if (view.slot == 0 && m.variables[refs[0]->id].domain == Domain::precision) {
      const std::size_t n = refs[0]->labels.size();
      append(view.axes, {{refs[0]->labels[n - 2], f.dimension}, {refs[0]->labels[n - 1], 1}});
    }
    return view;
  }

  /// How often a label occurs in the whole term.
  int occurrences(const Label& l) const {
    int n = 0;
    for (const Reference& r : term.product)
      for (const Label& o : r.labels) n += o.plate == l.plate && o.copy == l.copy;
    return n;
  }

  SlotView normal_wishart() const {
    const Reference *lambda = nullptr, *mu = nullptr;
    for (const Reference* r : refs) {
      const Reference*& place = r->id == f.variables[1] ? lambda : mu;
      if (place) fail();
      place = r;
    }
    if (!lambda) fail();
    if (!mu) return Resolver{m, f, term, {lambda}}.wishart();
    if (lambda->statistic != 0) fail();

    SlotView view;
    view.slot = mu->statistic == 0 ? 2 : 3;
    view.axes = outer(f.slot_sizes[std::size_t(view.slot)]);
    if (m.variables[lambda->id].domain == Domain::positive) {
      append(view.axes, rest(*mu, 0, 0, 1));
      return view;
    }
    const std::size_t n = lambda->labels.size(), own = m.variables[mu->id].plates.size();
    Label e = lambda->labels[n - 2], g = lambda->labels[n - 1];
    if (view.slot == 2) {  // (Lambda mu)_e = sum_g Lambda_eg mu_g
      if (!(mu->labels[own] == g)) std::swap(e, g);
      if (!(mu->labels[own] == g) || occurrences(g) != 2) fail();
      view.absorbed = {g};
      append(view.axes, rest(*mu, 0, 0, f.dimension));
      view.axes.push_back({e, 1});
    } else {  // mu' Lambda mu
      const Label a = mu->labels[own], b = mu->labels[own + 1];
      if (!((a == e && b == g) || (a == g && b == e)) || e == g || occurrences(e) != 2 || occurrences(g) != 2) fail();
      view.absorbed = {e, g};
      append(view.axes, rest(*mu, 0, 0, 1));
    }
    return view;
  }

  SlotView simplex() const {  // dirichlet, sticks, categorical: one statistic each
    if (refs.size() != 1) fail();
    SlotView view;
    view.slot = refs[0]->statistic;
    view.axes = outer(f.slot_sizes[std::size_t(view.slot)]);
    append(view.axes, rest(*refs[0], 0, m.variables[refs[0]->id].event.size(), 1));
    return view;
  }
};

}  // namespace

std::optional<SlotView> resolve(const Model::Impl& m, const Factor& f, const Term& t) {
  const Resolver resolver{m, f, t, f.references_in(t)};
  if (resolver.refs.empty()) return std::nullopt;
  switch (f.family) {
    case Family::gaussian: return resolver.gaussian();
    case Family::wishart: return resolver.wishart();
    case Family::normal_wishart: return resolver.normal_wishart();
    default: return resolver.simplex();
  }
}

}  // namespace cavi
