// SPDX-License-Identifier: Apache-2.0
#include "src/model_impl.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cavi {

namespace {

Conditional make(Conditional::Kind kind, std::vector<Parameter> parameters) {
  Conditional c;
  c.kind = kind;
  c.parameters = std::move(parameters);
  return c;
}

Domain domain_of(Conditional::Kind kind, const std::string& name) {
  using Kind = Conditional::Kind;
  switch (kind) {
    case Kind::normal: return Domain::real;
    case Kind::gamma: return Domain::positive;
    case Kind::beta: return Domain::unit;
    case Kind::wishart: return Domain::precision;
    case Kind::dirichlet: return Domain::simplex;
    case Kind::stick_breaking: return Domain::sticks;
    case Kind::categorical: return Domain::category;
    case Kind::family: break;
  }
  throw NotConjugate("variable '" + name +
                     "': only normal, gamma, beta, wishart, dirichlet, stick_breaking and categorical can be latent");
}

std::int64_t product_of_sizes(const Model::Impl& m, const std::vector<int>& plates) {
  return std::accumulate(plates.begin(), plates.end(), std::int64_t{1},
                         [&](std::int64_t n, int p) { return n * m.plates[p].size; });
}

void require_plates(const Model::Impl& m, const std::string& name, const std::vector<int>& plates) {
  for (std::size_t i = 0; i < plates.size(); ++i) {
    if (plates[i] < 0 || plates[i] >= int(m.plates.size()))
      throw ShapeError("'" + name + "': a plate of another model");
    if (i > 0 && m.plates[plates[i]].ragged())
      throw ShapeError("'" + name + "': plate '" + m.plates[plates[i]].name +
                       "' differs from problem to problem; put it first");
  }
}

std::vector<int> ids(const std::vector<Plate>& plates) {
  std::vector<int> out;
  for (const Plate& p : plates) out.push_back(p.id);
  return out;
}

}  // namespace

Linear dot(Reference a, Reference b) { return Linear(std::vector<Product>{{1, {std::move(a), std::move(b)}}}); }

Linear operator+(Linear a, Linear b) {
  a.products.insert(a.products.end(), b.products.begin(), b.products.end());
  return a;
}

Linear operator*(double c, Linear a) {
  for (Product& p : a.products) p.coefficient *= c;
  return a;
}

Conditional normal(Linear mean, Parameter precision) {
  Conditional c = make(Conditional::Kind::normal, {std::move(precision)});
  c.mean = std::move(mean);
  return c;
}
Conditional gamma(double shape, Parameter rate) { return make(Conditional::Kind::gamma, {shape, std::move(rate)}); }
Conditional beta(double a, double b) { return make(Conditional::Kind::beta, {a, b}); }
Conditional wishart(double dof, double inverse_scale) { return make(Conditional::Kind::wishart, {dof, inverse_scale}); }
Conditional wishart(double dof, Reference inverse_scale) {
  return make(Conditional::Kind::wishart, {dof, std::move(inverse_scale)});
}
Conditional wishart(double dof, std::vector<double> inverse_scale) {
  Conditional c = make(Conditional::Kind::wishart, {dof, 1.0});
  c.matrix = std::move(inverse_scale);
  return c;
}
Conditional dirichlet(double concentration) { return make(Conditional::Kind::dirichlet, {concentration}); }
Conditional stick_breaking(Parameter concentration, double discount) {
  return make(Conditional::Kind::stick_breaking, {std::move(concentration), discount});
}
Conditional categorical(Reference weights) { return make(Conditional::Kind::categorical, {std::move(weights)}); }
Conditional of_family(ComponentFamily family, Reference parameter) {
  if (family == ComponentFamily::gaussian) throw NotConjugate("a Gaussian has more than one parameter: use normal()");
  Conditional c = make(Conditional::Kind::family, {std::move(parameter)});
  c.family = family;
  return c;
}
Conditional bernoulli(Reference p) { return of_family(ComponentFamily::bernoulli, std::move(p)); }
Conditional poisson(Reference rate) { return of_family(ComponentFamily::poisson, std::move(rate)); }
Conditional exponential(Reference rate) { return of_family(ComponentFamily::exponential, std::move(rate)); }
Conditional mixture(Reference selector, Conditional component) {
  if (component.selector) throw ShapeError("a mixture of mixtures: give the component itself");
  component.selector = std::move(selector);
  return component;
}

// ---- labels ---------------------------------------------------------------------------------------------------------

std::vector<Label> Model::Impl::labels_of(const VariableInfo& v, int statistic) const {
  std::vector<Label> labels;
  for (int p : v.plates) labels.push_back(Label(p, 0, -1));
  switch (v.domain) {
    case Domain::real:
      for (int p : v.event) labels.push_back(Label(p, 0, -1));
      if (statistic == 1)
        for (int p : v.event) labels.push_back(Label(p, 1, -1));
      break;
    case Domain::precision:
      if (statistic == 0) labels.insert(labels.end(), {Label(v.event[0], 0, -1), Label(v.event[0], 1, -1)});
      break;
    default:
      for (int p : v.event) labels.push_back(Label(p, 0, -1));
  }
  return labels;
}

int Model::Impl::statistics_of(Domain d) const {
  switch (d) {
    case Domain::simplex:
    case Domain::category: return 1;
    case Domain::sticks: return 3;
    default: return 2;
  }
}

const std::string& Model::Impl::name_of(const Reference& r) const {
  return r.kind == Reference::Kind::variable ? variables[r.id].name : data[r.id].name;
}

std::string describe(const Model::Impl& m, const Reference& r) {
  static const char* const kStatistics[][3] = {{"", "^2", ""},      {"", "ln ", ""}, {"ln ", "ln 1-", ""},
                                               {"", "ln det ", ""}, {"ln ", "", ""}, {"ln ", "ln 1-", "ln pi of "},
                                               {"", "", ""}};
  std::string out;
  const bool variable = r.kind == Reference::Kind::variable;
  const std::string mark = variable ? kStatistics[int(m.variables[r.id].domain)][r.statistic] : "";
  out = mark == "^2" ? m.name_of(r) + mark : mark + m.name_of(r);
  if (r.labels.empty()) return out;
  out += "(";
  for (std::size_t i = 0; i < r.labels.size(); ++i) {
    const Label& l = r.labels[i];
    if (i) out += ", ";
    out += l.index >= 0 ? m.indexes[l.index].name : l.plate >= 0 ? m.plates[l.plate].name : "?";
    out += std::string(std::size_t(l.copy), '\'');
  }
  return out + ")";
}

std::string Model::Impl::describe(const Term& t) const {
  std::string out;
  for (const Reference& r : t.product) out += (out.empty() ? "" : " * ") + cavi::describe(*this, r);
  return out.empty() ? "1" : out;
}

Reference Model::Impl::complete(Reference r) const {
  const bool variable = r.kind == Reference::Kind::variable;
  if (r.id < 0 || r.id >= int(variable ? variables.size() : data.size()))
    throw ShapeError("a reference to another model");
  if (variable && (r.statistic < 0 || r.statistic >= statistics_of(variables[r.id].domain)))
    throw ShapeError("'" + name_of(r) + "' has no sufficient statistic number " + std::to_string(r.statistic));

  std::vector<Label> own;
  if (variable) {
    own = labels_of(variables[r.id], r.statistic);
  } else {
    for (int p : data[r.id].plates) {
      const int copies = int(std::count_if(own.begin(), own.end(), [&](const Label& l) { return l.plate == p; }));
      own.push_back(Label(p, copies, -1));
    }
  }
  if (r.labels.size() > own.size())
    throw ShapeError("'" + name_of(r) + "' takes " + std::to_string(own.size()) + " labels, not " +
                     std::to_string(r.labels.size()));
  for (std::size_t i = 0; i < r.labels.size(); ++i) {
    Label& l = r.labels[i];
    if (l.index >= 0) {
      if (l.index >= int(indexes.size())) throw ShapeError("'" + name_of(r) + "': an index map of another model");
      l.plate = indexes[l.index].from;
    }
    const int reached = l.index >= 0 ? indexes[l.index].to : l.plate;
    if (reached != own[i].plate)
      throw ShapeError("'" + name_of(r) + "': label " + std::to_string(i + 1) + " must run over plate '" +
                       plates[own[i].plate].name + "'");
  }
  // A precision matrix written with one event label gets that label's prime as its second.
  for (std::size_t i = r.labels.size(); i < own.size(); ++i) {
    Label l = own[i];
    while (std::find(r.labels.begin(), r.labels.end(), l) != r.labels.end()) l = primed(l);
    r.labels.push_back(l);
  }
  return r;
}

int Model::Impl::add_data(DataInfo d) {
  data.push_back(std::move(d));
  return int(data.size()) - 1;
}

// ---- the public builder ---------------------------------------------------------------------------------------------

Model::Model() : impl_(std::make_unique<Impl>()) {}
Model::~Model() = default;
Model::Model(const Model& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model other) {
  impl_.swap(other.impl_);
  return *this;
}

void Model::batch(std::int64_t n_problems) {
  if (n_problems < 0) throw ShapeError("a batch of " + std::to_string(n_problems) + " problems");
  if (!impl_->plates.empty()) throw ShapeError("batch() comes first: the model has plates already");
  impl_->problems = n_problems;
  impl_->batched = true;
}

void Model::refuse(std::int64_t problem, std::string why) {
  if (!impl_->batched || problem < 0 || problem >= impl_->problems)
    throw ShapeError("refuse: problem " + std::to_string(problem) + " of a batch of " +
                     std::to_string(impl_->batched ? impl_->problems : 0));
  impl_->refuse(problem, std::move(why));
}

void Model::Impl::refuse(std::int64_t problem, std::string why) {
  complaints.resize(std::size_t(problems));
  std::string& complaint = complaints[std::size_t(problem)];
  if (complaint.empty()) complaint = std::move(why);
}

Plate Model::plate(std::string name, std::int64_t size) {
  if (size < 0) throw ShapeError("plate '" + name + "': size " + std::to_string(size) + " is negative");
  impl_->plates.push_back({std::move(name), size, {}, -1});
  return {int(impl_->plates.size()) - 1};
}

Plate Model::plate(std::string name, std::vector<std::int64_t> offsets) {
  if (std::int64_t(offsets.size()) != impl_->problems + 1)
    throw ShapeError("plate '" + name + "': " + std::to_string(impl_->problems) + " problems need " +
                     std::to_string(impl_->problems + 1) + " offsets, not " + std::to_string(offsets.size()));
  if (offsets.front() != 0 || !std::is_sorted(offsets.begin(), offsets.end()))
    throw ShapeError("plate '" + name + "': offsets must ascend from 0");
  const std::int64_t total = offsets.back();
  impl_->plates.push_back({std::move(name), total, std::move(offsets), -1});
  return {int(impl_->plates.size()) - 1};
}

void Model::weights(Plate plate, std::vector<double> weights) {
  require_plates(*impl_, "weights", {plate.id});
  PlateInfo& info = impl_->plates[plate.id];
  if (std::int64_t(weights.size()) != info.size)
    throw ShapeError("weights of plate '" + info.name + "': " + std::to_string(info.size) + " elements, " +
                     std::to_string(weights.size()) + " weights");
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (!(weights[i] >= 0) || std::isinf(weights[i]))
      throw NumericalError("weights of plate '" + info.name + "': element " + std::to_string(i) + " is " +
                           std::to_string(weights[i]) + ", not a number that is zero or more");
  for (const DataInfo& sums : impl_->data)
    if (std::find(sums.summed.begin(), sums.summed.end(), plate.id) != sums.summed.end())
      throw ShapeError("weights of plate '" + info.name + "' must come before the counts on it are observed");
  DataInfo d;
  d.name = "weights of " + info.name;
  d.plates = {plate.id};
  d.values = std::move(weights);
  d.per_problem = info.ragged();
  info.weights = impl_->add_data(std::move(d));
}

Data Model::data(std::string name, const Matrix& values, std::vector<Plate> plates, std::vector<double> origin) {
  DataInfo d;
  d.plates = ids(plates);
  require_plates(*impl_, name, d.plates);
  if (plates.empty() || plates.size() > 2) throw ShapeError("'" + name + "': a matrix has one or two plates");
  const std::int64_t rows = impl_->plates[d.plates[0]].size,
                     cols = plates.size() == 2 ? impl_->plates[d.plates[1]].size : 1;
  if (values.rows() != rows || values.cols() != cols)
    throw ShapeError("'" + name + "': the plates are " + std::to_string(rows) + " x " + std::to_string(cols) +
                     ", the matrix " + std::to_string(values.rows()) + " x " + std::to_string(values.cols()));
  if (!origin.empty() && std::int64_t(origin.size()) != cols && std::int64_t(origin.size()) != cols * impl_->problems)
    throw ShapeError("'" + name + "': " + std::to_string(cols) + " columns, " + std::to_string(origin.size()) +
                     " numbers in the origin");
  d.name = std::move(name);
  d.matrix = values;
  d.origin = std::move(origin);
  d.per_problem = impl_->plates[d.plates[0]].ragged();
  return {impl_->add_data(std::move(d))};
}

Data Model::data(std::string name, std::vector<double> values, std::vector<Plate> plates) {
  DataInfo d;
  d.plates = ids(plates);
  require_plates(*impl_, name, d.plates);
  const std::int64_t size = product_of_sizes(*impl_, d.plates);
  if (std::int64_t(values.size()) != size)
    throw ShapeError("'" + name + "': the plates hold " + std::to_string(size) + " numbers, not " +
                     std::to_string(values.size()));
  d.name = std::move(name);
  d.values = std::move(values);
  d.per_problem = !d.plates.empty() && impl_->plates[d.plates[0]].ragged();
  return {impl_->add_data(std::move(d))};
}

Data Model::batched_data(std::string name, std::vector<double> values, std::vector<Plate> plates) {
  DataInfo d;
  d.plates = ids(plates);
  require_plates(*impl_, name, d.plates);
  if (!d.plates.empty() && impl_->plates[d.plates[0]].ragged())
    return data(std::move(name), std::move(values), std::move(plates));
  const std::int64_t size = product_of_sizes(*impl_, d.plates) * impl_->problems;
  if (std::int64_t(values.size()) != size)
    throw ShapeError("'" + name + "': " + std::to_string(impl_->problems) + " problems hold " + std::to_string(size) +
                     " numbers, not " + std::to_string(values.size()));
  d.name = std::move(name);
  d.values = std::move(values);
  d.per_problem = true;
  return {impl_->add_data(std::move(d))};
}

Index Model::index(std::string name, Plate from, Plate to, std::vector<std::int32_t> group_of) {
  require_plates(*impl_, name, {from.id});
  require_plates(*impl_, name, {to.id});
  if (impl_->plates[from.id].ragged() || impl_->plates[to.id].ragged())
    throw ShapeError("index '" + name + "': index maps need plates of one size for all problems");
  if (std::int64_t(group_of.size()) != impl_->plates[from.id].size)
    throw ShapeError("index '" + name + "': " + std::to_string(impl_->plates[from.id].size) + " elements, " +
                     std::to_string(group_of.size()) + " entries");
  for (std::size_t i = 0; i < group_of.size(); ++i)
    if (group_of[i] < 0 || group_of[i] >= impl_->plates[to.id].size)
      throw ShapeError("index '" + name + "': entry " + std::to_string(i) + " is " + std::to_string(group_of[i]) +
                       ", outside plate '" + impl_->plates[to.id].name + "'");
  impl_->indexes.push_back({std::move(name), from.id, to.id, std::move(group_of)});
  return {int(impl_->indexes.size()) - 1};
}

Variable Model::latent(std::string name, std::vector<Plate> plates, Conditional prior, std::vector<Plate> event) {
  VariableInfo v;
  v.name = std::move(name);
  v.plates = ids(plates);
  v.event = ids(event);
  v.domain = domain_of(prior.kind, v.name);
  require_plates(*impl_, v.name, v.plates);
  require_plates(*impl_, v.name, v.event);
  for (int p : v.event)
    if (impl_->plates[p].ragged()) throw ShapeError("'" + v.name + "': an event needs one size for all problems");
  const bool scalar = v.domain == Domain::positive || v.domain == Domain::unit;
  const bool vector = v.domain != Domain::real && !scalar;
  if (scalar && !v.event.empty())
    throw ShapeError("'" + v.name + "' is a number per plate element: make its event a plate");
  if (vector && v.event.size() != 1) throw ShapeError("'" + v.name + "' needs one plate as its event");
  if (v.event.size() > 1) throw ShapeError("'" + v.name + "': an event has one dimension");

  impl_->variables.push_back(std::move(v));
  const Variable handle{int(impl_->variables.size()) - 1};
  try {
    for (Term& t : impl_->expand(impl_->complete(handle()), prior)) {
      t.prior_of = handle.id;
      impl_->terms.push_back(std::move(t));
    }
  } catch (...) {
    impl_->variables.pop_back();
    throw;
  }
  return handle;
}

void Model::observe(Reference x, Conditional conditional) {
  if (x.kind != Reference::Kind::data)
    throw ShapeError("observe() takes data; give a latent variable its prior in latent()");
  x = impl_->complete(std::move(x));
  for (Term& t : impl_->expand(x, conditional)) impl_->terms.push_back(std::move(t));
  if (impl_->observed_plate < 0 && !x.labels.empty()) impl_->observed_plate = x.labels[0].plate;
}

void Model::term(double coefficient, std::vector<Reference> product) {
  if (!std::isfinite(coefficient)) throw NumericalError("term: the coefficient is not finite");
  Term t;
  t.coefficient = coefficient;
  for (Reference& r : product) t.product.push_back(impl_->complete(std::move(r)));
  impl_->terms.push_back(with_second_moments(*impl_, std::move(t)));
}

}  // namespace cavi
