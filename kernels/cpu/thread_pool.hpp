// SPDX-License-Identifier: Apache-2.0
/// \file
/// Worker threads of the CPU backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace cavi::kernels::cpu {

/// Threads that take numbered tasks from a common ticket. Which thread runs a task never shows in a result: tasks are
/// cut from the problem alone and write to places of their own.
///
/// Every thread, the caller's included, runs tasks with denormals flushed to zero (responsibilities below the smallest
/// normal number are zero by definition, and denormals cost 4x); the caller's mode is restored after.
class ThreadPool {
 public:
  /// 0 threads: as many as the machine has processors. One thread starts no thread at all. Throws DeviceError when the
  /// system refuses a thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;

  /// The number that scratch() wants from the calling code: inside a task its worker, elsewhere 0.
  int worker() const;

  /// Runs task(index, worker) for every index in [0, count) and returns when all are done; 0 <= worker < size().
  /// If tasks throw, the exception of the lowest index among those that ran is thrown after all threads have stopped;
  /// tasks not yet begun are skipped. Called from inside a task it runs inline, in order, as that task's worker.
  /// Calls from several threads at once wait for each other.
  void run(std::int64_t count, const std::function<void(std::int64_t index, int worker)>& task);

  /// At least `bytes` of memory aligned to 64 bytes that belong to the worker, kept between calls; the contents are
  /// whatever was left there. `user` in [0, 4) tells nested users apart (0: ops, 1: what they call).
  void* scratch(int worker, std::size_t bytes, int user = 0);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cavi::kernels::cpu
