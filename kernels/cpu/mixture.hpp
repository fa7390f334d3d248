// SPDX-License-Identifier: Apache-2.0
/// \file
/// The CPU twin of the mixture operations; formulas in ops.hpp.
#pragma once

#include "kernels/cpu/thread_pool.hpp"
#include "kernels/ops.hpp"

#include <cavi/mixture.hpp>

#include <cstdint>
#include <vector>

namespace cavi::kernels::cpu {

void mixture_sweep(const MixtureSweep& op, const Problem& problem, ThreadPool& pool);

void mixture_start(const MixtureStart& op, const Responsibilities& given, const Problem& problem, ThreadPool& pool);

/// r[n x K] = responsibilities of every row under the parameters of `op`, float64 whatever the precision of the sweep.
void mixture_responsibilities(const MixtureSweep& op, const Problem& problem, double* r, ThreadPool& pool);

/// A component per row by k-means, by the nearest of k-means++ seeds, or by the nearest of random rows (Init::random is
/// not for labels). Depends on (seed, rows, weights) only. `weight` is [N] or nullptr; rows of weight 0 are never
/// seeds. With fewer distinct rows than components some components stay empty.
std::vector<std::int32_t> start_labels(const Rows& rows, const double* weight, int components, Init init,
                                       std::uint64_t seed, Scalar precision, ThreadPool& pool);

/// Sums over the rows in float64, in fixed slabs: mean [D] (weighted) and, when asked for, the covariance [D x D]
/// (biased: divided by the sum of weights) about it. Throws ShapeError without rows or with weights that sum to zero.
struct RowMoments {
  std::vector<double> mean, covariance;
  double weight = 0;
};
RowMoments row_moments(const Rows& rows, const double* weight, bool with_covariance, ThreadPool& pool);

}  // namespace cavi::kernels::cpu
