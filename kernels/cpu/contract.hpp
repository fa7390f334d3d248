// SPDX-License-Identifier: Apache-2.0
/// \file
/// The CPU twin of Contract; semantics in ops.hpp.
#pragma once

#include "kernels/cpu/thread_pool.hpp"
#include "kernels/ops.hpp"

#include <cstdint>
#include <span>

namespace cavi::kernels::cpu {

/// `maps` are Program::maps as the problem at hand sees them: maps[i][v] for values v of the label that the map is on.
/// They are not checked against the sizes of buffers; the plan did that.
///
/// - An axis adds to the others of its label: two axes of one label read, or write, a diagonal.
/// - An element of `out` reached several times (through a map, or by strides that meet) gets the sum of what reaches
/// it.
/// - Elements between those that the axes reach are left alone. An empty sum is 0, and is written unless accumulating.
/// - `out` overlaps no operand; a buffer may be read by several operands.
///
/// Large contractions run in slabs of their longest label, cut by the shape alone; partial results meet in a pairwise
/// tree. The nest lives on the stack: at most 10 labels, 6 operands and 12 mapped axes, else ShapeError.
void contract(const Contract& op, const Problem& problem, ThreadPool& pool,
              std::span<const std::int32_t* const> maps = {});

}  // namespace cavi::kernels::cpu
