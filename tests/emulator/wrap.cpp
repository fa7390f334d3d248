// SPDX-License-Identifier: Apache-2.0
// g++ does not hand calls of memcpy and its kin to the checker; -Wl,--wrap does. Linked only where that option is
// given.
#include "emulator/checker.hpp"

#include <cstdint>

#define CODE reinterpret_cast<std::uintptr_t>(__builtin_return_address(0))

extern "C" {

void* __real_memcpy(void* to, const void* from, std::size_t bytes);
void* __real_memmove(void* to, const void* from, std::size_t bytes);
void* __real_memset(void* to, int value, std::size_t bytes);

void* __wrap_memcpy(void* to, const void* from, std::size_t bytes) {
  emulator::access({from, bytes, false, false, CODE});
  emulator::access({to, bytes, true, false, CODE});
  return __real_memcpy(to, from, bytes);
}
void* __wrap_memmove(void* to, const void* from, std::size_t bytes) {
  emulator::access({from, bytes, false, false, CODE});
  emulator::access({to, bytes, true, false, CODE});
  return __real_memmove(to, from, bytes);
}
void* __wrap_memset(void* to, int value, std::size_t bytes) {
  emulator::access({to, bytes, true, false, CODE});
  return __real_memset(to, value, bytes);
}

}  // extern "C"
