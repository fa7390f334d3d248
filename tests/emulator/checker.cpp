// SPDX-License-Identifier: Apache-2.0
#include "emulator/checker.hpp"

#include "emulator/address_space.hpp"
#include "emulator/executor.hpp"
#include "emulator/memory.hpp"
#include "emulator/options.hpp"
#include "emulator/runtime/entry.hpp"
#include "emulator/runtime/operation.hpp"
#include "emulator/symbol.hpp"
#include "emulator/traffic.hpp"

extern "C" const char __executable_start;

namespace emulator {
namespace {

constexpr std::uint32_t kLoneLaunch = 2;  // a launch that no stream runs

std::uintptr_t code_base() { return reinterpret_cast<std::uintptr_t>(&__executable_start); }

std::string place(std::uint32_t code) {
  return code ? code_name(reinterpret_cast<const void*>(code_base() + code - 1)) : "?";
}

std::string what(const Access& a) {
  return std::string(a.atomic ? "atomic" : a.write ? "write" : "read") + " of " + std::to_string(a.size) + " bytes";
}

// What the other side of a conflict was.
std::string whom(const Stamp& other, bool wrote, const Thread* thread, std::uint32_t operation) {
  const std::string verb = other.atomic ? "an atomic" : wrote ? "a write" : "a read";
  if (other.operation == kHost) return verb + " by host code in " + place(other.code);
  if (thread && other.operation == operation)
    return verb + " by thread " + std::to_string(other.thread()) + " of block " + std::to_string(other.block()) +
           " in " + place(other.code);
  return verb + " by " + moments()[other.operation].name;
}

void kernel_access(const Access& a, Thread& thread) {
  const auto code = static_cast<std::uint32_t>(a.code - code_base());
  const auto fault = [&](Finding finding, const std::string& text) {
    kernel_fault(finding, what(a) + " in " + place(code) + ": " + text);
  };
  if (a.size <= 16 && reinterpret_cast<std::uintptr_t>(a.address) % a.size)
    fault(Finding::misaligned, "the address is no multiple of " + std::to_string(a.size));

  const bool shared = is_shared(a.address);
  History* history = nullptr;
  Allocation* allocation = nullptr;
  std::string name;
  if (shared) {
    SharedArray* array = thread.block->shared.find(a.address);
    if (!array) fault(Finding::out_of_bounds, "shared memory outside every array of the block");
    history = &array->history;
  } else {
    allocation = find_allocation(a.address);
    if (!allocation) fault(Finding::out_of_bounds, describe(a.address));
    if (!allocation->live) fault(Finding::use_after_free, describe(a.address));
    history = &allocation->history;
    if (allocation->kind == MemoryKind::constant && a.write)
      fault(Finding::out_of_bounds, "constant memory is read only");
  }
  const std::size_t offset = static_cast<const char*>(a.address) - history->base();
  if (offset + a.size > history->bytes())
    fault(Finding::out_of_bounds,
          shared ? "past the end of a shared array of " + std::to_string(history->bytes()) + " bytes"
                 : describe(a.address));
  const auto name_of = [&] {
    return shared ? "shared array of " + std::to_string(history->bytes()) + " bytes + " + std::to_string(offset)
                  : describe(a.address);
  };
  if ((!a.write || a.atomic) && history->unwritten(a.address, a.size))
    fault(Finding::uninitialised_read, name_of() + " was never written");
  if (allocation && a.write) ++allocation->written_by_device;

  const Operation* operation = current_operation();
  Stamp stamp;
  stamp.operation = operation ? operation->number : kLoneLaunch;
  stamp.agent = thread.block->number << 10 | thread.linear;
  stamp.code = code;
  stamp.time = current_order().now;
  stamp.atomic = a.atomic;
  const auto before = [&](const Stamp& other) {
    if (other.operation == stamp.operation) return ordered(thread, other.block(), other.thread(), other.time);
    return operation && seen(operation->clock, other);
  };
  if (const auto conflict = history->record(a.address, a.size, a.write, stamp, before)) {
    const bool inside = conflict->other.operation == stamp.operation;
    fault(inside ? Finding::data_race : Finding::unordered_access,
          name_of() + " is not ordered with " + whom(conflict->other, conflict->other_wrote, &thread, stamp.operation));
  }
  if (a.atomic) order_atomic(current_order(), thread, a.address);
  if (options().count_traffic) count_access(thread, a.address, a.size, a.write, a.code, shared);
}

void host_access(const Access& a) {
  if (inside_runtime()) return;
  const auto lock = lock_runtime();
  Allocation* allocation = find_allocation(a.address);
  if (!allocation || !allocation->live || allocation->reported) return;  // the page is protected or not ours
  if (allocation->kind == MemoryKind::constant) {
    allocation->reported = true;
    report(Finding::host_pointer,
           "host code touched a __constant__ variable in " + code_name(reinterpret_cast<void*>(a.code)));
    return;
  }
  if (allocation->kind != MemoryKind::pinned || !allocation->contains(a.address, a.size)) return;
  Stamp stamp;
  stamp.operation = kHost;
  stamp.code = static_cast<std::uint32_t>(a.code - code_base());
  stamp.time = host_clock().of(0);
  const auto before = [](const Stamp& other) { return other.operation == kHost || seen(host_clock(), other); };
  if (const auto conflict = allocation->history.record(a.address, a.size, a.write, stamp, before)) {
    allocation->reported = true;
    report(Finding::unordered_access, what(a) + " by host code in " + place(stamp.code) + ": " + describe(a.address) +
                                          " is not ordered with " +
                                          whom(conflict->other, conflict->other_wrote, nullptr, 0));
  }
}

}  // namespace

namespace {
int unwatched = 0;
}
Unwatched::Unwatched() { ++unwatched; }
Unwatched::~Unwatched() { --unwatched; }

void access(const Access& a) {
  if (!is_emulated(a.address) && !is_constant(a.address)) return;
  if (a.size == 0 || unwatched) return;
  if (Thread* thread = current_thread())
    kernel_access(a, *thread);
  else
    host_access(a);
}

void check_block_end(const Block& block) {
  if (options().count_traffic) count_block_end(block);
}

}  // namespace emulator
