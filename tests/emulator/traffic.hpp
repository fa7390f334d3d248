// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "emulator/checker.hpp"
#include "emulator/executor.hpp"

namespace emulator {

void count_access(const Thread& thread, const void* address, std::size_t size, bool write, std::uintptr_t code,
                  bool shared);
/// Counts the requests that some lanes of a warp never joined.
void count_block_end(const Block& block);

}  // namespace emulator
