// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows on their way to the device: raw as they lie in the source, then in tiles (problem.hpp).
#pragma once

#include "kernels/cuda/problem.hpp"

#include <cavi/matrix.hpp>

#include <cstdint>

namespace cavi::kernels::cuda {

/// raw [rows x features] (row-major, `stride` numbers apart) minus origin [features] (or nullptr) -> tiles from row
/// `first` of x on; first is a multiple of kTile. The rest of the last tile is set to zero.
struct RowsIn {
  const void* raw = nullptr;
  std::int64_t stride = 0;
  Scalar from = Scalar::float32;
  const double* origin = nullptr;
  void* x = nullptr;
  Scalar to = Scalar::float32;
  std::int64_t first = 0, count = 0;
  int features = 0;
};
cudaError_t enqueue_tiles(const RowsIn& in, cudaStream_t stream);

/// rows->x = an address that need not be of any memory: see DeviceRows.
cudaError_t enqueue_point(DeviceRows* rows, std::uintptr_t x, cudaStream_t stream);

}  // namespace cavi::kernels::cuda
