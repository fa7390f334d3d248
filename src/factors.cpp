// SPDX-License-Identifier: Apache-2.0
#include "src/factors.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <numeric>

namespace cavi {

using kernels::Family;

namespace {

constexpr std::int64_t kLargestDimension = 1 << 15;  // a covariance of 8 GB

bool contains(const std::vector<int>& v, int x) { return std::find(v.begin(), v.end(), x) != v.end(); }

std::int64_t size_of_plates(const Model::Impl& m, const std::vector<int>& plates) {
  return std::accumulate(plates.begin(), plates.end(), std::int64_t{1},
                         [&](std::int64_t n, int p) { return n * m.plates[p].size; });
}

/// Plates of a variable that are not the factor's own.
std::vector<int> inner_plates(const VariableInfo& v, const Factor& f) {
  std::vector<int> inner;
  for (int p : v.plates)
    if (!contains(f.plates, p)) inner.push_back(p);
  return inner;
}

std::string name_of(const Model::Impl& m, const std::vector<int>& variables) {
  std::string name = "q(";
  for (std::size_t i = 0; i < variables.size(); ++i) name += (i ? ", " : "") + m.variables[variables[i]].name;
  return name + ")";
}

std::vector<const Reference*> references_to(const Factor& f, const Term& t) {
  std::vector<const Reference*> refs;
  for (const Reference& r : t.product)
    if (r.kind == Reference::Kind::variable && contains(f.variables, r.id)) refs.push_back(&r);
  return refs;
}

/// A plate of the factor along which some term multiplies two of its elements, or -1.
int coupled_plate(const Model::Impl& m, const Factor& f) {
  for (const Term& t : m.terms) {
    const auto refs = references_to(f, t);
    for (std::size_t i = 1; i < refs.size(); ++i)
      for (int p : f.plates) {
        const auto label_at = [&](const Reference& r) {
          const auto& plates = m.variables[r.id].plates;
          return r.labels[std::size_t(std::find(plates.begin(), plates.end(), p) - plates.begin())];
        };
        if (!(label_at(*refs[0]) == label_at(*refs[i]))) return p;
      }
  }
  return -1;
}

void check_blocks(const std::string& name, int dimension, const std::vector<std::vector<int>>& blocks) {
  std::vector<int> seen(std::size_t(dimension), 0);
  for (const auto& b : blocks)
    for (int i : b)
      if (i < 0 || i >= dimension || ++seen[std::size_t(i)] > 1)
        throw ShapeError(name + ": blocks must name each of the " + std::to_string(dimension) + " coordinates once");
  if (std::count(seen.begin(), seen.end(), 1) != dimension)
    throw ShapeError(name + ": blocks must name each of the " + std::to_string(dimension) + " coordinates once");
}

const Factorisation::Split* split_of(const Factorisation& q, int variable) {
  const auto& s = q.splits();
  const auto it = std::find_if(s.begin(), s.end(), [&](const auto& x) { return x.variable.id == variable; });
  return it == s.end() ? nullptr : &*it;
}

void shape_gaussian(const Model::Impl& m, const Factorisation& q, Factor& f) {
  const Factorisation::Split* split = f.variables.size() == 1 ? split_of(q, f.variables[0]) : nullptr;
  // Elements of a plate that a term couples cannot be updated at once: the plate becomes coordinates, one block each.
  bool coupled = false;
  for (int p = coupled_plate(m, f); p >= 0; p = coupled_plate(m, f)) {
    if (m.plates[p].ragged())
      throw NotConjugate(f.name + ": a term couples elements of plate '" + m.plates[p].name +
                         "', whose size differs from problem to problem");
    std::erase(f.plates, p);
    coupled = true;
  }
  std::int64_t dimension = 0;
  std::int64_t event = 1;
  for (int v : f.variables) {
    f.offsets.push_back(int(dimension));
    event = size_of_plates(m, m.variables[v].event);
    dimension += size_of_plates(m, inner_plates(m.variables[v], f)) * event;
    if (dimension > kLargestDimension)
      throw ShapeError(f.name + ": a joint Gaussian of more than " + std::to_string(kLargestDimension) +
                       " coordinates does not fit into memory; split it");
  }
  f.dimension = int(dimension);
  f.slot_sizes = {dimension, dimension * dimension};
  if (split) {
    f.blocks = split->blocks;
    if (f.blocks.empty())
      for (int i = 0; i < int(event); ++i) f.blocks.push_back({i});
    check_blocks(f.name, int(event), f.blocks);
  }
  if (coupled && f.variables.size() == 1) {
    std::vector<std::vector<int>> within = f.blocks;
    if (within.empty()) {
      within.emplace_back(std::size_t(event));
      std::iota(within[0].begin(), within[0].end(), 0);
    }
    f.blocks.clear();
    for (std::int64_t i = 0; i < dimension; i += event)
      for (std::vector<int> b : within) {
        for (int& c : b) c += int(i);
        f.blocks.push_back(std::move(b));
      }
  }
}

void shape_joint(const Model::Impl& m, const Factorisation& q, Factor& f) {
  const auto domain = [&](int v) { return m.variables[v].domain; };
  if (std::all_of(f.variables.begin(), f.variables.end(), [&](int v) { return domain(v) == Domain::real; })) {
    f.family = Family::gaussian;
    f.plates = m.variables[f.variables[0]].plates;
    for (int v : f.variables) std::erase_if(f.plates, [&](int p) { return !contains(m.variables[v].plates, p); });
    return shape_gaussian(m, q, f);
  }
  if (f.variables.size() == 2 && domain(f.variables[0]) != Domain::real) std::swap(f.variables[0], f.variables[1]);
  const VariableInfo& mu = m.variables[f.variables[0]];
  const VariableInfo& lambda = m.variables[f.variables[1]];
  const bool scalar = lambda.domain == Domain::positive, matrix = lambda.domain == Domain::precision;
  if (f.variables.size() != 2 || mu.domain != Domain::real || !(scalar || matrix))
    throw NotConjugate(f.name +
                       ": no family holds these variables together; joint factors are Gaussian vectors, or a "
                       "Gaussian with its Gamma or Wishart precision");
  if (matrix ? mu.event != lambda.event : !mu.event.empty())
    throw NotConjugate(f.name + ": '" + mu.name + "' needs " +
                       (matrix ? "the event of its precision" : "plates in place of its event") +
                       " to share a factor with '" + lambda.name + "'");
  for (int p : lambda.plates)
    if (!contains(mu.plates, p))
      throw NotConjugate(f.name + ": '" + lambda.name + "' has a plate that '" + mu.name + "' has not");
  f.family = Family::normal_wishart;
  f.plates = lambda.plates;
  f.dimension = matrix ? int(m.plates[lambda.event[0]].size) : 1;
  const std::vector<int> inner = inner_plates(mu, f);
  for (int p : inner)
    if (m.plates[p].ragged())
      throw NotConjugate(f.name + ": means on plate '" + m.plates[p].name + "' cannot share a precision");
  f.inner = int(size_of_plates(m, inner));
  const std::int64_t d = f.dimension, j = f.inner;
  f.slot_sizes = {d * d, 1, j * d, j};
}

void shape_single(const Model::Impl& m, const Factorisation& q, Factor& f) {
  const VariableInfo& v = m.variables[f.variables[0]];
  const std::int64_t event = size_of_plates(m, v.event);
  f.plates = v.plates;
  f.dimension = int(event);
  switch (v.domain) {
    case Domain::real: f.family = Family::gaussian; return shape_gaussian(m, q, f);
    case Domain::positive:
      f.family = Family::wishart;
      f.slot_sizes = {1, 1};
      break;
    case Domain::precision:
      f.family = Family::wishart;
      f.slot_sizes = {event * event, 1};
      break;
    case Domain::unit:
      f.family = Family::sticks;
      f.slot_sizes = {1, 1, 1};
      break;
    case Domain::sticks:
      f.family = Family::sticks;
      f.slot_sizes = {event, event, event};
      break;
    case Domain::simplex:
      f.family = Family::dirichlet;
      f.slot_sizes = {event};
      break;
    case Domain::category:
      f.family = Family::categorical;
      f.slot_sizes = {event};
      break;
  }
}

}  // namespace

bool Factor::on(int plate) const { return contains(plates, plate); }

kernels::Extent elements_of(const Model::Impl& m, const Factor& f) {
  kernels::Extent e{1, -1};
  for (int p : f.plates) {
    if (m.plates[p].ragged()) {
      if (f.plates.size() > 1) throw ShapeError(f.name + ": plate '" + m.plates[p].name + "' must be its only one");
      return {0, p};
    }
    e.size *= m.plates[p].size;
  }
  return e;
}

std::vector<Factor> make_factors(const Model::Impl& m, const Factorisation& q) {
  std::vector<int> group(m.variables.size(), -1);
  for (std::size_t g = 0; g < q.groups().size(); ++g)
    for (Variable v : q.groups()[g].variables) {
      if (v.id < 0 || v.id >= int(group.size())) throw ShapeError("factorisation: a variable of another model");
      if (group[std::size_t(v.id)] >= 0)
        throw ShapeError("factorisation: '" + m.variables[v.id].name + "' is in two factors");
      group[std::size_t(v.id)] = int(g);
    }
  for (const auto& s : q.splits()) {
    if (s.variable.id < 0 || s.variable.id >= int(group.size()))
      throw ShapeError("factorisation: a variable of another model");
    const VariableInfo& v = m.variables[s.variable.id];
    if (v.domain != Domain::real) throw NotConjugate("q(" + v.name + "): only Gaussian vectors split into blocks");
    if (group[std::size_t(s.variable.id)] >= 0)
      throw ShapeError("factorisation: '" + v.name + "' is both joint and split");
  }

  std::vector<Factor> factors;
  for (int v = 0; v < int(m.variables.size()); ++v) {
    Factor f;
    f.variables = {v};
    if (group[std::size_t(v)] >= 0) {
      f.variables.clear();
      for (Variable x : q.groups()[std::size_t(group[std::size_t(v)])].variables) f.variables.push_back(x.id);
      if (*std::max_element(f.variables.begin(), f.variables.end()) != v) continue;
    }
    f.name = name_of(m, f.variables);
    f.variables.size() == 1 ? shape_single(m, q, f) : shape_joint(m, q, f);
    if (f.family != Family::gaussian) {
      const int p = coupled_plate(m, f);
      if (p >= 0)
        throw NotConjugate(f.name + ": a term multiplies different elements of plate '" + m.plates[p].name +
                           "'; they cannot be updated independently of each other");
    }
    factors.push_back(std::move(f));
  }
  return factors;
}

// ---- slots ----------------------------------------------------------------------------------------------------------

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
  const Resolver resolver{m, f, t, references_to(f, t)};
  if (resolver.refs.empty()) return std::nullopt;
  switch (f.family) {
    case Family::gaussian: return resolver.gaussian();
    case Family::wishart: return resolver.wishart();
    case Family::normal_wishart: return resolver.normal_wishart();
    default: return resolver.simplex();
  }
}

}  // namespace cavi
