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

/// Of pairs of row and component those whose responsibility was negligible (see Tiles::accumulate()), of components
/// those near the origin (see Frame); NaN where there is nothing to count. As in Summary.
struct SweepShares {
  double negligible, near;
};
SweepShares mixture_sweep(const MixtureSweep& op, const Problem& problem, ThreadPool& pool);

void mixture_start(const MixtureStart& op, const Responsibilities& given, const Problem& problem, ThreadPool& pool);

/// r[n x K] = responsibilities of every row under the parameters of `op`, float64 whatever the precision of the sweep.
void mixture_responsibilities(const MixtureSweep& op, const Problem& problem, double* r, ThreadPool& pool);

/// Centres [K x D], relative to the rows' origin, by k-means, or the seeds of k-means++, or random rows (Init::random
/// has none). They depend on (seed, rows, weights) only. `weight` is [N] or nullptr; rows of weight 0 are never seeds.
/// With fewer distinct rows than components the last centres are infinite: no row is near them.
std::vector<double> start_centres(const Rows& rows, const double* weight, int components, Init init, std::uint64_t seed,
                                  Scalar precision, ThreadPool& pool);

/// Responsibilities as rows of a matrix that is never stored: one for the centre that a row is nearest to (the first of
/// several, and of none), zero for the others. Problem b has rows [offsets[b], offsets[b + 1]) of x, an origin [D] and
/// centres [K x D] relative to it; distances are taken in `precision`.
struct Centres {
  Matrix x;
  std::vector<std::int64_t> offsets;  ///< [B + 1]
  std::vector<double> origin;         ///< [B x D]
  std::vector<double> centres;        ///< [B x K x D]
  int components = 0;                 ///< K
  Scalar precision = Scalar::float64;
};
Matrix nearest_centres(Centres of);

/// Sums over the rows in float64, in fixed slabs and one pass: mean [D] (weighted) and, when asked for, the covariance
/// [D x D] (biased: divided by the sum of weights) about it. The mean of a column is NaN when it holds a number that is
/// not finite, whatever its weight. Throws ShapeError without rows or with weights that sum to zero.
struct RowMoments {
  std::vector<double> mean, covariance;
  double weight = 0;
};
RowMoments row_moments(const Rows& rows, const double* weight, bool with_covariance, ThreadPool& pool);

}  // namespace cavi::kernels::cpu
