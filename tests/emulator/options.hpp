// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the emulator treats the program under test.
#pragma once

#include "emulator/architecture.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace emulator {

/// Which thread of a launch runs next. A thread runs until it waits; the order of blocks follows the same rule.
enum class Schedule {
  forward,      ///< first come, first served: blocks one after another, warps breadth first
  reverse,      ///< last come, first served: blocks and threads backwards, each warp as deep as it can go
  random,       ///< several blocks in flight, any ready thread next, atomics and fences let others in
  interleaved,  ///< several blocks in flight, one thread of each in turn, atomics and fences let others in
};
inline constexpr Schedule kSchedules[] = {Schedule::forward, Schedule::reverse, Schedule::random,
                                          Schedule::interleaved};

/// When work that was put into streams runs. Whatever it says, only streams, events and waits give an order.
enum class Delay {
  uniform,   ///< any ready operation, some of it behind the host's back
  lazy,      ///< nothing until the host waits, and then only what the wait needs
  eager,     ///< at once
  priority,  ///< some streams always before others
};
inline constexpr Delay kDelays[] = {Delay::uniform, Delay::lazy, Delay::eager, Delay::priority};

/// Kinds of runtime calls that can be made to fail.
enum class Call { any, allocation, copy, fill, launch, stream, event, wait, graph, device, library };

struct Options {
  Schedule schedule = Schedule::forward;
  Delay delay = Delay::uniform;
  std::uint32_t seed = 1;
  Architecture architecture = sm_90();
  std::size_t device_bytes = std::size_t(256) << 20;  ///< an allocation beyond it is out of memory
  std::map<std::string, int> registers;               ///< per thread, by kernel name; kernels not named are not checked
  int max_while = 10000;                              ///< rounds before a WHILE node counts as endless
  bool pageable_reads_late = false;  ///< as on machines with coherent memory: even pageable copies may read late
  /// How tensor cores sum up is not documented: bits that they keep below the last one of a float (V100 0, A100 1, H100
  /// at least 2, by measurements), and how many products they add at a time.
  int tensor_guard_bits = 1, tensor_products = 8;
  bool count_traffic = false;  ///< requests, sectors and bank conflicts, in the checked build

  /// The n-th call of the kind returns the error instead of doing its work (1 is the first; 0: none).
  Call failing_call = Call::any;
  int failing_number = 0;
  int failing_error = 2;  ///< a cudaError_t; cudaErrorMemoryAllocation
  /// The n-th operation that a stream executes fails, and the device with it.
  int failing_operation = 0;
};

/// A variation for the seed: every schedule and every delay comes up among any 16 seeds in a row.
inline Options options_for(std::uint32_t seed) {
  Options o;
  o.seed = seed;
  o.schedule = kSchedules[seed % 4];
  o.delay = kDelays[seed / 4 % 4];
  o.pageable_reads_late = seed / 16 % 2;
  return o;
}

/// What is in force. Change it through reset() (control.hpp), or directly between launches.
Options& options();

}  // namespace emulator
