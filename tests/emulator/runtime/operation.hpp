// SPDX-License-Identifier: Apache-2.0
/// \file
/// Work that has been put into streams: a graph of operations that run when something waits for them, or when the
/// seeded scheduler feels like it. Only dependencies give an order.
#pragma once

#include "emulator/clock.hpp"
#include "emulator/runtime/types.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace emulator {

struct Operation;
using OperationPtr = std::shared_ptr<Operation>;
/// True: finished. False: it has spawned others and wants to be called again after them.
using Run = std::function<bool(Operation&)>;

struct Operation : std::enable_shared_from_this<Operation> {
  std::uint32_t number = 0;
  std::string name;
  Run run;
  bool work = true;  ///< something a device executes, rather than a mark in a stream
  bool begun = false, done = false;
  int rounds = 0;  ///< for run() to count in
  unsigned priority = 0;
  std::size_t waits_for = 0;
  std::vector<OperationPtr> dependencies, successors;
  Clock clock;  ///< what is ordered before it
  std::uint32_t chain = 0, sequence = 0;
  std::uint64_t finished_at = 0;
};

/// From the host: ordered after everything the host has seen and after the dependencies.
OperationPtr submit(std::string name, Run run, bool work, unsigned priority, std::vector<OperationPtr> dependencies);
/// From a running operation, which then waits for the new one.
OperationPtr spawn(Operation& parent, std::string name, Run run, bool work, std::vector<OperationPtr> dependencies);

/// The host waits. A wait that correct code may not count on (`ordered` false) gives no order.
void wait_for(const OperationPtr& operation, bool ordered = true);
void wait_for_all();
/// Progress behind the caller's back: never, seldom, often or always, by options().
void let_work_run();
/// Runs one operation that is ready; false if there is none.
bool run_one();
void host_saw(const Operation& operation);

const Operation* current_operation();
Clock& host_clock();
std::uint64_t emulated_time();  ///< nanoseconds; a thousand per operation
int executed_operations();      ///< those that are work
unsigned random_below(unsigned n);

/// An error of the device: nothing runs any more and almost every call returns it, until reset().
cudaError_t device_error();
void fail_device(cudaError_t error);

void reset_operations();

}  // namespace emulator
