// SPDX-License-Identifier: Apache-2.0
/// \file
/// A stack that can be left and entered again: one per CUDA thread. About 20 ns a switch on x86-64, where only the
/// registers that a call preserves are saved; elsewhere ucontext, which also makes a system call.
#pragma once

#include <cstddef>
#include <memory>

namespace emulator {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// The next resume() calls entry() on an empty stack. entry() must never return: it suspends for good.
  void start(void (*entry)());
  /// From outside: runs the fiber until it suspends.
  void resume();
  /// From inside: back to whoever resumed it.
  void suspend();

  bool on_stack(const void* address) const;
  bool on_guard(const void* address) const;  ///< just below the stack: it has overflowed

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace emulator
