// SPDX-License-Identifier: Apache-2.0
// Copies and fills.
#include "emulator/runtime/api.hpp"
#include "emulator/runtime/arguments.hpp"
#include "emulator/runtime/capture.hpp"
#include "emulator/runtime/entry.hpp"

#include <cstring>

namespace emulator {
namespace {

enum class Side { device, pinned, pageable };

Side side_of(const void* address) {
  if (is_device(address) || is_constant(address)) return Side::device;
  return find_allocation(address) ? Side::pinned : Side::pageable;
}

cudaMemcpyKind kind_of(Side to, Side from) {
  if (to == Side::device) return from == Side::device ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice;
  return from == Side::device ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost;
}

std::uint64_t fingerprint(const void* data, std::size_t bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (std::size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3ull;
  return hash;
}

// The bytes, and what is known of them.
void move_bytes(void* to, const void* from, std::size_t bytes, const Operation& operation) {
  touch({from, bytes, false}, operation);
  touch({to, bytes, true}, operation);  // marks all of it written ...
  Allocation *target = find_allocation(to), *source = find_allocation(from);
  if (target && source) target->history.copy_written(to, source->history, from, bytes);  // ... which it may not be
  std::memmove(to, from, bytes);
}

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
  bool asynchronous;
  const char* call;
};

// Pinned memory is read and written when the copy runs. Pageable memory is staged: an upload has read it when the call
// returns (unless options say otherwise), and a download has written it.
cudaError_t copy(const Copy& c, cudaMemcpyKind kind, cudaStream_t handle) {
  cudaStream_t stream = checked(handle);
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (!c.bytes) return cudaSuccess;
  const Side to = side_of(c.to), from = side_of(c.from);
  const bool pageable = to == Side::pageable || from == Side::pageable;
  const std::string name = std::string(c.call) + " of " + std::to_string(c.bytes) + " bytes";
  if (!valid_range(c.to, c.bytes, name + ", destination") || !valid_range(c.from, c.bytes, name + ", source"))
    return cudaErrorInvalidValue;
  if (kind != cudaMemcpyDefault && kind != kind_of(to, from))
    return refuse(cudaErrorInvalidValue, Finding::bad_argument, name + ": the kind does not fit the pointers");

  const bool late = c.asynchronous && options().pageable_reads_late && random_below(2);
  bool wait = !c.asynchronous && !(to == Side::device && from == Side::device);
  bool ordered = true;
  std::shared_ptr<std::vector<char>> staged;
  if (!stream->capture) {
    if (from == Side::pageable && to == Side::device) {
      if (!c.asynchronous) wait_for(stream->last);
      if (!late) {
        const char* data = static_cast<const char*>(c.from);
        staged = std::make_shared<std::vector<char>>(data, data + c.bytes);
      }
      // It may even be waited for, but that is nothing to count on.
      if (c.asynchronous && random_below(2)) {
        wait = true;
        ordered = false;
      }
    } else if (to != Side::device && pageable && !late) {
      wait = true;
    }
  }

  const Allocation* source = find_allocation(c.from);
  const bool watch = from == Side::pinned && !stream->capture;
  const std::uint64_t print = watch ? fingerprint(c.from, c.bytes) : 0;
  const std::uint64_t device_writes = source ? source->written_by_device : 0;
  const auto run = [=](Operation& operation) {
    if (!valid_range(c.to, c.bytes, operation.name + ", destination") ||
        !valid_range(c.from, c.bytes, operation.name + ", source")) {
      fail_device(cudaErrorIllegalAddress);
      return true;
    }
    const Allocation* now = watch ? find_allocation(c.from) : nullptr;
    if (now && now->written_by_device == device_writes && fingerprint(c.from, c.bytes) != print)
      report(Finding::source_changed, operation.name + ": host code wrote to its source before it ran");
    mark_use(c.to, operation);
    mark_use(c.from, operation);
    move_bytes(c.to, staged ? staged->data() : c.from, c.bytes, operation);
    return true;
  };
  const Enqueued queued =
      enqueue(*stream, {.name = pageable ? "pageable " + name : name, .run = run, .allowed_in_body = !pageable});
  if (queued.error || !queued.operation) return queued.error;
  mark_use(c.to, *queued.operation);
  mark_use(c.from, *queued.operation);
  if (!wait) return cudaSuccess;
  wait_for(queued.operation, ordered);
  return device_error();
}

cudaError_t fill(void* to, int value, std::size_t bytes, cudaStream_t handle, const char* call) {
  cudaStream_t stream = checked(handle);
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (!bytes) return cudaSuccess;
  if (!find_allocation(to))
    return refuse(cudaErrorInvalidValue, Finding::host_pointer, std::string(call) + " of pageable host memory");
  if (!valid_range(to, bytes, call)) return cudaErrorInvalidValue;
  const auto run = [=](Operation& operation) {
    if (!valid_range(to, bytes, operation.name)) {
      fail_device(cudaErrorIllegalAddress);
      return true;
    }
    mark_use(to, operation);
    touch({to, bytes, true}, operation);
    std::memset(to, value, bytes);
    return true;
  };
  const Enqueued queued =
      enqueue(*stream, {.name = std::string(call) + " of " + std::to_string(bytes) + " bytes", .run = run});
  if (queued.operation) mark_use(to, *queued.operation);
  return queued.error;
}

cudaError_t to_symbol(const void* symbol, const Copy& c, cudaMemcpyKind kind, cudaStream_t stream) {
  if (!is_constant(symbol))
    return refuse(cudaErrorInvalidSymbol, Finding::bad_argument,
                  std::string(c.call) + " of something that is not __constant__");
  return copy(c, kind, stream);
}

}  // namespace
}  // namespace emulator

using namespace emulator;

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return enter("cudaMemcpy", Call::copy, kNotInCapture, [&] {
    return copy({to, from, bytes, false, "cudaMemcpy"}, kind, nullptr);
  });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return enter("cudaMemcpyAsync", Call::copy, kAnywhere, [&] {
    return copy({to, from, bytes, true, "cudaMemcpyAsync"}, kind, stream);
  });
}
cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  return enter("cudaMemset", Call::fill, kNotInCapture, [&] { return fill(to, value, bytes, nullptr, "cudaMemset"); });
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  return enter("cudaMemsetAsync", Call::fill, kAnywhere,
               [&] { return fill(to, value, bytes, stream, "cudaMemsetAsync"); });
}

namespace emulator {

cudaError_t copy_to_symbol(const void* symbol, const void* from, std::size_t bytes, std::size_t offset,
                           cudaMemcpyKind kind) {
  return enter("cudaMemcpyToSymbol", Call::copy, kNotInCapture, [&] {
    void* to = static_cast<char*>(const_cast<void*>(symbol)) + offset;
    return to_symbol(symbol, {to, from, bytes, false, "cudaMemcpyToSymbol"}, kind, nullptr);
  });
}
cudaError_t copy_to_symbol_async(const void* symbol, const void* from, std::size_t bytes, std::size_t offset,
                                 cudaMemcpyKind kind, cudaStream_t stream) {
  return enter("cudaMemcpyToSymbolAsync", Call::copy, kAnywhere, [&] {
    void* to = static_cast<char*>(const_cast<void*>(symbol)) + offset;
    return to_symbol(symbol, {to, from, bytes, true, "cudaMemcpyToSymbolAsync"}, kind, stream);
  });
}

}  // namespace emulator
