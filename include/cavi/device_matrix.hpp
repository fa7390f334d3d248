// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows that are in a CUDA device's memory already, and tensors of other libraries.
#pragma once

#include <cavi/matrix.hpp>

#include <cstdint>

struct DLManagedTensor;  // <dlpack/dlpack.h>

namespace cavi {

/// Borrows memory of CUDA device `ordinal` [rows x cols, row-major, row_stride numbers from row to row; 0 means cols].
/// The rows are taken to be there when the work put into `stream` (a cudaStream_t; null: the legacy stream) so far is
/// done; the memory must live as long as any copy of the matrix. A fit on that device reads them without a detour, all
/// else copies what it needs to the host. Throws ShapeError for negative sizes or a stride below cols, DeviceError when
/// there is no such device.
Matrix device_view(const float* data, std::int64_t rows, int cols, std::int64_t row_stride = 0, int ordinal = 0,
                   void* stream = nullptr);
Matrix device_view(const double* data, std::int64_t rows, int cols, std::int64_t row_stride = 0, int ordinal = 0,
                   void* stream = nullptr);

/// Takes over a tensor of one or two dimensions, float32 or float64, in host or CUDA memory, whose rows are contiguous:
/// its deleter runs when the last copy of the matrix goes. `stream` as above. Throws ShapeError for a tensor of another
/// kind, which then stays the caller's, and DeviceError.
Matrix from_dlpack(DLManagedTensor* tensor, void* stream = nullptr);

}  // namespace cavi
