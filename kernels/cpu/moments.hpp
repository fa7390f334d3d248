// SPDX-License-Identifier: Apache-2.0
/// \file
/// The CPU twin of Moments; semantics in ops.hpp, formulas in math/families.hpp.
#pragma once

#include "kernels/cpu/thread_pool.hpp"
#include "kernels/ops.hpp"

namespace cavi::kernels::cpu {

/// Elements run in slabs that depend on the op and the number of elements; entropies are added pairwise in their order.
/// An element of weight 0 is updated and adds nothing. Throws NumericalError for the first element that fails,
/// ShapeError for blocks that do not partition the coordinates.
void moments(const Moments& op, const Problem& problem, ThreadPool& pool);

}  // namespace cavi::kernels::cpu
