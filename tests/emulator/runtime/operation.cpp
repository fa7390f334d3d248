// SPDX-License-Identifier: Apache-2.0
#include "emulator/runtime/operation.hpp"

#include "emulator/memory.hpp"
#include "emulator/options.hpp"
#include "emulator/random.hpp"
#include "emulator/report.hpp"

namespace emulator {
namespace {

struct Chain {
  std::uint32_t last = 0;  // sequence number
  OperationPtr tail;
};

struct State {
  std::vector<Moment> moments{{}, {0, 0, "host code"}};
  std::vector<Chain> chains{{}};
  std::vector<OperationPtr> ready;
  Clock host;
  Operation* running = nullptr;
  cudaError_t error = cudaSuccess;
  int executed = 0;
  std::uint64_t time = 0;
  Random random{1};
};
State state;

// Follows a dependency that nothing follows yet, or a chain that lies wholly in the past: clocks stay short.
void join_chain(const OperationPtr& operation) {
  std::uint32_t chain = 0;
  for (const OperationPtr& dependency : operation->dependencies)
    if (!chain && state.chains[dependency->chain].tail == dependency) chain = dependency->chain;
  for (std::uint32_t c = 1; !chain && c < state.chains.size(); ++c)
    if (operation->clock.of(c) >= state.chains[c].last) chain = c;
  if (!chain) {
    chain = static_cast<std::uint32_t>(state.chains.size());
    state.chains.emplace_back();
  }
  operation->chain = chain;
  operation->sequence = ++state.chains[chain].last;
  state.chains[chain].tail = operation;
  operation->number = static_cast<std::uint32_t>(state.moments.size());
  state.moments.push_back({chain, operation->sequence, operation->name});
}

void enter(const OperationPtr& operation) {
  join_chain(operation);
  std::vector<OperationPtr> pending;
  for (const OperationPtr& dependency : operation->dependencies) {
    if (dependency->done) {
      operation->clock.join(dependency->clock);
    } else {
      dependency->successors.push_back(operation);
      ++operation->waits_for;
      pending.push_back(dependency);
    }
  }
  operation->dependencies = std::move(pending);
  if (!operation->waits_for) state.ready.push_back(operation);
}

void finish(Operation& operation) {
  operation.done = true;
  operation.finished_at = state.time;
  operation.run = nullptr;
  operation.dependencies.clear();
  for (const OperationPtr& successor : operation.successors) {
    successor->clock.join(operation.clock);
    if (--successor->waits_for == 0) state.ready.push_back(successor);
  }
  operation.successors.clear();
}

void run(const OperationPtr& operation) {
  const DeviceAccess open;
  state.time += 1000;
  if (!operation->begun) {
    operation->begun = true;
    operation->clock.set(operation->chain, operation->sequence);
    if (operation->work && ++state.executed == options().failing_operation) state.error = cudaErrorLaunchFailure;
  }
  bool finished = true;
  Operation* outer = state.running;
  state.running = operation.get();
  if (!state.error) {
    try {
      finished = operation->run(*operation);
    } catch (const Fault& fault) {
      report(fault.finding, fault.what());  // names the kernel, block and thread
      state.error = fault.finding == Finding::misaligned ? cudaErrorMisalignedAddress : cudaErrorIllegalAddress;
    }
  }
  state.running = outer;
  if (finished)
    finish(*operation);
  else if (!operation->waits_for)
    state.ready.push_back(operation);
}

void run_ready(std::size_t which) {
  const OperationPtr operation = state.ready[which];
  state.ready[which] = state.ready.back();
  state.ready.pop_back();
  run(operation);
}

// Only what the operation needs, in some order.
void run_up_to(const OperationPtr& last) {
  std::vector<OperationPtr> path{last};
  while (!last->done) {
    const OperationPtr top = path.back();
    if (top->done) {
      path.pop_back();
    } else if (!top->waits_for) {
      run_ready(std::find(state.ready.begin(), state.ready.end(), top) - state.ready.begin());
    } else {
      std::erase_if(top->dependencies, [](const OperationPtr& d) { return d->done; });
      path.push_back(top->dependencies[random_below(static_cast<unsigned>(top->dependencies.size()))]);
    }
  }
}

}  // namespace

std::vector<Moment>& moments() { return state.moments; }

OperationPtr submit(std::string name, Run run, bool work, unsigned priority, std::vector<OperationPtr> dependencies) {
  auto operation = std::make_shared<Operation>();
  operation->name = std::move(name);
  operation->run = std::move(run);
  operation->work = work;
  operation->priority = priority;
  operation->dependencies = std::move(dependencies);
  operation->clock = state.host;
  state.host.set(0, state.host.of(0) + 1);  // what the host does from here on comes after
  enter(operation);
  return operation;
}

OperationPtr spawn(Operation& parent, std::string name, Run run, bool work, std::vector<OperationPtr> dependencies) {
  auto operation = std::make_shared<Operation>();
  operation->name = std::move(name);
  operation->run = std::move(run);
  operation->work = work;
  operation->priority = random_below(16);
  operation->dependencies = std::move(dependencies);
  operation->clock = parent.clock;
  enter(operation);
  operation->successors.push_back(parent.shared_from_this());
  ++parent.waits_for;
  parent.dependencies.push_back(operation);
  return operation;
}

bool run_one() {
  if (state.ready.empty()) return false;
  std::size_t which = state.random.below(state.ready.size());
  if (options().delay == Delay::priority && state.random.below(16))
    for (std::size_t i = 0; i < state.ready.size(); ++i)
      if (state.ready[i]->priority > state.ready[which]->priority) which = i;
  run_ready(which);
  return true;
}

void wait_for(const OperationPtr& operation, bool ordered) {
  if (!operation) return;
  const DeviceAccess open;  // once for all that runs
  if (options().delay == Delay::lazy) run_up_to(operation);
  while (!operation->done && run_one()) {
  }
  if (ordered) host_saw(*operation);
}

void wait_for_all() {
  const DeviceAccess open;
  while (run_one()) {
  }
  for (std::uint32_t c = 1; c < state.chains.size(); ++c) state.host.set(c, state.chains[c].last);
}

void let_work_run() {
  if (state.running || state.ready.empty() || options().delay == Delay::lazy) return;
  const DeviceAccess open;
  if (options().delay == Delay::eager) {
    while (run_one()) {
    }
  } else if (const unsigned rate = options().seed / 4 % 3; rate && random_below(rate == 1 ? 8 : 2) == 0) {
    for (unsigned n = 1 + random_below(3); n > 0 && run_one(); --n) {
    }
  }
}

void host_saw(const Operation& operation) { state.host.join(operation.clock); }
const Operation* current_operation() { return state.running; }
Clock& host_clock() { return state.host; }
std::uint64_t emulated_time() { return state.time; }
int executed_operations() { return state.executed; }
unsigned random_below(unsigned n) { return n ? static_cast<unsigned>(state.random.below(n)) : 0; }

cudaError_t device_error() { return state.error; }
void fail_device(cudaError_t error) { state.error = error; }

void reset_operations() {
  state = {};
  state.host.set(0, 1);
  state.random = Random(options().seed * 7919ull + 17);
}

}  // namespace emulator
