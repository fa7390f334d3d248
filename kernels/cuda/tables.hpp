// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tables of a program in device memory.
#pragma once

#include "kernels/cuda/lower.hpp"
#include "kernels/cuda/runtime.hpp"

#include <vector>

namespace cavi::kernels::cuda {

class DeviceTables : public Tables {
 public:
  DeviceTables(const Program& program, const Stream& stream) : program_(program), stream_(stream) {}
  const std::int32_t* put(const std::vector<std::int32_t>& values) override;
  const std::int32_t* map(int number) override;
  /// Throws ShapeError naming the row for labels that are none and numbers that are no responsibilities.
  DeviceResponsibilities responsibilities(int number, std::int64_t rows, int components) override;

 private:
  const Program& program_;
  const Stream& stream_;
  std::vector<DeviceMemory> memory_;
  std::vector<const std::int32_t*> maps_;
};

}  // namespace cavi::kernels::cuda
