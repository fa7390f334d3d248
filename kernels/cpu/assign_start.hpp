// SPDX-License-Identifier: Apache-2.0
/// \file
/// The CPU twin of AssignStart; semantics in ops.hpp.
#pragma once

#include "kernels/cpu/thread_pool.hpp"
#include "kernels/ops.hpp"

namespace cavi::kernels::cpu {

/// Stores given responsibilities [elements x components] and sum_n w_n H(r_n). Throws ShapeError naming a bad row.
void assign_start(const AssignStart& op, const Responsibilities& given, const Problem& problem, ThreadPool& pool);

}  // namespace cavi::kernels::cpu
