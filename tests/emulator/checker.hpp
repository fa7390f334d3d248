// SPDX-License-Identifier: Apache-2.0
/// \file
/// The checker: where code under test was compiled with -fsanitize=thread, hooks.cpp hands every load and store of
/// kernels and host code to access(). Nothing of libtsan is linked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace emulator {

struct Access {
  const void* address;
  std::size_t size;
  bool write, atomic;
  std::uintptr_t code;  ///< return address of the instruction
};

/// Ends the launch with a Fault for kernels, reports for host code. Addresses that are not the emulator's cost two
/// comparisons.
void access(const Access& access);

/// While one exists accesses are the emulator's own, even in the middle of a kernel.
struct Unwatched {
  Unwatched();
  ~Unwatched();
  Unwatched(const Unwatched&) = delete;
};

/// Memory traffic of a kernel as a GPU would see it, when options().count_traffic is set. The lanes of a warp that
/// execute the same instruction for the n-th time make one request.
struct Traffic {
  std::uint64_t requests = 0, sectors = 0;                ///< global memory; a sector is 32 bytes
  std::uint64_t shared_requests = 0, bank_conflicts = 0;  ///< shared memory; wavefronts beyond what the size needs
  std::uint64_t loaded_bytes = 0, stored_bytes = 0;       ///< global memory
  std::uint64_t distinct_bytes = 0;  ///< of requests to global memory: what lanes share counts once
};
/// Since the last reset or clear_traffic(), by kernel name.
const std::map<std::string, Traffic>& traffic();
/// From here on global memory counts in [begin, begin + size) only, if a size is given.
void clear_traffic(const void* begin = nullptr, std::size_t size = 0);

struct Block;
void check_block_end(const Block& block);

}  // namespace emulator
