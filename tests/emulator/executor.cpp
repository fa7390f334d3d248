// SPDX-License-Identifier: Apache-2.0
#include "emulator/executor.hpp"

#include "emulator/checker.hpp"
#include "emulator/options.hpp"
#include "emulator/random.hpp"
#include "emulator/symbol.hpp"

#include <algorithm>
#include <bit>
#include <optional>

namespace emulator {
namespace {

constexpr std::size_t kThreadsInFlight = 1024;  // enough for a few blocks of any size
constexpr std::size_t kBlocksInFlight = 8;

struct State {
  const Launch* launch = nullptr;
  const std::function<void()>* body = nullptr;
  std::optional<Fault> fault;
  LaunchOrder order;
  Schedule schedule = Schedule::forward;
  Random random{1};
  std::uint64_t launches = 0;
  std::vector<std::unique_ptr<Thread>> idle;
};
State state;
// By host thread: what another host thread does meanwhile is host code.
thread_local Thread* running = nullptr;

void run_body() {
  (*state.body)();
  running->wait = Wait::done;
  running->fiber.suspend();
}

bool in_flight_together() { return state.schedule == Schedule::random || state.schedule == Schedule::interleaved; }

// ---- life of a block

std::unique_ptr<Block> start_block(std::uint32_t number) {
  const dim3 grid = state.launch->grid, shape = state.launch->block;
  auto block = std::make_unique<Block>();
  block->number = number;
  block->index = {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y};
  const unsigned threads = shape.x * shape.y * shape.z;
  block->alive = threads;
  block->warps.resize((threads + 31) / 32);
  block->shared.open();
  if (state.launch->dynamic_shared) block->shared.add(nullptr, state.launch->dynamic_shared);
  for (unsigned i = 0; i < threads; ++i) {
    if (state.idle.empty()) state.idle.push_back(std::make_unique<Thread>());
    Thread* thread = state.idle.back().release();
    state.idle.pop_back();
    thread->linear = i;
    thread->lane = i % 32;
    thread->index = {i % shape.x, i / shape.x % shape.y, i / shape.x / shape.y};
    thread->block = block.get();
    thread->warp = &block->warps[i / 32];
    thread->warp->lanes[i % 32] = thread;
    thread->warp->exists |= 1u << (i % 32);
    thread->wait = Wait::nothing;
    thread->order = {};
    thread->fiber.start(run_body);
    block->threads.push_back(thread);
  }
  block->ready = block->threads;
  return block;
}

void end_block(Block& block) {
  check_block_end(block);
  for (Thread* thread : block.threads) state.idle.emplace_back(thread);
  block.shared.close();
}

// ---- which thread next

Thread* next_ready(Block& block) {
  std::vector<Thread*>& ready = block.ready;
  Thread* thread = nullptr;
  if (state.schedule == Schedule::reverse) {
    thread = ready.back();
    ready.pop_back();
  } else if (state.schedule == Schedule::random) {
    std::swap(ready[block.first_ready + state.random.below(ready.size() - block.first_ready)], ready.back());
    thread = ready.back();
    ready.pop_back();
  } else {
    thread = ready[block.first_ready++];
    if (block.first_ready >= kThreadsInFlight) {  // rarely, so that taking from the front costs nothing
      ready.erase(ready.begin(), ready.begin() + block.first_ready);
      block.first_ready = 0;
    }
  }
  if (block.first_ready == ready.size()) {
    ready.clear();
    block.first_ready = 0;
  }
  return thread;
}

void resume(Thread& thread) {
  running = &thread;
  threadIdx = thread.index;
  blockIdx = thread.block->index;
  blockDim = state.launch->block;
  gridDim = state.launch->grid;
  thread.fiber.resume();
  running = nullptr;
  if (state.fault) throw *state.fault;
}

// ---- who may go on

std::string doing(const Thread& thread) { return std::string(thread.operation) + " at " + id(thread.site); }

[[noreturn]] void fail(Finding finding, const Thread& thread, const std::string& text) {
  throw Fault(finding, function_name(state.launch->kernel) + ", " + where(thread) + ": " + text);
}

bool same_place(const Thread& a, const Thread& b) { return a.operation == b.operation && a.site == b.site; }

void release_warp(Warp& warp, const Thread& arrived) {
  const unsigned mask = arrived.collective.mask;
  if ((warp.waiting & mask) != mask) return;
  for (unsigned m = mask; m; m &= m - 1) {
    const Thread& lane = *warp.lanes[std::countr_zero(m)];
    // Another mask or place may still be an earlier meeting of that lane; if not, nothing will move it.
    if (lane.collective.mask != mask || !same_place(lane, arrived)) return;
  }
  for (unsigned m = mask; m; m &= m - 1) {
    Thread& lane = *warp.lanes[std::countr_zero(m)];
    if (lane.collective.complete) lane.collective.complete(lane);
  }
  if (!arrived.collective.complete) order_warp(state.order, warp, mask);
  warp.waiting &= ~mask;
  for (unsigned m = mask; m; m &= m - 1) {
    Thread* lane = warp.lanes[std::countr_zero(m)];
    lane->wait = Wait::nothing;
    lane->block->ready.push_back(lane);
  }
}

void release_barrier(Block& block) {
  if (!block.at_barrier || block.at_barrier != block.alive) return;
  const auto waiting = [](const Thread* t) { return t->wait == Wait::barrier; };
  const Thread& first = **std::find_if(block.threads.begin(), block.threads.end(), waiting);
  if (block.alive != block.threads.size())
    fail(Finding::divergent_barrier, first,
         doing(first) + " while " + std::to_string(block.threads.size() - block.alive) +
             " threads have left the kernel");
  block.votes = 0;
  for (const Thread* thread : block.threads) {
    if (!same_place(*thread, first))
      fail(Finding::divergent_barrier, *thread, doing(*thread) + ", but " + where(first) + " is in " + doing(first));
    block.votes += thread->vote != 0;
  }
  order_barrier(state.order, block);
  block.at_barrier = 0;
  for (Thread* thread : block.threads) {
    thread->wait = Wait::nothing;
    block.ready.push_back(thread);
  }
}

void leave(Thread& thread) {
  Warp& warp = *thread.warp;
  warp.exited |= 1u << thread.lane;
  --thread.block->alive;
  for (const Thread* lane : warp.lanes)
    if (lane && lane->wait == Wait::warp && (lane->collective.mask >> thread.lane & 1))
      fail(Finding::exited_lane, thread,
           "left the kernel while lane " + std::to_string(lane->lane) + " waits for it in " + doing(*lane));
}

// What the thread's arrival allows.
void settle(Thread& thread) {
  Block& block = *thread.block;
  switch (thread.wait) {
    case Wait::nothing: block.ready.push_back(&thread); break;
    case Wait::warp:
      thread.warp->waiting |= 1u << thread.lane;
      release_warp(*thread.warp, thread);
      break;
    case Wait::barrier: ++block.at_barrier; break;
    case Wait::done: leave(thread); break;
  }
  release_barrier(block);
}

[[noreturn]] void explain_standstill(const Block& block) {
  for (const Warp& warp : block.warps)
    for (const Thread* a : warp.lanes)
      for (const Thread* b : warp.lanes)
        if (a && b && a->wait == Wait::warp && b->wait == Wait::warp && (a->collective.mask >> b->lane & 1) &&
            (a->collective.mask != b->collective.mask || !same_place(*a, *b))) {
          char masks[64];
          std::snprintf(masks, sizeof masks, " (masks %#x and %#x)", a->collective.mask, b->collective.mask);
          fail(Finding::wrong_mask, *a,
               doing(*a) + ", but lane " + std::to_string(b->lane) + " is in " + doing(*b) + masks);
        }
  std::string all;
  const Thread* first = nullptr;
  for (const Thread* thread : block.threads) {
    if (thread->wait == Wait::done || (first && same_place(*first, *thread))) continue;
    all += (first ? "; " : "") + where(*thread) + " waits in " + doing(*thread);
    if (first) break;
    first = thread;
  }
  fail(Finding::deadlock, *first, all);
}

void run_grid() {
  const dim3 grid = state.launch->grid;
  const std::uint64_t total = std::uint64_t(grid.x) * grid.y * grid.z;
  const dim3 shape = state.launch->block;
  const std::size_t limit = in_flight_together() ? std::clamp(kThreadsInFlight / (shape.x * shape.y * shape.z),
                                                              std::size_t(2), kBlocksInFlight)
                                                 : 1;
  std::vector<std::unique_ptr<Block>> blocks;
  struct Recycle {  // the threads of an abandoned launch too
    std::vector<std::unique_ptr<Block>>& blocks;
    ~Recycle() {
      running = nullptr;
      for (auto& block : blocks) end_block(*block);
    }
  } recycle{blocks};

  std::uint64_t started = 0;
  for (std::size_t turn = 0;; ++turn) {
    while (blocks.size() < limit && started < total) {
      const std::uint64_t next = state.schedule == Schedule::reverse ? total - 1 - started : started;
      blocks.push_back(start_block(static_cast<std::uint32_t>(next)));
      ++started;
    }
    if (blocks.empty()) return;
    const std::size_t which =
        state.schedule == Schedule::random ? state.random.below(blocks.size()) : turn % blocks.size();
    Block& block = *blocks[which];
    Thread& thread = *next_ready(block);
    resume(thread);
    settle(thread);
    if (block.alive == 0) {
      end_block(block);
      blocks.erase(blocks.begin() + which);
    } else if (block.ready.empty()) {
      explain_standstill(block);
    }
  }
}

}  // namespace

void execute(const Launch& launch, const std::function<void()>& body) {
  state.launch = &launch;
  state.body = &body;
  state.fault.reset();
  state.order = {};
  state.schedule = options().schedule;
  state.random = Random(options().seed * 1000003ull + ++state.launches);
  run_grid();
}

void reset_executor() { state.launches = 0; }

Thread* current_thread() { return running; }
const Launch& current_launch() { return *state.launch; }
LaunchOrder& current_order() { return state.order; }

void kernel_fault(Finding finding, const std::string& text) {
  // No exception: this is also reached from code that the compiler believes cannot throw. The thread is abandoned.
  Thread& thread = *running;
  state.fault = Fault(finding, function_name(state.launch->kernel) + ", " + where(thread) + ": " + text);
  thread.fiber.suspend();
  __builtin_unreachable();
}

std::string where(const Thread& thread) {
  const auto triple = [](const uint3& i) {
    return "(" + std::to_string(i.x) + "," + std::to_string(i.y) + "," + std::to_string(i.z) + ")";
  };
  return "block " + triple(thread.block->index) + " thread " + triple(thread.index);
}

void barrier(const char* operation, int vote, const Site& site) {
  if (!active(site)) return;
  Thread& thread = *running;
  thread.operation = operation;
  thread.site = site;
  thread.vote = vote;
  thread.wait = Wait::barrier;
  thread.fiber.suspend();
}

void meet(const char* operation, Collective collective, const Site& site) {
  Thread& thread = *running;
  const Warp& warp = *thread.warp;
  if (!(collective.mask >> thread.lane & 1))
    kernel_fault(Finding::wrong_mask, std::string(operation) + " at " + id(site) + ": the caller is not in its mask");
  collective.mask &= warp.exists;  // the last warp of a block may be partial
  if (collective.mask & warp.exited)
    kernel_fault(Finding::exited_lane, std::string(operation) + " at " + id(site) + ": lane " +
                                           std::to_string(std::countr_zero(collective.mask & warp.exited)) +
                                           " is in the mask and has left the kernel");
  thread.operation = operation;
  thread.site = site;
  thread.collective = collective;
  thread.wait = Wait::warp;
  thread.fiber.suspend();
}

void fence() {
  let_others_in();
  order_fence(state.order, *running);
}

void let_others_in() {
  if (state.schedule == Schedule::interleaved || (state.schedule == Schedule::random && state.random.below(2)))
    running->fiber.suspend();  // waits for nothing: goes back to the ready ones
}

}  // namespace emulator
