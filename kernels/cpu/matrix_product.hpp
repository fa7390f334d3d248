// SPDX-License-Identifier: Apache-2.0
/// \file
/// Contractions that are matrix products in disguise.
///
/// Divide the operands into a left and a right group. Loops of out that move only the left group are rows, those that
/// move only the right group columns, loops that out lacks are summed, all others are run through one by one:
///
///     out[row, column] += sum_summed (product of the left group)[row, summed] * (product of the right)[summed, column]
///
/// Tiles of both groups are multiplied out into packed arrays, whatever their strides, maps and number of operands,
/// then a register-blocked kernel multiplies the tiles. E[k, d, e] = sum_n r_nk x_nd x_ne is one product of r' and of a
/// matrix with a column for each pair (d, e) that exists one tile at a time.
#pragma once

#include "kernels/cpu/loop_nest.hpp"
#include "kernels/cpu/thread_pool.hpp"

namespace cavi::kernels::cpu {

/// Runs nest.add_products() as a matrix product when that is expected to be faster, else returns false. Tiles and their
/// order depend on the nest alone; scratch is the worker's, user 1.
bool add_matrix_product(const LoopNest& nest, ThreadPool& pool, int worker);

}  // namespace cavi::kernels::cpu
