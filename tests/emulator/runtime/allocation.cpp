// SPDX-License-Identifier: Apache-2.0
// Allocation.
#include "emulator/runtime/api.hpp"
#include "emulator/runtime/arguments.hpp"
#include "emulator/runtime/capture.hpp"
#include "emulator/runtime/entry.hpp"

namespace emulator {
namespace {

cudaError_t free_memory(void* pointer, MemoryKind kind, const char* call) {
  if (!pointer) return cudaSuccess;
  Allocation* a = find_allocation(pointer);
  if (!a || a->address != pointer || a->kind != kind)
    return refuse(cudaErrorInvalidValue, Finding::bad_free, std::string(call) + " of " + describe(pointer));
  if (!a->live) return refuse(cudaErrorInvalidValue, Finding::double_free, std::string(call) + " of " + describe(*a));
  if (!device_error()) {
    for (const auto& [chain, sequence] : a->last_use) {
      if (host_clock().of(chain) >= sequence) continue;
      std::string user = "an operation";
      for (const Moment& moment : moments())
        if (moment.chain == chain && moment.sequence == sequence) user = moment.name;
      report(Finding::freed_in_use,
             std::string(call) + " of " + describe(*a) + ": the host has not waited for " + user);
      break;
    }
  }
  {
    const DeviceAccess open;
    check_red_zones(call);
  }
  release(*a);
  return device_error();
}

}  // namespace
}  // namespace emulator

using namespace emulator;

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  return enter("cudaMalloc", Call::allocation, kNotInCapture, [&] {
    *pointer = nullptr;
    if (!bytes) return cudaSuccess;
    const Allocation* a = allocate_device(bytes);
    if (!a) return cudaErrorMemoryAllocation;
    *pointer = a->address;
    return cudaSuccess;
  });
}
cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  return enter("cudaHostAlloc", Call::allocation, kNotInCapture, [&] {
    *pointer = bytes ? allocate_pinned(bytes)->address : nullptr;
    return cudaSuccess;
  });
}
cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  return cudaHostAlloc(pointer, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFree(void* pointer) {
  return enter("cudaFree", Call::allocation, kNotInCapture | kCleansUp,
               [&] { return free_memory(pointer, MemoryKind::device, "cudaFree"); });
}
cudaError_t cudaFreeHost(void* pointer) {
  return enter("cudaFreeHost", Call::allocation, kNotInCapture | kCleansUp,
               [&] { return free_memory(pointer, MemoryKind::pinned, "cudaFreeHost"); });
}

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
  return enter("cudaHostGetDevicePointer", Call::device, kAnywhere, [&] {
    const Allocation* a = find_allocation(host);
    if (!a || a->kind != MemoryKind::pinned) return cudaErrorInvalidValue;
    *device = host;
    return cudaSuccess;
  });
}

// An allocation in stream order is a write: whoever uses it must be ordered behind it.
cudaError_t cudaMallocAsync(void** pointer, std::size_t bytes, cudaStream_t handle) {
  return enter("cudaMallocAsync", Call::allocation, kAnywhere, [&] {
    cudaStream_t stream = checked(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture)
      return spoil_capture(stream->capture, cudaErrorNotSupported, "cudaMallocAsync in a capture is not emulated");
    Allocation* a = allocate_device(bytes);
    if (!a) return cudaErrorMemoryAllocation;
    *pointer = a->address;
    const auto run = [a](Operation& operation) {
      touch({a->address, a->bytes, true}, operation);
      a->history.forget_written();
      return true;
    };
    return enqueue(*stream, {.name = "cudaMallocAsync", .run = run, .work = false}).error;
  });
}
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t handle) {
  return enter("cudaFreeAsync", Call::allocation, kCleansUp, [&] {
    cudaStream_t stream = checked(handle);
    if (!stream || stream->capture) return cudaErrorInvalidResourceHandle;
    if (!pointer) return cudaSuccess;
    Allocation* a = find_allocation(pointer);
    if (!a || a->address != pointer || a->kind != MemoryKind::device)
      return refuse(cudaErrorInvalidValue, Finding::bad_free, "cudaFreeAsync of " + describe(pointer));
    if (!a->live) return refuse(cudaErrorInvalidValue, Finding::double_free, "cudaFreeAsync of " + describe(*a));
    if (device_error()) {
      release(*a);
      return device_error();
    }
    const auto run = [a](Operation& operation) {
      touch({a->address, a->bytes, true}, operation);
      check_red_zones(operation.name);
      release(*a);
      return true;
    };
    return enqueue(*stream, {.name = "cudaFreeAsync", .run = run, .work = false}).error;
  });
}
