// SPDX-License-Identifier: Apache-2.0
/// \file
/// Owners of what the CUDA runtime hands out. Errors are DeviceError.
#pragma once

#include "kernels/out_of_memory.hpp"

#include <cuda_runtime.h>

#include <cavi/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cavi::kernels::cuda {

/// Throws DeviceError saying what was being done, OutOfDeviceMemory when that is the error; clears the runtime's record
/// of it. Graphs and launches want memory, too.
inline void check(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());
  const std::string what = std::string(doing) + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")";
  if (error == cudaErrorMemoryAllocation) throw OutOfDeviceMemory(what);
  throw DeviceError(what);
}

/// Makes a device the calling thread's for as long as this lives.
class OnDevice {
 public:
  explicit OnDevice(int ordinal) {
    check(cudaGetDevice(&before_), "asking for the current device");
    check(cudaSetDevice(ordinal), "choosing the device");
  }
  ~OnDevice() { static_cast<void>(cudaSetDevice(before_)); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int before_ = 0;
};

/// Bytes of the current device's memory that may be used: `memory`, but no more than nearly all that is free;
/// 0: all that.
inline std::int64_t usable_memory(std::int64_t memory = 0) {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for free device memory");
  const std::int64_t most = std::int64_t(free) / 10 * 9;
  return memory > 0 ? std::min(memory, most) : most;
}

/// On an error path work may still be under way that uses the memory about to be freed. (Freeing waits for the device
/// anyhow, by habit of the runtime and not by contract.)
inline void quiesce() { static_cast<void>(cudaDeviceSynchronize()); }

/// Device memory. Out of memory is a DeviceError that says how much was asked for, and what there is.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  explicit DeviceMemory(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    const cudaError_t error = cudaMalloc(&data_, bytes);
    if (error != cudaErrorMemoryAllocation) check(error, "allocating device memory");
    if (error == cudaSuccess) return;
    static_cast<void>(cudaGetLastError());
    std::size_t free = 0, total = 0;
    static_cast<void>(cudaMemGetInfo(&free, &total));
    throw OutOfDeviceMemory("out of device memory: " + std::to_string(bytes) + " bytes asked for, " +
                            std::to_string(free) + " of " + std::to_string(total) +
                            " are free; a memory budget below that streams the rows");
  }
  ~DeviceMemory() {
    if (!data_) return;
    quiesce();
    static_cast<void>(cudaFree(data_));
  }
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(DeviceMemory& other) { std::swap(data_, other.data_), std::swap(bytes_, other.bytes_); }
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Host memory that the device can copy from at full speed, or write to while the host reads.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  explicit PinnedMemory(std::size_t bytes) {
    if (bytes) check(cudaHostAlloc(&data_, bytes, cudaHostAllocMapped), "allocating pinned host memory");
  }
  ~PinnedMemory() {
    if (!data_) return;
    quiesce();
    static_cast<void>(cudaFreeHost(data_));
  }
  PinnedMemory(PinnedMemory&& other) noexcept { std::swap(data_, other.data_); }
  PinnedMemory& operator=(PinnedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  /// The same memory as kernels see it.
  template <class T>
  T* on_device() const {
    void* device = nullptr;
    check(cudaHostGetDevicePointer(&device, data_, 0), "mapping host memory");
    return static_cast<T*>(device);
  }

 private:
  void* data_ = nullptr;
};

class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream"); }
  ~Stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }
  void wait() const { check(cudaStreamSynchronize(stream_), "waiting for the device"); }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "creating an event"); }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// A table in device memory.
template <class T>
DeviceMemory to_device(const std::vector<T>& values, const char* what, const Stream& stream) {
  DeviceMemory memory(values.size() * sizeof(T));
  if (values.empty()) return memory;
  check(cudaMemcpyAsync(memory.data(), values.data(), memory.bytes(), cudaMemcpyHostToDevice, stream), what);
  stream.wait();
  return memory;
}

}  // namespace cavi::kernels::cuda
