// SPDX-License-Identifier: Apache-2.0
#include "emulator/memory.hpp"

#include "emulator/options.hpp"
#include "emulator/report.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace emulator {
namespace {

constexpr std::size_t kRedZone = 256;
constexpr unsigned char kRed = 0xa5;

struct State {
  std::map<std::uintptr_t, Allocation> allocations;
  Allocation* last_found = nullptr;
  std::size_t device_top = 0, pinned_top = 0;  // used up to here
  std::size_t in_use = 0, peak = 0;
  int count = 0;
  int open = 0;  // DeviceAccess objects alive
};
State state;

void protect() {
  if (state.device_top)
    mprotect(device_space(), round_up(state.device_top, kPage), state.open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

std::uintptr_t key(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

Allocation* add(char* address, std::size_t bytes, MemoryKind kind, int number) {
  Allocation allocation;
  allocation.address = address;
  allocation.bytes = bytes;
  allocation.kind = kind;
  allocation.number = number;
  allocation.history = History(address, bytes);
  // Host code and initialisers are not watched closely enough to know what they wrote.
  if (kind != MemoryKind::device) allocation.history.mark_all_written();
  state.last_found = nullptr;
  return &(state.allocations[key(address)] = std::move(allocation));
}

// The two ends of a large allocation are enough, and the middle then costs no memory until somebody uses it.
void poison(char* address, std::size_t bytes) {
  constexpr std::size_t kEnd = 16 << 20;
  const std::size_t end = std::min(bytes, kEnd);
  std::memset(address, kPoison, end);
  std::memset(address + bytes - end, kPoison, end);
}

char* red_end(const Allocation& a) {
  const std::size_t unit = a.kind == MemoryKind::device ? kRedZone : kPage;
  return reinterpret_cast<char*>(
      round_up(key(a.address) + a.bytes + (a.kind == MemoryKind::device ? kRedZone : 0), unit));
}

bool red_zones_intact(const Allocation& a) {
  const auto all_red = [](const char* first, const char* last) {
    return std::all_of(first, last, [](char c) { return static_cast<unsigned char>(c) == kRed; });
  };
  return all_red(a.address + a.bytes, red_end(a)) &&
         (a.kind != MemoryKind::device || all_red(a.address - kRedZone, a.address));
}

}  // namespace

Allocation* allocate_device(std::size_t bytes) {
  if (state.in_use + bytes > options().device_bytes) return nullptr;
  char* address = device_space() + round_up(state.device_top, kRedZone) + kRedZone;
  Allocation* allocation = add(address, bytes, MemoryKind::device, ++state.count);
  state.device_top = red_end(*allocation) - device_space();
  state.in_use += bytes;
  state.peak = std::max(state.peak, state.in_use);
  const DeviceAccess open;
  protect();
  std::memset(address - kRedZone, kRed, kRedZone);
  std::memset(address + bytes, kRed, red_end(*allocation) - address - bytes);
  poison(address, bytes);
  return allocation;
}

Allocation* allocate_pinned(std::size_t bytes) {
  char* address = pinned_space() + state.pinned_top + kPage;  // a page nobody may touch before each
  Allocation* allocation = add(address, bytes, MemoryKind::pinned, ++state.count);
  const std::size_t size = std::max(red_end(*allocation) - address, std::ptrdiff_t(kPage));
  state.pinned_top += kPage + size;
  mprotect(address, size, PROT_READ | PROT_WRITE);
  std::memset(address + bytes, kRed, size - bytes);
  poison(address, bytes);
  return allocation;
}

void release(Allocation& a) {
  a.live = false;
  a.history = {};
  if (a.kind == MemoryKind::device) {
    const DeviceAccess open;
    poison(a.address, a.bytes);
    state.in_use -= a.bytes;
  } else {
    mprotect(a.address, std::max(red_end(a) - a.address, std::ptrdiff_t(kPage)), PROT_NONE);
  }
}

Allocation* find_allocation(const void* address) {
  const std::uintptr_t p = key(address);
  if (state.last_found && p >= key(state.last_found->address) &&
      p < key(state.last_found->address) + state.last_found->bytes)
    return state.last_found;
  if (is_constant(address) && !state.allocations.count(key(__start_emulator_constants)))
    add(__start_emulator_constants, constant_bytes(), MemoryKind::constant, 0);
  auto after = state.allocations.upper_bound(p);
  if (after == state.allocations.begin()) return nullptr;
  Allocation& candidate = std::prev(after)->second;
  if (p > key(candidate.address) + candidate.bytes) return nullptr;
  return state.last_found = &candidate;
}

std::string describe(const Allocation& a) {
  if (a.kind == MemoryKind::constant) return "constant memory";
  return std::string(a.live ? "" : "freed ") + (a.kind == MemoryKind::device ? "device" : "pinned") + " allocation #" +
         std::to_string(a.number) + " (" + std::to_string(a.bytes) + " bytes)";
}

std::string describe(const void* address) {
  if (const Allocation* a = find_allocation(address))
    return describe(*a) + " + " + std::to_string(static_cast<const char*>(address) - a->address);
  auto after = state.allocations.upper_bound(key(address));
  if (!is_emulated(address) || after == state.allocations.begin()) return "memory outside every allocation";
  const Allocation& before = std::prev(after)->second;
  const std::ptrdiff_t beyond = static_cast<const char*>(address) - (before.address + before.bytes);
  return "memory outside every allocation, " + std::to_string(beyond) + " bytes past the end of " + describe(before);
}

void check_red_zones(const std::string& after) {
  for (auto& [address, a] : state.allocations) {
    if (!a.live || a.reported || a.kind == MemoryKind::constant || red_zones_intact(a)) continue;
    a.reported = true;
    report(Finding::out_of_bounds, "something wrote outside " + describe(a) + "; seen after " + after);
  }
}

std::vector<std::string> leaked_memory() {
  std::vector<std::string> leaks;
  for (const auto& [address, a] : state.allocations)
    if (a.live && a.kind != MemoryKind::constant) leaks.push_back(describe(a));
  return leaks;
}

void assume_everything_written() {
  for (auto& [address, a] : state.allocations) a.history.mark_all_written();
}

void reset_memory() {
  const int open = state.open;
  if (state.device_top) madvise(device_space(), round_up(state.device_top, kPage), MADV_DONTNEED);
  if (state.pinned_top) {
    mprotect(pinned_space(), state.pinned_top, PROT_NONE);
    madvise(pinned_space(), state.pinned_top, MADV_DONTNEED);
  }
  state = {};
  state.open = open;
}

std::size_t device_bytes_in_use() { return state.in_use; }
std::size_t device_bytes_peak() { return state.peak; }

DeviceAccess::DeviceAccess() {
  if (state.open++ == 0) protect();
}
DeviceAccess::~DeviceAccess() {
  if (--state.open == 0) protect();
}

namespace {
int set_aside = 0;  // host functions do not nest
}
HostAccess::HostAccess() {
  set_aside = state.open;
  state.open = 0;
  protect();
}
HostAccess::~HostAccess() {
  state.open = set_aside;
  protect();
}

std::size_t constant_bytes() { return __stop_emulator_constants - __start_emulator_constants; }

}  // namespace emulator
