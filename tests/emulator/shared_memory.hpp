// SPDX-License-Identifier: Apache-2.0
/// \file
/// Shared memory of a block: arrays that come to life, poisoned, when a thread first reaches their declaration.
#pragma once

#include "emulator/history.hpp"

#include <cstddef>
#include <vector>

namespace emulator {

struct SharedArray {
  const void* key;  ///< identifies the declaration; nullptr: the dynamic array
  std::size_t bytes;
  History history;
};

/// A slot of address space, reused block after block. Arrays are kept apart, so that one past the end is nowhere.
struct SharedMemory {
  char* slot = nullptr;
  std::size_t used = 0;
  std::vector<SharedArray> arrays;

  /// Takes a free slot of address space; close() gives it back.
  void open();
  void close();
  void* add(const void* key, std::size_t bytes);
  /// The array that contains the address, or nullptr.
  SharedArray* find(const void* address);
};

bool is_shared(const void* address);

/// Of the current block; checks the limits. Used by the two macros.
void* static_shared(const void* key, std::size_t bytes);
void* dynamic_shared();

}  // namespace emulator
