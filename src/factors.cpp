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

/// A plate of the factor along which some term multiplies two of its elements, or -1.
int coupled_plate(const Model::Impl& m, const Factor& f) {
  for (const Term& t : m.terms) {
    const auto refs = f.references_in(t);
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

std::vector<const Reference*> Factor::references_in(const Term& t) const {
  std::vector<const Reference*> refs;
  for (const Reference& r : t.product)
    if (r.kind == Reference::Kind::variable && contains(variables, r.id)) refs.push_back(&r);
  return refs;
}

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

}  // namespace cavi
