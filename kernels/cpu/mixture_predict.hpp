// SPDX-License-Identifier: Apache-2.0
/// \file
/// The CPU twin of prediction; formulas in mixture_scores.hpp. What a row gets depends on that row alone: on no other
/// row, no thread and no block. All throw NumericalError for a row with a number that the family cannot have, IoError
/// when the source does.
#pragma once

#include "kernels/cpu/thread_pool.hpp"
#include "kernels/mixture_scores.hpp"

#include <cstdint>

namespace cavi::kernels::cpu {

/// r[n x K] = responsibilities; throws NumericalError for a row so far away that all q overflow.
void mixture_responsibilities(const MixtureScores& scores, const Rows& rows, double* r, ThreadPool& pool);

/// component[n] = the one with the largest responsibility, the first among equals. Throws as above.
void mixture_labels(const MixtureScores& scores, const Rows& rows, std::int32_t* component, ThreadPool& pool);

/// The `top` largest responsibilities of every row by falling value, the lower component first among equals:
/// component[n x top] and r[n x top]. Throws as above.
void mixture_top(const MixtureScores& scores, const Rows& rows, int top, std::int32_t* component, double* r,
                 ThreadPool& pool);

/// density[n] = log sum_k exp(s_nk) for Student-t or predictive ones. A q above kFarthest counts as kFarthest: about
/// 1e67 standard deviations.
void mixture_log_density(const MixtureScores& scores, const Rows& rows, double* density, ThreadPool& pool);

}  // namespace cavi::kernels::cpu
