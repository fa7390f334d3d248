// SPDX-License-Identifier: Apache-2.0
#include "emulator/order.hpp"

#include "emulator/executor.hpp"

#include <algorithm>
#include <bit>

namespace emulator {
namespace {

// Pointers are shared freely; whoever changes the content takes a copy if somebody else holds it.
void merge_into(SharedKnowledge& into, const SharedKnowledge& more) {
  if (!more || into == more) return;
  if (!into) {
    into = more;
    return;
  }
  if (into.use_count() > 1) into = std::make_shared<Knowledge>(*into);
  into->merge(*more);
}

bool covers(const SharedKnowledge& knowledge, std::uint32_t block, unsigned thread, Time time) {
  return knowledge && knowledge->covers(block, thread, time);
}

}  // namespace

void Knowledge::merge(const Knowledge& other) {
  for (const auto& [number, theirs] : other.blocks) {
    BlockKnowledge& mine = blocks[number];
    mine.all = std::max(mine.all, theirs.all);
    for (const auto& [thread, time] : theirs.threads) mine.threads[thread] = std::max(mine.threads[thread], time);
  }
}

bool Knowledge::covers(std::uint32_t block, unsigned thread, Time time) const {
  const auto known = blocks.find(block);
  if (known == blocks.end()) return false;
  if (time <= known->second.all) return true;
  const auto single = known->second.threads.find(thread);
  return single != known->second.threads.end() && time <= single->second;
}

void order_barrier(LaunchOrder& launch, Block& block) {
  block.order.barrier = launch.now++;
  for (Thread* thread : block.threads) {
    merge_into(block.order.fenced, thread->order.fenced);
    merge_into(block.order.seen, thread->order.seen);
    thread->order.fenced = thread->order.seen = nullptr;
  }
}

void order_warp(LaunchOrder& launch, Warp& warp, unsigned mask) {
  std::array<Time, 32> together{};
  SharedKnowledge fenced, seen;
  for (unsigned m = mask; m; m &= m - 1) {
    const ThreadOrder& order = warp.lanes[std::countr_zero(m)]->order;
    for (int lane = 0; lane < 32; ++lane) together[lane] = std::max(together[lane], order.lanes[lane]);
    together[std::countr_zero(m)] = launch.now;
    merge_into(fenced, order.fenced);
    merge_into(seen, order.seen);
  }
  for (unsigned m = mask; m; m &= m - 1) {
    ThreadOrder& order = warp.lanes[std::countr_zero(m)]->order;
    order.lanes = together;
    order.fenced = fenced;
    order.seen = seen;
  }
  ++launch.now;
}

void order_fence(LaunchOrder& launch, Thread& thread) {
  merge_into(thread.order.seen, thread.order.read);
  thread.order.read = nullptr;

  auto snapshot = std::make_shared<Knowledge>();
  BlockKnowledge& own = snapshot->blocks[thread.block->number];
  own.all = thread.block->order.barrier;
  for (unsigned lane = 0; lane < 32; ++lane)
    if (thread.order.lanes[lane]) own.threads[thread.linear - thread.lane + lane] = thread.order.lanes[lane];
  own.threads[thread.linear] = launch.now++;
  for (const SharedKnowledge& more : {thread.order.seen, thread.block->order.seen})
    if (more) snapshot->merge(*more);
  thread.order.fenced = snapshot;
}

void order_atomic(LaunchOrder& launch, Thread& thread, const void* address) {
  SharedKnowledge& place = launch.published[reinterpret_cast<std::uintptr_t>(address)];
  const SharedKnowledge before = place;
  merge_into(thread.order.read, before);
  merge_into(place, thread.order.fenced);
  merge_into(place, thread.block->order.fenced);
}

bool ordered(const Thread& thread, std::uint32_t block, unsigned other, Time time) {
  const BlockOrder& mine = thread.block->order;
  if (block == thread.block->number) {
    if (other == thread.linear || time <= mine.barrier) return true;
    if (other / 32 == thread.linear / 32 && time <= thread.order.lanes[other % 32]) return true;
  }
  return covers(thread.order.seen, block, other, time) || covers(mine.seen, block, other, time);
}

}  // namespace emulator
