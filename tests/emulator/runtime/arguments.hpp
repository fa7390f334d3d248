// SPDX-License-Identifier: Apache-2.0
/// \file
/// Checks of what calls are given: when they are made, and again when the work runs.
#pragma once

#include "emulator/memory.hpp"
#include "emulator/runtime/operation.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace emulator {

/// A parameter of a kernel: its bytes may hold addresses.
struct Argument {
  const void* value;
  std::size_t bytes;
  std::size_t alignment;
  bool is_pointer;
};

/// A piece of memory that an operation touches.
struct Range {
  const void* address;
  std::size_t bytes;
  bool write;
};

/// False, with a report, if the range is in freed memory or leaves its allocation. Memory of the host is anything.
bool valid_range(const void* address, std::size_t bytes, const std::string& what);
/// False, with a report, if an argument is an address that a kernel may not have.
bool valid_arguments(const std::vector<Argument>& arguments, const std::string& what);

/// Remembers that the operation uses the memory, for whoever frees it.
void mark_use(const void* address, const Operation& operation);
void mark_uses(const std::vector<Argument>& arguments, const Operation& operation);
/// Records the access of the operation; reports one that is not ordered with an earlier one.
void touch(const Range& range, const Operation& operation);

}  // namespace emulator
