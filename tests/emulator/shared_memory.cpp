// SPDX-License-Identifier: Apache-2.0
#include "emulator/shared_memory.hpp"

#include "emulator/address_space.hpp"
#include "emulator/checker.hpp"
#include "emulator/executor.hpp"
#include "emulator/options.hpp"

#include <cstring>

namespace emulator {
namespace {

constexpr std::size_t kSlot = 1 << 20;  // the largest shared memory of any architecture, with gaps
constexpr std::size_t kGap = 256;       // a multiple of the 128 bytes of all banks
std::vector<char*> free_slots;
std::size_t slots = 0;

}  // namespace

void SharedMemory::open() {
  if (free_slots.empty()) free_slots.push_back(shared_space() + kSlot * slots++);
  slot = free_slots.back();
  free_slots.pop_back();
  used = 0;
  arrays.clear();
}

void SharedMemory::close() {
  free_slots.push_back(slot);
  slot = nullptr;
}

void* SharedMemory::add(const void* key, std::size_t bytes) {
  const Unwatched own;
  char* array = slot + used;
  used += round_up(bytes, 128) + kGap;
  std::memset(array, kPoison, round_up(bytes, 128) + kGap);
  arrays.push_back({key, bytes, History(array, bytes)});
  return array;
}

SharedArray* SharedMemory::find(const void* address) {
  for (SharedArray& array : arrays)
    if (static_cast<std::size_t>(static_cast<const char*>(address) - array.history.base()) < array.bytes) return &array;
  return nullptr;
}

bool is_shared(const void* address) {
  return is_emulated(address) && static_cast<const char*>(address) >= shared_space();
}

void* static_shared(const void* key, std::size_t bytes) {
  Block& block = *current_thread()->block;
  std::size_t total = bytes;
  for (const SharedArray& array : block.shared.arrays) {
    if (array.key == key) return const_cast<char*>(array.history.base());
    if (array.key) total += array.bytes;
  }
  const Launch& launch = current_launch();
  if (total > options().architecture.shared_per_block)
    kernel_fault(Finding::shared_memory_limit, std::to_string(total) + " bytes of static shared memory");
  if (total + launch.dynamic_shared > launch.shared_limit)
    kernel_fault(Finding::shared_memory_limit,
                 std::to_string(total) + " bytes of static and " + std::to_string(launch.dynamic_shared) +
                     " of dynamic shared memory; the limit for both is " + std::to_string(launch.shared_limit));
  return block.shared.add(key, bytes);
}

void* dynamic_shared() {
  for (const SharedArray& array : current_thread()->block->shared.arrays)
    if (!array.key) return const_cast<char*>(array.history.base());
  kernel_fault(Finding::shared_memory_limit, "the kernel has dynamic shared memory and was launched without");
}

}  // namespace emulator
