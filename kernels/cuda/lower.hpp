// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a program to operations that kernels can execute.
#pragma once

#include "kernels/cuda/device_ops.hpp"
#include "kernels/ops.hpp"

#include <cstdint>
#include <vector>

namespace cavi::kernels::cuda {

/// Tables that operations point to, in device memory for as long as the session lives.
class Tables {
 public:
  virtual ~Tables() = default;
  virtual const std::int32_t* put(const std::vector<std::int32_t>& values) = 0;
  virtual const std::int32_t* map(int number) = 0;  ///< of Program::maps
  virtual DeviceResponsibilities responsibilities(
      int number, std::int64_t rows,
      int components) = 0;  ///< of Program::responsibilities, of so many rows in all problems
};

struct Lowered {
  std::vector<DeviceOp> init, sweep;
  std::vector<BufferSpec> temporaries;  ///< follow the program's buffers
};

/// The operations of both lists, sorted into levels: those of one level do not depend on each other, and its last one
/// says `meet`. `extents` are the plates' sizes in the largest problem. Throws ShapeError for an operation that does
/// not fit: too many labels, operands or mapped axes, blocks that are no partition.
Lowered lower(const Program& program, const std::vector<std::int64_t>& extents, Tables& tables);

/// Units of an operation in a problem with these plate sizes, and about how many multiplications they are in all.
struct Work {
  std::int64_t units = 0;
  double products = 0;
};
Work work_of(const DeviceOp& op, const std::vector<std::int64_t>& extents);

}  // namespace cavi::kernels::cuda
