// SPDX-License-Identifier: Apache-2.0
/// \file
/// One contraction as one or two device operations; part of lower.hpp.
#pragma once

#include "kernels/cuda/lower.hpp"

#include <functional>
#include <vector>

namespace cavi::kernels::cuda {

/// Appends the operations to `out`. temporary(size) makes a buffer.
void lower_contract(const Contract& op, int number, const std::vector<std::int64_t>& extents, Tables& tables,
                    const std::function<Buffer(std::int64_t size)>& temporary, std::vector<DeviceOp>& out);

}  // namespace cavi::kernels::cuda
