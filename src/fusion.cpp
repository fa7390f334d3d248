// SPDX-License-Identifier: Apache-2.0
#include "src/fusion.hpp"

#include <algorithm>
#include <array>

namespace cavi {

using kernels::Component;

namespace {

bool same_index(const Label& a, const Label& b) { return a.plate == b.plate && a.copy == b.copy; }

bool mentions(const std::vector<Label>& labels, const Label& l) {
  return std::any_of(labels.begin(), labels.end(), [&](const Label& o) { return same_index(o, l); });
}

bool mentions(const Term& t, const Label& l) {
  return std::any_of(t.product.begin(), t.product.end(), [&](const Reference& r) { return mentions(r.labels, l); });
}

/// What one term says about the mixture, before the terms are compared.
struct Cut {
  MixtureTerm term;
  int data = -1;
  std::optional<Component> component;  ///< of a quadratic term
};

std::optional<Cut> cut(const Model::Impl& m, const Term& t, int variable) {
  const auto is_z = [&](const Reference& r) { return r.kind == Reference::Kind::variable && r.id == variable; };
  if (std::count_if(t.product.begin(), t.product.end(), is_z) != 1) return std::nullopt;
  const Reference& z = *std::find_if(t.product.begin(), t.product.end(), is_z);
  const Label n = z.labels[0], k = z.labels[1];
  if (n.index >= 0 || k.index >= 0) return std::nullopt;

  Cut c;
  c.term.rest.coefficient = t.coefficient;
  std::vector<Label> features;  // the feature label of every occurrence of the row
  int degree = 0;
  for (const Reference& r : t.product) {
    if (is_z(r)) continue;
    if (!mentions(r.labels, n)) {
      c.term.rest.product.push_back(r);
      continue;
    }
    const bool row = r.kind == Reference::Kind::data && m.data[r.id].matrix.rows() > 0 && r.labels[0] == n &&
                     r.labels.back().index < 0;
    if (!row || (c.data >= 0 && c.data != r.id)) return std::nullopt;
    c.data = r.id;
    ++degree;
    if (r.labels.size() == 2) features.push_back(r.labels[1]);
  }
  if (degree > 2) return std::nullopt;

  const bool on_k = mentions(c.term.rest, k);
  const auto absorb = [&](const Label& l) { return same_index(l, n); };
  std::vector<Label> absorbed;
  if (degree == 0) {
    c.term.labels = {k};
  } else if (degree == 1) {
    c.term.monomial = Monomial::linear;
    c.term.labels = {k};
    c.term.labels.insert(c.term.labels.end(), features.begin(), features.end());
  } else {
    c.term.monomial = Monomial::quadratic;
    const bool diagonal = features.empty() || same_index(features[0], features[1]);
    if (!diagonal) {
      c.component = on_k ? Component::full : Component::tied;
      c.term.labels = features;
      on_k ? void(c.term.labels.insert(c.term.labels.begin(), k)) : absorbed.push_back(k);
    } else if (features.empty() || mentions(c.term.rest, features[0])) {
      c.component = Component::diag;
      c.term.labels = {k};
      if (!features.empty()) c.term.labels.push_back(features[0]);
    } else {
      c.component = Component::spherical;
      c.term.labels = {k};
      absorbed.push_back(features[0]);
    }
  }
  for (const Label& l : t.over)
    if (!absorb(l) && !mentions(absorbed, l)) c.term.rest.over.push_back(l);
  return c;
}

}  // namespace

std::optional<MixtureMatch> match_mixture(const Model::Impl& m, const std::vector<Term>& terms, int variable) {
  const VariableInfo& z = m.variables[variable];
  if (z.domain != Domain::category || z.plates.size() != 1) return std::nullopt;

  MixtureMatch match;
  match.variable = variable;
  match.row_plate = z.plates[0];
  match.components = int(m.plates[z.event[0]].size);
  std::optional<Component> component;
  for (const Term& t : terms) {
    const bool mentioned = std::any_of(t.product.begin(), t.product.end(), [&](const Reference& r) {
      return r.kind == Reference::Kind::variable && r.id == variable;
    });
    if (!mentioned) {
      match.others.push_back(t);
      continue;
    }
    std::optional<Cut> c = cut(m, t, variable);
    if (!c) return std::nullopt;
    if (c->data >= 0 && match.data >= 0 && c->data != match.data) return std::nullopt;
    if (c->data >= 0) match.data = c->data;
    if (c->component && component && *component != *c->component) return std::nullopt;
    if (c->component) component = c->component;
    match.terms.push_back(std::move(c->term));
  }
  if (match.data < 0 || match.components < 1) return std::nullopt;
  match.component = component.value_or(Component::linear);
  const DataInfo& rows = m.data[match.data];
  match.features = rows.plates.size() == 2 ? int(m.plates[rows.plates[1]].size) : 1;
  if (match.features < 1) return std::nullopt;
  return match;
}

}  // namespace cavi
