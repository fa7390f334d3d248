// SPDX-License-Identifier: Apache-2.0
#include "src/independent.hpp"

#include "src/mixture_scores.hpp"
#include "src/observed.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace cavi {

Conditional::Kind conditional_of(ComponentFamily family) {
  return family == ComponentFamily::bernoulli ? Conditional::Kind::bernoulli
         : family == ComponentFamily::poisson ? Conditional::Kind::poisson
                                              : Conditional::Kind::exponential;
}

ComponentFamily family_of(Conditional::Kind kind) {
  return kind == Conditional::Kind::bernoulli ? ComponentFamily::bernoulli
         : kind == Conditional::Kind::poisson ? ComponentFamily::poisson
                                              : ComponentFamily::exponential;
}

namespace {

template <class F>
double log_density(const MixturePosterior& p, const std::vector<double>& log_weight, const double* row,
                   double* scores) {
  const double* ab = p.component_parameters.data();
  double largest = -std::numeric_limits<double>::infinity();
  for (int k = 0; k < p.n_components; ++k) {
    scores[k] = log_weight[std::size_t(k)];
    for (int d = 0; d < p.n_features; ++d, ab += 2) scores[k] += F::log_predictive(ab[0], ab[1], row[d]);
    largest = std::max(largest, scores[k]);
  }
  double sum = 0;
  for (int k = 0; k < p.n_components; ++k) sum += std::exp(scores[k] - largest);
  return largest + std::log(sum);
}

}  // namespace

void independent_log_density(const MixturePosterior& p, const kernels::Rows& rows, double* density,
                             kernels::cpu::ThreadPool& pool) {
  constexpr std::int64_t kTask = 256;  // rows
  std::vector<double> log_weight = predictive_weights(p);
  for (double& w : log_weight) w = std::log(w);
  pool.run((rows.count + kTask - 1) / kTask, [&](std::int64_t task, int) {
    const std::int64_t first = task * kTask, count = std::min(kTask, rows.count - first);
    std::vector<double> scores(std::size_t(p.n_components));
    with_independent(p.family, [&]<class F>(F) {
      for_each_row(*rows.source, rows.first + first, count, [&](std::int64_t n, const double* row) {
        density[n - rows.first] = log_density<F>(p, log_weight, row, scores.data());
      });
    });
  });
}

}  // namespace cavi
