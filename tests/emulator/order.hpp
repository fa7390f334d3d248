// SPDX-License-Identifier: Apache-2.0
/// \file
/// What happened before what inside one launch. Time is a counter that every synchronisation advances, so "thread t of
/// block b has been seen up to time T" is one number:
///
///     __syncthreads   orders everything in the block before it
///     __syncwarp      orders the lanes in its mask (a shuffle or a vote does not: it moves a register)
///     fence, atomic   what a thread has seen when it fences is published by its next atomic to an address; a thread
///                     that reads the address by an atomic and then fences has seen it too (a relaxed ticket)
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>

namespace emulator {

using Time = std::uint32_t;  // 0: never

/// What is known of one block: everything up to `all`, and of single threads a little more.
struct BlockKnowledge {
  Time all = 0;
  std::map<unsigned, Time> threads;
};

/// What is known of the blocks of a launch, by block number.
struct Knowledge {
  std::map<std::uint32_t, BlockKnowledge> blocks;

  void merge(const Knowledge& other);
  bool covers(std::uint32_t block, unsigned thread, Time time) const;
};
using SharedKnowledge = std::shared_ptr<Knowledge>;

struct ThreadOrder {
  std::array<Time, 32> lanes{};  ///< of each lane of the warp, seen up to
  SharedKnowledge fenced;        ///< seen at the last fence: what an atomic publishes
  SharedKnowledge read;          ///< published at the address read last: seen after a fence
  SharedKnowledge seen;          ///< of other threads, through an address
};

struct BlockOrder {
  Time barrier = 0;        ///< the last __syncthreads
  SharedKnowledge fenced;  ///< by any thread before the last barrier
  SharedKnowledge seen;    ///< of other blocks, by every thread
};

/// Of the launch that runs.
struct LaunchOrder {
  Time now = 1;
  std::unordered_map<std::uintptr_t, SharedKnowledge> published;  // by address
};

struct Thread;
struct Block;
struct Warp;
void order_barrier(LaunchOrder& launch, Block& block);
void order_warp(LaunchOrder& launch, Warp& warp, unsigned mask);
void order_fence(LaunchOrder& launch, Thread& thread);
void order_atomic(LaunchOrder& launch, Thread& thread, const void* address);
/// Whether `thread` has seen what thread number `other` of block number `block` did at `time`.
bool ordered(const Thread& thread, std::uint32_t block, unsigned other, Time time);

}  // namespace emulator
