// SPDX-License-Identifier: Apache-2.0
/// \file
/// What depends on what among the operations of a list.
#pragma once

#include "kernels/cuda/device_ops.hpp"

#include <map>
#include <vector>

namespace cavi::kernels::cuda {

/// The parts of bounds, by the number of the operation.
using BoundParts = std::map<int, std::vector<Buffer>>;

/// A buffer that is set to zero and then added to, every element once, is written by the addition alone.
void remove_needless_fills(std::vector<DeviceOp>& ops, const BoundParts& parts);

/// Sorts operations into levels: one comes after those whose results it reads and those that read or write what it
/// writes. The last of a level says `meet`. A bound that is the last of its list stays last: it ends the sweep.
std::vector<DeviceOp> in_levels(std::vector<DeviceOp> ops, const BoundParts& parts);

}  // namespace cavi::kernels::cuda
