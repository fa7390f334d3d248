// SPDX-License-Identifier: Apache-2.0
/// \file
/// A list of operations as a sequence of kernel launches, for a group of problems.
#pragma once

#include "kernels/cuda/interpret.hpp"
#include "kernels/cuda/lower.hpp"
#include "kernels/cuda/row_store.hpp"

#include <cstdint>
#include <vector>

namespace cavi::kernels::cuda {

/// Whether one block should do a problem's sweeps for its whole life: that depends on the problem alone.
bool fits_one_block(const std::vector<DeviceOp>& sweep, const std::vector<std::int64_t>& extents, std::int64_t rows);

/// The problems that are launched together: a piece of the device's array of problems.
struct Group {
  const DeviceProblem* problems = nullptr;
  std::int64_t count = 0;
  std::int64_t max_rows = 0;  ///< of the fused rows
};

class LaunchPlan {
 public:
  /// `ops` on the host and `device_ops`, the same on the device. `extents`: of the largest problem of the group.
  LaunchPlan(std::vector<DeviceOp> ops, const DeviceOp* device_ops, bool sweeping,
             const std::vector<std::int64_t>& extents);

  /// Puts all launches into the stream; rows are resident. Throws DeviceError.
  void enqueue(const Group& group, cudaStream_t stream) const;
  /// The same for one problem whose rows stream in through `table`. Throws IoError, too.
  void enqueue_streamed(const Group& group, RowStore& rows, DeviceRows* table, cudaStream_t stream) const;

  /// The mixture sweep in the list, if any.
  const MixtureSweepDevice* mixture_sweep() const;
  OpList all() const { return {device_ops_, int(ops_.size()), sweeping_}; }

 private:
  struct Launch {
    enum class Kind { list, wide, start, sweep };
    Kind kind = Kind::list;
    int first = 0, count = 1;
    std::int64_t units = 0;
  };
  void enqueue(const Launch& launch, const Group& group, cudaStream_t stream) const;

  std::vector<DeviceOp> ops_;
  const DeviceOp* device_ops_;
  bool sweeping_;
  std::vector<Launch> launches_;
};

/// Operations that write to the trace.
int count_bounds(const std::vector<DeviceOp>& ops);

}  // namespace cavi::kernels::cuda
