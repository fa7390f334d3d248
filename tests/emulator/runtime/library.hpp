// SPDX-License-Identifier: Apache-2.0
/// \file
/// For shadows of libraries: work that a library puts into a stream.
#pragma once

#include "emulator/runtime/arguments.hpp"

#include <functional>
#include <vector>

namespace emulator {

/// Queues body(), which touches these ranges of device memory and nothing else. Can be made to fail (Call::library).
cudaError_t library_call(cudaStream_t stream, const char* call, std::vector<Range> ranges, std::function<void()> body);

/// Handles that a library gave out and did not take back count as leaks.
void count_handles(const char* kind, int change);

}  // namespace emulator
