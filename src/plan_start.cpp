// SPDX-License-Identifier: Apache-2.0
// Where factors begin: at given numbers, at random, or at their prior.
#include "src/planner.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <numeric>

namespace cavi {

using kernels::Buffer;
using kernels::Op;

void Planner::start(std::vector<Op>& ops) {
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

bool Planner::parents_started(int f) const {
  for (int t : terms_of_.contains(f) ? terms_of_.at(f) : std::vector<int>{}) {
    const PlanTerm& term = terms_[std::size_t(t)];
    if (term.term.prior_of < 0 || plan_.owner[std::size_t(term.term.prior_of)] != f) continue;
    for (int other : factors_in(term))
      if (other != f && !started_[std::size_t(other)]) return false;
  }
  return true;
}

void Planner::accumulate_prior(int f, std::vector<Op>& ops) {
  for (Buffer b : factor(f).eta) ops.push_back(kernels::Fill{b, 0});
  for (const auto& [message, out] : messages_to(f, true))
    contractions_.emit(ops, message.coefficient, message.pieces, message.over, out, true);
  finish_start(f, ops);
}

void Planner::finish_start(int f, std::vector<Op>& ops) {
  ops.push_back(moments(f));
  started_[std::size_t(f)] = true;
  changed(f);
}

void Planner::start_gaussian(const Factorisation::GaussianStart& s, std::vector<Op>& ops) {
  if (s.variable.id < 0 || s.variable.id >= int(m_.variables.size()))
    throw ShapeError("a start for a variable of another model");
  const int f = plan_.owner[std::size_t(s.variable.id)];
  Factor& x = factor(f);
  if (x.family != kernels::Family::gaussian || x.variables.size() != 1)
    throw ShapeError(x.name + ": only a Gaussian factor of one variable starts from a mean");
  const kernels::Extent elements = elements_of(m_, x);
  const std::int64_t d = x.dimension, size = d * (elements.plate < 0 ? elements.size : m_.plates[elements.plate].size);
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

void Planner::start_categorical(int f, std::vector<Op>& ops) {
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

}  // namespace cavi
