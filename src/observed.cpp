// SPDX-License-Identifier: Apache-2.0
#include "src/observed.hpp"

#include "src/family.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>

namespace cavi {

namespace {

/// All problems' numbers as a matrix with a row per element of the first plate.
Matrix as_rows(const Model::Impl& m, const DataInfo& d) {
  if (d.matrix.rows() > 0) return d.matrix;
  const PlateInfo* first = d.plates.empty() ? nullptr : &m.plates[d.plates[0]];
  std::int64_t rows = first ? first->size : 1;
  if (d.per_problem && !(first && first->ragged())) rows *= m.problems;
  return rows > 0 ? Matrix::view(d.values.data(), rows, int(std::int64_t(d.values.size()) / rows)) : Matrix();
}

/// Which problem a row belongs to, for rows that ascend; 0 when all problems share them.
class ProblemOfRow {
 public:
  ProblemOfRow(const Model::Impl& m, const DataInfo& d, std::int64_t rows) {
    if (!d.per_problem) return;
    if (!d.plates.empty() && m.plates[d.plates[0]].ragged())
      offsets_ = &m.plates[d.plates[0]].offsets;
    else
      each_ = std::max<std::int64_t>(1, rows / std::max<std::int64_t>(1, m.problems));
  }
  std::int64_t operator()(std::int64_t row) {
    if (!offsets_) return problem_ = each_ > 0 ? row / each_ : 0;
    while ((*offsets_)[std::size_t(problem_) + 1] <= row) ++problem_;
    return problem_;
  }
  /// Of the problem that was asked for last.
  std::int64_t first_row() const { return offsets_ ? (*offsets_)[std::size_t(problem_)] : each_ * problem_; }

 private:
  const std::vector<std::int64_t>* offsets_ = nullptr;
  std::int64_t each_ = 0, problem_ = 0;
};

/// Checks the data of a child. Returns the number of the array of what no parameter meets, a sum per row, or -1.
int survey(Model::Impl& m, int child, const IndependentFamily& family) {
  const DataInfo& d = m.data[std::size_t(child)];
  if (!d.origin.empty()) throw ShapeError("'" + d.name + "': such data are taken as they are, without an origin");
  const Matrix x = as_rows(m, d);
  ProblemOfRow problem_of(m, d, x.rows());
  DataInfo base;
  base.values.assign(family.log_base ? std::size_t(x.rows()) : 0, 0.0);
  std::vector<double> largest(family.whole ? std::size_t(m.problems) : 0, 0.0);
  for_each_row(x, [&](std::int64_t row, const double* numbers) {
    const std::int64_t problem = problem_of(row);
    for (int c = 0; c < x.cols(); ++c) {
      if (!family.holds(numbers[c])) {
        const std::string why = wrong_value(row - problem_of.first_row(), c, numbers[c], family.values);
        if (!m.batched || !d.per_problem) throw NumericalError("'" + d.name + "': " + why);
        return m.refuse(problem, why);
      }
      if (family.log_base) base.values[std::size_t(row)] += family.log_base(numbers[c]);
      if (!family.whole) continue;
      double& most = largest[std::size_t(problem)];
      most = std::max(most, numbers[c]);
    }
  });
  m.data[std::size_t(child)].largest = std::move(largest);
  if (!family.log_base) return -1;
  base.name = "base measure of " + d.name;
  base.per_problem = d.per_problem;
  if (!d.plates.empty()) base.plates = {d.plates[0]};
  if (d.plates.size() > 1) base.summed.assign(d.plates.begin() + 1, d.plates.end());
  for (int p : base.summed)
    if (m.plates[std::size_t(p)].weights >= 0)
      throw ShapeError("'" + d.name + "': of the plates of counts only the first can have weights, not '" +
                       m.plates[std::size_t(p)].name + "'");
  return m.add_data(std::move(base));
}

}  // namespace

std::string too_large_for_float32(double count) {
  return fmt::format("a count of {:.0f} is more than float32 holds, {:.0f}; use precision float64", count,
                     kLargestFloat32Count);
}

std::string wrong_value(std::int64_t row, std::int64_t column, double value, const std::string& needed) {
  return fmt::format("row {}, column {} (from 0): {} is not {}", row, column, value, needed);
}

std::vector<Term> observed_terms(Model::Impl& model, const Reference& child, const Conditional& c) {
  const std::string name = model.name_of(child);
  const Reference parent = model.complete(*c.parameters[0].of);
  const IndependentFamily& family = family_of(c.family);
  const Domain needed = family.prior == kernels::components::Conjugate::beta ? Domain::unit : Domain::positive;
  if (parent.kind != Reference::Kind::variable || model.variables[std::size_t(parent.id)].domain != needed)
    throw NotConjugate("'" + name + "': the parameter must be a latent variable of its conjugate family");
  if (child.kind == Reference::Kind::variable)
    throw NotConjugate("'" + name + "': only data can follow this conditional");
  for (std::size_t i = 1; i < child.labels.size(); ++i)
    if (child.labels[i].index >= 0)
      throw ShapeError("'" + name + "': observe such data on their own plates, without an index map");
  std::vector<Term> terms;
  const int base = survey(model, child.id, family);
  for (const kernels::components::LogTerm& t : family.terms) {
    Reference statistic = parent;
    statistic.statistic = t.statistic;
    Term& term = terms.emplace_back(Term{t.coefficient, {statistic}, child.labels, -1});
    if (t.with_row) term.product.insert(term.product.begin(), child);
  }
  if (base >= 0) {
    const auto end = child.labels.begin() + std::ptrdiff_t(model.data[std::size_t(base)].plates.size());
    const std::vector<Label> rows(child.labels.begin(), end);
    terms.push_back({1, {{Reference::Kind::data, base, 0, rows}}, rows, -1});
  }
  return terms;
}

}  // namespace cavi
