// SPDX-License-Identifier: Apache-2.0
/// \file
/// What has been allocated. Device memory cannot be touched while host code runs; fresh memory is poisoned; red zones
/// lie around every allocation; addresses are not used again before a reset.
#pragma once

#include "emulator/address_space.hpp"
#include "emulator/history.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace emulator {

enum class MemoryKind { device, pinned, constant };

struct Allocation {
  char* address = nullptr;
  std::size_t bytes = 0;
  MemoryKind kind = MemoryKind::device;
  int number = 0;
  bool live = true;
  bool reported = false;                            ///< one finding per allocation is enough to act on
  std::uint64_t written_by_device = 0;              ///< operations that wrote to it
  std::map<std::uint32_t, std::uint32_t> last_use;  ///< by chain of operations: the sequence number
  History history;

  bool contains(const void* p, std::size_t n) const {
    const char* first = static_cast<const char*>(p);
    return first >= address && first + n <= address + bytes;
  }
};

/// nullptr when options().device_bytes are used up.
Allocation* allocate_device(std::size_t bytes);
Allocation* allocate_pinned(std::size_t bytes);
/// Marks it freed and poisons it.
void release(Allocation& allocation);
/// The allocation, live or freed, that contains the address or ends at it.
Allocation* find_allocation(const void* address);
/// "device allocation #3 (400 bytes) + 12".
std::string describe(const void* address);
std::string describe(const Allocation& allocation);

/// Reports every live allocation whose red zones were written to; `after` says what ran.
void check_red_zones(const std::string& after);
std::vector<std::string> leaked_memory();
/// After a kernel that the checker cannot see.
void assume_everything_written();
void reset_memory();

std::size_t device_bytes_in_use();
std::size_t device_bytes_peak();

/// While one exists device memory can be touched.
struct DeviceAccess {
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
};
/// While one exists it cannot, whatever is above it on the stack: a host function called by a stream.
struct HostAccess {
  HostAccess();
  ~HostAccess();
  HostAccess(const HostAccess&) = delete;
};

// The linker marks both ends of the section that __constant__ variables live in, if there are any.
extern "C" char __start_emulator_constants[] __attribute__((weak));
extern "C" char __stop_emulator_constants[] __attribute__((weak));

inline bool is_constant(const void* address) {
  const auto* p = static_cast<const char*>(address);
  return p >= __start_emulator_constants && p < __stop_emulator_constants;
}
std::size_t constant_bytes();

}  // namespace emulator
