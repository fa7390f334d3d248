// SPDX-License-Identifier: Apache-2.0
// What a Model holds: plates, variables, data, and the list of multilinear terms everything else is derived from.
#pragma once

#include <cavi/model.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace cavi {

/// What values a variable takes; decides its sufficient statistics.
enum class Domain { real, positive, unit, precision, simplex, sticks, category };

struct PlateInfo {
  std::string name;
  std::int64_t size = 0;              ///< of one problem; of all together when ragged
  std::vector<std::int64_t> offsets;  ///< [n_problems + 1] when ragged
  int weights = -1;                   ///< data with the weights
  bool ragged() const { return !offsets.empty(); }
};

struct VariableInfo {
  std::string name;
  std::vector<int> plates, event;
  Domain domain = Domain::real;
};

/// Rows of a matrix (`matrix`), or numbers (`values`), over plates. Divided among the problems when `per_problem`.
struct DataInfo {
  std::string name;
  std::vector<int> plates;
  Matrix matrix;
  std::vector<double> origin;
  std::vector<double> values;
  bool per_problem = false;
  std::vector<double> largest;  ///< of counts, by problem
  std::vector<int> summed;      ///< plates that the numbers are sums over
};

struct IndexInfo {
  std::string name;
  int from = -1, to = -1;
  std::vector<std::int32_t> group_of;
};

/// coefficient * product, summed over every label of the product and over `over`.
struct Term {
  double coefficient = 1;
  std::vector<Reference> product;
  std::vector<Label> over;
  int prior_of = -1;  ///< the variable whose prior it belongs to, or -1
};

struct Model::Impl {
  std::int64_t problems = 1;
  bool batched = false;
  std::vector<PlateInfo> plates;
  std::vector<VariableInfo> variables;
  std::vector<DataInfo> data;
  std::vector<IndexInfo> indexes;
  std::vector<Term> terms;
  std::vector<std::string> complaints;  ///< by problem: why it cannot be fitted; empty: all can
  int observed_plate = -1;  ///< first plate of the first observed array: its elements are the rows of tolerances

  /// Plates a statistic runs over: the variable's own, then its event.
  std::vector<Label> labels_of(const VariableInfo& v, int statistic) const;
  int statistics_of(Domain d) const;

  /// The reference with every label filled in and checked against the plates; throws ShapeError.
  Reference complete(Reference r) const;
  const std::string& name_of(const Reference& r) const;
  std::string describe(const Term& t) const;

  int add_data(DataInfo d);
  /// The problem gets a complaint unless it has one.
  void refuse(std::int64_t problem, std::string why);
  /// Terms of log p(child | parents); `child` is complete.
  std::vector<Term> expand(const Reference& child, const Conditional& c);
};

/// Two first statistics of one real variable at the same plate element are its second statistic.
Term with_second_moments(const Model::Impl& m, Term t);

/// "mu(k, d')" for messages.
std::string describe(const Model::Impl& m, const Reference& r);

}  // namespace cavi
