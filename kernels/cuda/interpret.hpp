// SPDX-License-Identifier: Apache-2.0
/// \file
/// Kernels that run lists of operations; what they do is in interpret.cuh.
#pragma once

#include "kernels/cuda/device_ops.hpp"
#include "kernels/cuda/problem.hpp"

#include <cstdint>
#include <optional>

namespace cavi::kernels::cuda {

inline constexpr int kListThreads = 256;  ///< of a block that runs a list: operations wait side by side

/// A list of operations in device memory.
struct OpList {
  const DeviceOp* ops = nullptr;
  int count = 0;
  bool sweeping = false;  ///< part of a sweep, not of the start
};

/// One block per problem runs the list, without a mixture's start or sweep in it.
cudaError_t enqueue_list(const OpList& list, const DeviceProblem* problems, std::int64_t count, cudaStream_t stream);

/// One block per problem runs the list, a mixture sweep of that family in float32 (if any) included but no start, up to
/// `times` times or until the problem is over.
cudaError_t enqueue_whole(const OpList& list, std::optional<Component> sweep, int times, const DeviceProblem* problems,
                          std::int64_t count, cudaStream_t stream);

/// Several blocks per problem run one operation. units: of the largest problem, a warp or a thread for each.
cudaError_t enqueue_wide(const OpList& one, bool warp, std::int64_t units, const DeviceProblem* problems,
                         std::int64_t count, cudaStream_t stream);

/// After a sweep inside a WHILE node: goes on while some problem is active.
cudaError_t enqueue_go_on(const DeviceProblem* problems, std::int64_t count, cudaGraphConditionalHandle handle,
                          cudaStream_t stream);

}  // namespace cavi::kernels::cuda
