// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows in device memory as the library's readers see them.
#pragma once

#include <cavi/matrix.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace cavi::kernels {

/// Copies rows of `row_bytes`, `pitch` bytes apart in the memory of a CUDA device, to packed rows on the host, after
/// the work in `stream`. Throws DeviceError.
void cuda_copy_rows(const void* from, std::size_t pitch, std::size_t row_bytes, std::int64_t rows, void* to,
                    int ordinal, void* stream);

class DeviceSource final : public MatrixSource {
 public:
  struct Memory {
    const void* data = nullptr;
    std::int64_t rows = 0;
    int cols = 0;
    std::int64_t stride = 0;  ///< numbers
    Scalar scalar = Scalar::float32;
    int ordinal = 0;
    void* stream = nullptr;
    std::shared_ptr<void> owner;
  };
  explicit DeviceSource(Memory memory) : memory_(std::move(memory)) {}

  const Memory& memory() const { return memory_; }
  const void* row(std::int64_t n) const {
    return static_cast<const char*>(memory_.data) + n * memory_.stride * size_of(memory_.scalar);
  }
  std::int64_t rows() const override { return memory_.rows; }
  int cols() const override { return memory_.cols; }
  Scalar scalar() const override { return memory_.scalar; }
  std::string name() const override { return "device array"; }
  void read(std::int64_t first, std::int64_t count, void* out) const override {
    const std::size_t number = std::size_t(size_of(memory_.scalar));
    cuda_copy_rows(row(first), std::size_t(memory_.stride) * number, std::size_t(memory_.cols) * number, count, out,
                   memory_.ordinal, memory_.stream);
  }

 private:
  Memory memory_;
};

}  // namespace cavi::kernels
