// SPDX-License-Identifier: Apache-2.0
/// \file
/// Models: plates, data, latent variables and conditionals. A model is the list of multilinear terms of its log joint,
///
///     log p(x, z) = sum_t c_t * prod (sufficient statistics of variables, data arrays), summed over index labels,
///
/// and everything the engine does follows from that list (Winn and Bishop, Variational Message Passing, JMLR 2005,
/// give the conjugate-exponential case as messages on a graph; here a message is a term with one factor left out).
#pragma once

#include <cavi/component_family.hpp>
#include <cavi/matrix.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cavi {

/// A repeated dimension: rows, components, features. Also the dimension of an event (a vector's coordinates).
struct Plate {
  int id = -1;
};

/// A map from the elements of one plate to those of another: row -> group.
struct Index {
  int id = -1;
};

/// A running index over a plate. Two labels of one plate (`d` and `primed(d)`) run independently of each other.
struct Label {
  int plate = -1;
  int copy = 0;
  int index = -1;                  ///< an Index through which the plate is reached, or -1
  Label(Plate p) : plate(p.id) {}  // NOLINT: a plate is its own first label
  Label(Index i) : index(i.id) {}  // NOLINT
  Label(int plate_id, int copy_number, int index_id) : plate(plate_id), copy(copy_number), index(index_id) {}
  friend bool operator==(const Label&, const Label&) = default;
  friend auto operator<=>(const Label&, const Label&) = default;
};
inline Label primed(Label l) { return {l.plate, l.copy + 1, l.index}; }

/// A variable or data array with its labels, as it stands in a term.
struct Reference {
  enum class Kind { variable, data };
  Kind kind = Kind::variable;
  int id = -1;
  int statistic = 0;  ///< of a variable: which sufficient statistic
  std::vector<Label> labels;
};

/// A latent variable. Labels run over its plates, then its event; labels that are left out at the end are the
/// variable's own (the second dimension of a precision matrix is the primed one).
struct Variable {
  int id = -1;
  template <class... L>
  Reference operator()(L... labels) const {
    return {Reference::Kind::variable, id, 0, {Label(labels)...}};
  }
  /// Sufficient statistic `index` for Model::term: 0 is x, 1 is x x' or ln x or ln |Lambda|; see Posterior.
  template <class... L>
  Reference statistic(int index, L... labels) const {
    return {Reference::Kind::variable, id, index, {Label(labels)...}};
  }
  friend bool operator==(Variable, Variable) = default;
};

/// Known numbers.
struct Data {
  int id = -1;
  template <class... L>
  Reference operator()(L... labels) const {
    return {Reference::Kind::data, id, 0, {Label(labels)...}};
  }
};

/// A coefficient times a product of references, summed over the labels that the left-hand side does not have.
struct Product {
  double coefficient = 1;
  std::vector<Reference> factors;
};

/// A sum of products: the mean of a normal. Converts from a number and from a reference.
struct Linear {
  std::vector<Product> products;
  Linear(double constant) : products{{constant, {}}} {}           // NOLINT: a number is a constant mean
  Linear(Reference r) : products{{1, {std::move(r)}}} {}          // NOLINT
  Linear(std::vector<Product> sum) : products(std::move(sum)) {}  // NOLINT
};
Linear dot(Reference a, Reference b);  ///< sum over the labels that do not survive
Linear operator+(Linear a, Linear b);
Linear operator*(double c, Linear a);

/// A positive parameter: a number, data, a latent variable, or a number times one of these.
struct Parameter {
  double scale = 1;
  std::optional<Reference> of;
  Parameter(double value) : scale(value) {}     // NOLINT
  Parameter(Reference r) : of(std::move(r)) {}  // NOLINT
  Parameter(double c, Reference r) : scale(c), of(std::move(r)) {}
};
inline Parameter operator*(double c, Reference r) { return {c, std::move(r)}; }

/// p(x | parents). Made by the functions below; Model turns it into terms.
struct Conditional {
  enum class Kind { normal, gamma, beta, wishart, dirichlet, stick_breaking, categorical, family };
  Kind kind = Kind::normal;
  ComponentFamily family = ComponentFamily::gaussian;  // family
  Linear mean = 0.0;                                   // normal
  std::vector<Parameter> parameters;                   // what the kind takes, in the order of its function
  std::vector<double> matrix;                          // wishart
  std::optional<Reference> selector;                   // mixture
};

/// N(x; mean, precision^-1). The precision is a positive number per element of x, or a Wishart variable (or a data
/// array with two labels of x's event) for the whole vector; `b * Lambda(k)` gives the scaled prior of a
/// Normal-Wishart.
Conditional normal(Linear mean, Parameter precision);
/// Gamma with shape a (a number) and rate b: b^a x^(a-1) exp(-b x) / Gamma(a). The rate may be latent.
Conditional gamma(double shape, Parameter rate);
/// Beta(a, b), numbers.
Conditional beta(double a, double b);
/// Wishart with nu degrees of freedom and inverse scale W^-1, a number times the identity, [D x D] row-major numbers,
/// or data with two labels of the event: |L|^((nu-D-1)/2) exp(-tr(W^-1 L) / 2) / Z. Throws ShapeError unless W^-1 is
/// positive definite and nu > D - 1.
Conditional wishart(double degrees_of_freedom, double inverse_scale);
Conditional wishart(double degrees_of_freedom, std::vector<double> inverse_scale);
Conditional wishart(double degrees_of_freedom, Reference inverse_scale);
/// Dirichlet with the same concentration, at least 1e-10 (OptionError), for every category.
Conditional dirichlet(double concentration);
/// Free sticks v_k ~ Beta(1 - d, alpha + k d), k = 1..K; alpha + d >= 1e-10, or a latent Gamma variable and d = 0.
Conditional stick_breaking(Parameter concentration, double discount = 0);
/// One-hot z with probabilities pi, a simplex variable or one of sticks.
Conditional categorical(Reference weights);
/// Data of a family of independent features, whose parameter is a latent variable with the family's prior. Throws
/// NotConjugate for the Gaussian, which is normal().
Conditional of_family(ComponentFamily family, Reference parameter);
/// x in {0, 1} with success probability p, a Beta variable.
Conditional bernoulli(Reference probability);
/// Counts with a latent rate.
Conditional poisson(Reference rate);
/// Durations with a latent rate.
Conditional exponential(Reference rate);
/// p(x | z) = prod_k component_k ^ z_k for a one-hot selector whose last label is the component.
Conditional mixture(Reference selector, Conditional component);

/// A model under construction. Arrays given by Matrix are borrowed as the matrix borrows; vectors are copied.
/// Every function throws ShapeError, naming the variable, when sizes or labels do not fit.
class Model {
 public:
  Model();
  ~Model();
  Model(const Model&);
  Model(Model&&) noexcept;
  Model& operator=(Model);

  /// Turns the model into n_problems independent copies with the same terms; call it first. Data then either belong to
  /// every problem alike or give one block per problem.
  void batch(std::int64_t n_problems);
  /// One problem of a batch shall not be fitted: its status is Termination::numerical_error, and this its message
  /// unless it had one before. observe() does so by itself for data that cannot be; without a batch it throws
  /// NumericalError.
  void refuse(std::int64_t problem, std::string why);

  Plate plate(std::string name, std::int64_t size);
  /// A plate whose size differs from problem to problem: problem b owns elements [offsets[b], offsets[b + 1]).
  /// A variable or data array on it must have it as the first plate.
  Plate plate(std::string name, std::vector<std::int64_t> offsets);
  /// Counts element i of the plate weights[i] times (any non-negative number): the plate's terms and entropies and the
  /// messages that leave it are weighted, messages to factors on it are not.
  void weights(Plate plate, std::vector<double> weights);

  /// Rows of a matrix: [plates[0] x plates[1]], or [plates[0]] for one column. `origin` (empty, or one number per
  /// column, or one row of them per problem) is subtracted on the way in.
  Data data(std::string name, const Matrix& values, std::vector<Plate> plates, std::vector<double> origin = {});
  /// Any array, row-major over the plates.
  Data data(std::string name, std::vector<double> values, std::vector<Plate> plates);
  /// The same with a block per problem: [n_problems x plates].
  Data batched_data(std::string name, std::vector<double> values, std::vector<Plate> plates);

  /// group_of[i] is the element of `to` that element i of `from` belongs to.
  Index index(std::string name, Plate from, Plate to, std::vector<std::int32_t> group_of);

  /// A latent variable on plates, with its prior and the plates of its event (a vector's coordinates, a simplex's
  /// categories, the one dimension of a precision matrix). Reads: `latent("mu", {k}, normal(0, L(k)), {d})`.
  Variable latent(std::string name, std::vector<Plate> plates, Conditional prior, std::vector<Plate> event = {});
  /// Known values with their conditional.
  void observe(Reference x, Conditional conditional);
  /// The escape hatch: any multilinear term of log p, summed over every label in it.
  void term(double coefficient, std::vector<Reference> product);

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace cavi
