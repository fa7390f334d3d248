// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the CPU cuts rows that are predicted or drawn: they come and go in waves.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cavi::kernels::cpu {

/// Rows of a wave: enough to keep all threads busy, and no more megabytes of results than that takes.
inline std::int64_t wave_rows(std::int64_t bytes_per_row) {
  constexpr std::int64_t kMost = 1 << 16, kLeast = 1 << 10, kBytes = 16 << 20;
  return std::clamp(kBytes / bytes_per_row, kLeast, kMost);
}

/// No more threads than the rows are worth: starting one takes as long as some hundred rows.
inline int threads_for(std::int64_t rows, int threads) {
  return int(std::clamp<std::int64_t>(rows / 1024, 1, std::max(1, threads)));
}

}  // namespace cavi::kernels::cpu
