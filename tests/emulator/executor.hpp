// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs the threads of a launch as fibers of one host thread, in the order that options().schedule asks for.
#pragma once

#include "emulator/fiber.hpp"
#include "emulator/order.hpp"
#include "emulator/report.hpp"
#include "emulator/shared_memory.hpp"
#include "emulator/site.hpp"
#include "emulator/types.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace emulator {

struct Launch {
  const void* kernel = nullptr;
  dim3 grid, block;
  std::size_t dynamic_shared = 0;
  std::size_t shared_limit = 48 << 10;  ///< static and dynamic together
  bool instrumented = false;            ///< the checker sees every access of the kernel
};

enum class Wait : std::uint8_t { nothing, warp, barrier, done };

/// A meeting of lanes. Each brings a value; when all are there, complete() gives each its result.
struct Collective {
  unsigned mask = 0;
  unsigned source = 0;  ///< a lane, for shuffles
  alignas(8) std::array<std::byte, 8> value{}, result{};
  void (*complete)(Thread& lane) = nullptr;
};

struct Thread {
  uint3 index{};
  unsigned linear = 0, lane = 0;
  Block* block = nullptr;
  Warp* warp = nullptr;
  Wait wait = Wait::nothing;
  const char* operation = "";  ///< what it waits in, and where
  Site site;
  int vote = 0;  ///< brought to a barrier
  Collective collective;
  ThreadOrder order;
  Fiber fiber;
};

struct Warp {
  std::array<Thread*, 32> lanes{};
  unsigned exists = 0, exited = 0, waiting = 0;  ///< masks of lanes
};

struct Block {
  uint3 index{};
  std::uint32_t number = 0;
  std::vector<Thread*> threads;
  std::vector<Warp> warps;
  std::vector<Thread*> ready;  ///< from `first_ready` on
  std::size_t first_ready = 0;
  std::size_t alive = 0, at_barrier = 0;
  int votes = 0;  ///< nonzero ones at the last barrier
  SharedMemory shared;
  BlockOrder order;
};

/// Runs body() once per thread of the launch. Throws Fault, naming kernel, block and thread.
void execute(const Launch& launch, const std::function<void()>& body);
/// The next launch is the first again: its random schedule depends on the seed and its number.
void reset_executor();

/// The thread that runs, or nullptr in host code.
Thread* current_thread();
const Launch& current_launch();
LaunchOrder& current_order();

/// From inside a kernel: ends the launch with a Fault.
[[noreturn]] void kernel_fault(Finding finding, const std::string& text);
/// "block (0,0,0) thread (3,0,0)".
std::string where(const Thread& thread);

/// What device functions are made of; each is called by a thread of a kernel.
void barrier(const char* operation, int vote, const Site& site);
void meet(const char* operation, Collective collective, const Site& site);
void fence();
void let_others_in();  ///< at an atomic

}  // namespace emulator

// Variables rather than macros: gridDim and blockDim are also members of cudaLaunchConfig_t.
inline uint3 threadIdx{}, blockIdx{};
inline dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;
