// SPDX-License-Identifier: Apache-2.0
#include "kernels/device_source.hpp"
#include "src/memory_source.hpp"

#include <cavi/device.hpp>
#include <cavi/device_matrix.hpp>
#include <cavi/error.hpp>

#include <dlpack/dlpack.h>
#include <fmt/format.h>

namespace cavi {

namespace {

using kernels::DeviceSource;

void require_sound(const DeviceSource::Memory& memory) {
  if (memory.rows < 0 || memory.cols < 0)
    throw ShapeError(fmt::format("device array: {} x {} is no size", memory.rows, memory.cols));
  if (memory.stride < memory.cols)
    throw ShapeError(fmt::format("device array: rows of {} numbers lie {} apart", memory.cols, memory.stride));
  if (!memory.data && memory.rows > 0 && memory.cols > 0) throw ShapeError("device array: the address is null");
}

Matrix on_device(DeviceSource::Memory memory) {
  if (memory.stride == 0) memory.stride = memory.cols;
  require_sound(memory);
  static_cast<void>(Device::cuda(memory.ordinal));
  return Matrix(std::make_shared<DeviceSource>(std::move(memory)));
}

template <class T>
Matrix on_host(const DeviceSource::Memory& m) {
  auto source = std::make_unique<MemorySource<T>>(static_cast<const T*>(m.data), m.rows, m.cols, m.stride);
  // The deleter keeps the owner for as long as anyone has the rows.
  return Matrix(std::shared_ptr<const MatrixSource>(source.release(), [owner = m.owner](const MatrixSource* rows) {
    std::default_delete<const MatrixSource>()(rows);
  }));
}

}  // namespace

Matrix device_view(const float* data, std::int64_t rows, int cols, std::int64_t row_stride, int ordinal, void* stream) {
  return on_device({data, rows, cols, row_stride, Scalar::float32, ordinal, stream, nullptr});
}

Matrix device_view(const double* data, std::int64_t rows, int cols, std::int64_t row_stride, int ordinal,
                   void* stream) {
  return on_device({data, rows, cols, row_stride, Scalar::float64, ordinal, stream, nullptr});
}

Matrix from_dlpack(DLManagedTensor* tensor, void* stream) {
  if (!tensor) throw ShapeError("from_dlpack: no tensor");
  const DLTensor& t = tensor->dl_tensor;
  if (t.ndim != 1 && t.ndim != 2)
    throw ShapeError(fmt::format("from_dlpack: a tensor of {} dimensions is no matrix", t.ndim));
  if (t.dtype.code != kDLFloat || (t.dtype.bits != 32 && t.dtype.bits != 64) || t.dtype.lanes != 1)
    throw ShapeError(fmt::format("from_dlpack: numbers of code {} and {} bits are neither float32 nor float64",
                                 t.dtype.code, t.dtype.bits));
  const bool host = t.device.device_type == kDLCPU || t.device.device_type == kDLCUDAHost;
  if (!host && t.device.device_type != kDLCUDA)
    throw ShapeError(fmt::format("from_dlpack: memory of device type {} cannot be read", int(t.device.device_type)));
  const std::int64_t cols = t.ndim == 2 ? t.shape[1] : 1;
  if (cols < 0) throw ShapeError(fmt::format("from_dlpack: {} x {} is no size", t.shape[0], cols));
  if (cols > std::int64_t(1) << 30) throw ShapeError(fmt::format("from_dlpack: {} columns are too many", cols));
  if (t.strides && t.ndim == 2 && cols > 1 && t.strides[1] != 1)
    throw ShapeError("from_dlpack: the numbers of a row must be next to each other");

  DeviceSource::Memory m;
  m.scalar = t.dtype.bits == 32 ? Scalar::float32 : Scalar::float64;
  m.data = t.data ? static_cast<const char*>(t.data) + t.byte_offset : nullptr;
  m.rows = t.shape[0];
  m.cols = int(cols);
  m.stride = t.strides && t.shape[0] > 1 ? t.strides[0] : cols;
  m.ordinal = t.device.device_id;
  m.stream = stream;
  // What can go wrong does so before the tensor changes hands.
  if (m.stride < cols) throw ShapeError("from_dlpack: rows overlap or run backwards");
  require_sound(m);
  if (!host) static_cast<void>(Device::cuda(m.ordinal));
  m.owner = std::shared_ptr<void>(tensor, [](void* p) {
    auto* owned = static_cast<DLManagedTensor*>(p);
    if (owned->deleter) owned->deleter(owned);
  });
  if (!host) return on_device(std::move(m));
  return m.scalar == Scalar::float32 ? on_host<float>(m) : on_host<double>(m);
}

}  // namespace cavi
