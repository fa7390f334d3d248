// SPDX-License-Identifier: Apache-2.0
/// \file
/// The statistics of the rows of mixtures under responsibilities that are given at the start.
#pragma once

#include "kernels/cuda/device_ops.hpp"
#include "kernels/cuda/problem.hpp"

#include <cstdint>

namespace cavi::kernels::cuda {

/// Some units of a start (see StartShape).
struct UnitRange {
  std::int64_t first = 0, end = 0;
};

/// Those units, as far as a problem has them, of `count` problems of a device array that are active.
cudaError_t enqueue_mixture_start(const DeviceMixtureStart& start, UnitRange range, const DeviceProblem* problems,
                                  std::int64_t count, cudaStream_t stream);

}  // namespace cavi::kernels::cuda
