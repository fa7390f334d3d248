// SPDX-License-Identifier: Apache-2.0
// Conditionals as multilinear terms: log p(x | parents) written out once per kind, every constant included.
#include "kernels/math/special.hpp"
#include "src/concentration.hpp"
#include "src/linear_algebra.hpp"
#include "src/model_impl.hpp"
#include "src/observed.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

namespace cavi {

namespace {

using kernels::math::lgamma;
const double kLog2Pi = std::log(2 * std::numbers::pi);

using Labels = std::vector<Label>;

bool has(const Labels& labels, const Label& l) {
  return std::any_of(labels.begin(), labels.end(),
                     [&](const Label& o) { return o.plate == l.plate && o.copy == l.copy; });
}

void drop_last_two(Labels& labels) { labels.erase(labels.end() - 2, labels.end()); }

/// Collects the terms of one conditional; every term runs over the child's labels.
struct Expansion {
  Model::Impl& model;
  const Reference& child;
  Labels over;
  Labels scope;  ///< labels that are not summed inside a mean: the child's and the selector's
  std::vector<Term> terms;

  void add(double coefficient, std::vector<Reference> product, const Labels& labels) {
    if (coefficient != 0) terms.push_back({coefficient, std::move(product), labels, -1});
  }
  void add(double coefficient, std::vector<Reference> product) { add(coefficient, std::move(product), over); }

  const std::string& child_name() const { return model.name_of(child); }
  [[noreturn]] void fail(const std::string& why) const { throw NotConjugate("'" + child_name() + "': " + why); }

  bool is_variable(const Reference& r) const { return r.kind == Reference::Kind::variable; }
  Domain domain(const Reference& r) const { return model.variables[r.id].domain; }

  Reference statistic(Reference r, int index) const {
    r.statistic = index;
    return r;
  }

  /// A data array computed from another one, element by element.
  template <class F>
  Reference derived(const Reference& r, const std::string& what, F function) {
    DataInfo d;
    const DataInfo& from = model.data[r.id];
    d.name = what + " of " + from.name;
    d.plates = from.plates;
    d.per_problem = from.per_problem;
    d.values = numbers(from);
    for (double& v : d.values) v = function(v);
    Reference out = r;
    out.id = model.add_data(std::move(d));
    return out;
  }
  std::vector<double> numbers(const DataInfo& d) const {
    if (!d.values.empty() || d.matrix.rows() == 0) return d.values;
    std::vector<double> v = d.matrix.to_vector();
    const std::size_t cols = std::size_t(d.matrix.cols());
    if (!d.origin.empty() && d.origin.size() != cols)
      throw ShapeError("'" + d.name + "': only the shared origin is supported here");
    for (std::size_t i = 0; i < v.size() && !d.origin.empty(); ++i) v[i] -= d.origin[i % cols];
    return v;
  }

  /// ln x of data or of a positive variable.
  Reference log(const Reference& r) {
    if (is_variable(r)) {
      if (domain(r) != Domain::positive) fail("'" + model.name_of(r) + "' is no positive variable");
      return statistic(r, 1);
    }
    return derived(r, "ln", [&](double v) {
      if (!(v > 0)) throw ShapeError("'" + model.data[r.id].name + "' must be positive here");
      return std::log(v);
    });
  }

  void normal(const Conditional& c);
  void gamma(double shape, const Parameter& rate);
  void beta(double a, double b);
  void wishart(const Conditional& c);
  void dirichlet(double concentration);
  void stick_breaking(const Parameter& concentration, double discount);
  void categorical(const Reference& weights);
};

double positive(double value, const std::string& child, const char* what) {
  if (!(value > 0) || std::isinf(value))
    throw ShapeError("'" + child + "': " + what + " must be positive, not " + std::to_string(value));
  return value;
}

/// The labels of a product that its left-hand side does not have, renamed so that two factors of a square run apart.
Product with_fresh_inner_labels(Product p, const Labels& outer) {
  std::map<int, int> highest;
  for (const Label& l : outer) highest[l.plate] = std::max(highest[l.plate], l.copy);
  for (const Reference& r : p.factors)
    for (const Label& l : r.labels) highest[l.plate] = std::max(highest[l.plate], l.copy);
  for (Reference& r : p.factors)
    for (Label& l : r.labels)
      if (!has(outer, l)) l.copy += highest[l.plate] + 1;
  return p;
}

Product relabelled(Product p, const Label& from, const Label& to) {
  for (Reference& r : p.factors)
    for (Label& l : r.labels)
      if (l.plate == from.plate && l.copy == from.copy) l.copy = to.copy;
  return p;
}

std::vector<Reference> joined(std::vector<Reference> a, const std::vector<Reference>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void Expansion::normal(const Conditional& c) {
  if (is_variable(child) && domain(child) != Domain::real) fail("a normal needs a real variable");
  Linear mean = c.mean;
  std::erase_if(mean.products, [](const Product& p) { return p.coefficient == 0; });
  for (Product& p : mean.products)
    for (Reference& r : p.factors) {
      r = model.complete(std::move(r));
      if (is_variable(r) && (domain(r) != Domain::real || r.statistic != 0))
        fail("'" + model.name_of(r) + "' in a mean must be a real variable");
    }

  const Parameter& tau = c.parameters[0];
  const double scale = positive(tau.scale, child_name(), "the precision");
  std::optional<Reference> precision;
  if (tau.of) precision = model.complete(*tau.of);

  // With a precision matrix the quadratic form runs over the event and its prime, else over each number alone.
  Label e(-1, 0, -1), f(-1, 0, -1);
  bool matrix = precision && is_variable(*precision) && domain(*precision) == Domain::precision;
  if (precision && !is_variable(*precision) && !child.labels.empty()) {
    const Label last = child.labels.back();
    matrix = std::count_if(precision->labels.begin(), precision->labels.end(),
                           [&](const Label& l) { return l.plate == last.plate; }) == 2;
  }
  if (matrix) {
    if (child.labels.empty()) fail("a precision matrix needs a vector");
    e = precision->labels[precision->labels.size() - 2];
    f = precision->labels.back();
    if (child.labels.back().plate != e.plate || child.labels.back().copy != e.copy)
      fail("the last label of '" + child_name() + "' must be the first event label of '" + model.name_of(*precision) +
           "'");
    over.pop_back();
  }

  const auto quadratic = precision ? std::vector<Reference>{*precision} : std::vector<Reference>{};
  const double per_element = matrix ? double(model.plates[e.plate].size) : 1.0;
  if (precision && matrix && !is_variable(*precision)) {
    DataInfo logdet;
    const DataInfo& from = model.data[precision->id];
    logdet.name = "ln det of " + from.name;
    logdet.plates.assign(from.plates.begin(), from.plates.end() - 2);
    logdet.per_problem = from.per_problem;
    const int d = int(model.plates[e.plate].size);
    const std::vector<double> values = numbers(from);
    for (std::size_t i = 0; i < values.size(); i += std::size_t(d) * d)
      logdet.values.push_back(log_determinant({values.data() + i, std::size_t(d) * d}, d, from.name));
    Reference r = *precision;
    drop_last_two(r.labels);
    r.id = model.add_data(std::move(logdet));
    add(0.5, {r});
  } else if (precision && matrix) {
    Reference r = statistic(*precision, 1);
    drop_last_two(r.labels);
    add(0.5, {r});
  } else if (precision) {
    add(0.5, {log(*precision)});
  }
  add(0.5 * per_element * (std::log(scale) - kLog2Pi), {});

  // Second factor of a square: at the primed event.
  auto primed_child = [&](const Reference& r) {
    Reference out = r;
    if (matrix) out.labels.back() = f;
    return out;
  };
  if (is_variable(child)) {
    Reference square = statistic(child, 1);
    square.labels = child.labels;
    if (!model.variables[child.id].event.empty()) square.labels.push_back(matrix ? f : child.labels.back());
    add(-0.5 * scale, joined(quadratic, {square}));
  } else {
    add(-0.5 * scale, joined(quadratic, {child, primed_child(child)}));
  }
  for (const Product& p : mean.products) {
    const Product q = matrix ? relabelled(p, e, f) : p;
    add(scale * p.coefficient, joined(joined(quadratic, {child}), q.factors));
  }
  for (const Product& p : mean.products)
    for (const Product& other : mean.products) {
      Product q = with_fresh_inner_labels(other, scope);
      if (matrix) q = relabelled(std::move(q), e, f);
      add(-0.5 * scale * p.coefficient * q.coefficient, joined(joined(quadratic, p.factors), q.factors));
    }
}

void Expansion::gamma(double shape, const Parameter& rate) {
  const double a = positive(shape, child_name(), "the shape"), scale = positive(rate.scale, child_name(), "the rate");
  const Reference ln = log(child);
  add(a - 1, {ln});
  if (rate.of) {
    const Reference b = model.complete(*rate.of);
    add(-scale, {b, child});
    add(a, {log(b)});
  } else {
    add(-scale, {child});
  }
  add(a * std::log(scale) - lgamma(a), {});
}

void Expansion::beta(double a, double b) {
  positive(a, child_name(), "the first parameter");
  positive(b, child_name(), "the second parameter");
  add(a - 1, {statistic(child, 0)});
  add(b - 1, {statistic(child, 1)});
  add(lgamma(a + b) - lgamma(a) - lgamma(b), {});
}

void Expansion::wishart(const Conditional& c) {
  const Label e = child.labels[child.labels.size() - 2], f = child.labels.back();
  const int d = int(model.plates[e.plate].size);
  const double nu = c.parameters[0].scale;
  if (!(nu > d - 1) || std::isinf(nu))
    throw ShapeError("'" + child_name() + "': degrees of freedom must exceed D - 1 = " + std::to_string(d - 1) +
                     ", not " + std::to_string(nu));
  drop_last_two(over);

  Reference inverse_scale;
  if (c.parameters[1].of) {
    inverse_scale = model.complete(*c.parameters[1].of);
    if (is_variable(inverse_scale)) fail("the inverse scale of a Wishart must be known");
  } else {
    DataInfo w;
    w.name = "inverse scale of " + child_name();
    w.plates = {e.plate, e.plate};
    w.values = c.matrix;
    if (w.values.empty()) {
      w.values.assign(std::size_t(d) * d, 0);
      for (int i = 0; i < d; ++i) w.values[std::size_t(i) * d + i] = c.parameters[1].scale;
    }
    if (w.values.size() != std::size_t(d) * d)
      throw ShapeError("'" + child_name() + "': the inverse scale must have " + std::to_string(d) + " x " +
                       std::to_string(d) + " numbers");
    inverse_scale = {Reference::Kind::data, model.add_data(std::move(w)), 0, {e, f}};
  }

  DataInfo logdet;
  const DataInfo& from = model.data[inverse_scale.id];
  logdet.name = "ln det of " + from.name;
  logdet.plates.assign(from.plates.begin(), from.plates.end() - 2);
  logdet.per_problem = from.per_problem;
  const std::vector<double> values = numbers(from);
  for (std::size_t i = 0; i < values.size(); i += std::size_t(d) * d)
    logdet.values.push_back(log_determinant({values.data() + i, std::size_t(d) * d}, d, from.name));
  Reference ln_det = inverse_scale;
  drop_last_two(ln_det.labels);
  ln_det.id = model.add_data(std::move(logdet));

  Reference ln = statistic(child, 1);
  drop_last_two(ln.labels);
  add(0.5 * (nu - d - 1), {ln});
  add(-0.5, {inverse_scale, child});
  add(0.5 * nu, {ln_det});
  add(-0.5 * nu * d * std::numbers::ln2 - kernels::math::multivariate_lgamma(nu / 2, d), {});
}

void Expansion::dirichlet(double concentration) {
  positive(concentration, child_name(), "the concentration");
  require_digits(concentration, "'" + child_name() + "': the concentration");
  const double k = double(model.plates[child.labels.back().plate].size);
  add(concentration - 1, {child});
  over.pop_back();
  add(lgamma(k * concentration) - k * lgamma(concentration), {});
}

void Expansion::stick_breaking(const Parameter& concentration, double discount) {
  const Label k = child.labels.back();
  if (!(discount >= 0 && discount < 1)) throw ShapeError("'" + child_name() + "': the discount must be in [0, 1)");
  if (concentration.of) {
    if (discount != 0) fail("a latent concentration is conjugate only without a discount");
    const Reference alpha = model.complete(*concentration.of);
    const double scale = positive(concentration.scale, child_name(), "the concentration");
    add(scale, {alpha, statistic(child, 1)});
    add(-1, {statistic(child, 1)});
    add(1, {log(alpha)});
    add(std::log(scale), {});
    return;
  }
  const double alpha = concentration.scale;
  if (!(alpha > -discount) || std::isinf(alpha))
    throw ShapeError("'" + child_name() + "': the concentration must exceed minus the discount, not be " +
                     std::to_string(alpha));
  require_digits(alpha + discount, "'" + child_name() + "': the concentration plus the discount");
  DataInfo b, normaliser;
  b.name = "second stick parameter of " + child_name();
  normaliser.name = "stick normaliser of " + child_name();
  b.plates = normaliser.plates = {k.plate};
  const double a = 1 - discount;
  for (std::int64_t i = 1; i <= model.plates[k.plate].size; ++i) {
    const double bi = alpha + double(i) * discount;
    b.values.push_back(bi - 1);
    normaliser.values.push_back(lgamma(a + bi) - lgamma(a) - lgamma(bi));
  }
  add(a - 1, {statistic(child, 0)});
  add(1, {Reference{Reference::Kind::data, model.add_data(std::move(b)), 0, {k}}, statistic(child, 1)});
  add(1, {Reference{Reference::Kind::data, model.add_data(std::move(normaliser)), 0, {k}}});
}

void Expansion::categorical(const Reference& weights) {
  Reference ln = model.complete(weights);
  if (is_variable(ln)) {
    if (domain(ln) == Domain::sticks)
      ln = statistic(ln, 2);
    else if (domain(ln) != Domain::simplex)
      fail("'" + model.name_of(ln) + "' is no simplex");
  } else {
    ln = log(ln);
  }
  add(1, {child, ln});
}

}  // namespace

Term with_second_moments(const Model::Impl& m, Term t) {
  for (std::size_t i = 0; i < t.product.size(); ++i)
    for (std::size_t j = i + 1; j < t.product.size(); ++j) {
      Reference &a = t.product[i], &b = t.product[j];
      if (a.kind != Reference::Kind::variable || b.kind != a.kind || a.id != b.id || a.statistic != 0 ||
          b.statistic != 0)
        continue;
      const VariableInfo& v = m.variables[a.id];
      if (v.domain != Domain::real ||
          !std::equal(a.labels.begin(), a.labels.begin() + std::int64_t(v.plates.size()), b.labels.begin()))
        continue;
      a.statistic = 1;
      a.labels.insert(a.labels.end(), b.labels.begin() + std::int64_t(v.plates.size()), b.labels.end());
      t.product.erase(t.product.begin() + std::int64_t(j));
      break;
    }
  return t;
}

std::vector<Term> Model::Impl::expand(const Reference& child, const Conditional& c) {
  std::optional<Reference> selector;
  Expansion e{*this, child, child.labels, child.labels, {}};
  if (c.selector) {
    selector = complete(*c.selector);
    if (selector->kind != Reference::Kind::variable || variables[selector->id].domain != Domain::category)
      throw NotConjugate("'" + name_of(*selector) + "' selects a component, but is no categorical variable");
    e.scope.insert(e.scope.end(), selector->labels.begin(), selector->labels.end());
  }
  using Kind = Conditional::Kind;
  switch (c.kind) {
    case Kind::normal: e.normal(c); break;
    case Kind::gamma: e.gamma(c.parameters[0].scale, c.parameters[1]); break;
    case Kind::beta: e.beta(c.parameters[0].scale, c.parameters[1].scale); break;
    case Kind::wishart: e.wishart(c); break;
    case Kind::dirichlet: e.dirichlet(c.parameters[0].scale); break;
    case Kind::stick_breaking: e.stick_breaking(c.parameters[0], c.parameters[1].scale); break;
    case Kind::categorical: e.categorical(*c.parameters[0].of); break;
    case Kind::family: e.terms = observed_terms(*this, child, c); break;
  }
  if (selector) {
    // What holds no variable is the same for every component, and the selector sums to one.
    for (Term& t : e.terms)
      if (std::any_of(t.product.begin(), t.product.end(),
                      [](const Reference& r) { return r.kind == Reference::Kind::variable; }))
        t.product.insert(t.product.begin(), *selector);
  }
  for (Term& t : e.terms) t = with_second_moments(*this, std::move(t));
  return std::move(e.terms);
}

}  // namespace cavi
