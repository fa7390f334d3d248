// SPDX-License-Identifier: Apache-2.0
#include "emulator/address_space.hpp"

#include "emulator/executor.hpp"
#include "emulator/memory.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <new>

namespace emulator {
namespace {

constexpr std::size_t kTotal = kDeviceSpace + kPinnedSpace + kSharedSpace;
constexpr int kHostFaultExit = 86;

std::string hexadecimal(const void* address) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", address);
  return text;
}

// In a kernel the launch ends with a finding. In host code there is nothing to go back to: say what happened and leave.
void on_fault(int, siginfo_t* info, void*) {
  const void* address = info->si_addr;
  if (Thread* thread = current_thread()) {
    if (thread->fiber.on_guard(address)) kernel_fault(Finding::illegal_address, "the stack of a thread overflowed");
    kernel_fault(Finding::illegal_address,
                 "access to " + (is_emulated(address) ? describe(address) : hexadecimal(address)));
  }
  const std::string what = is_device(address)     ? "host code touched device memory: " + describe(address)
                           : is_emulated(address) ? "host code touched " + describe(address)
                                                  : "host code touched address " + hexadecimal(address);
  const std::string line = "[emulator] " + what + "\n";
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) _exit(kHostFaultExit + 1);
  _exit(kHostFaultExit);
}

void reserve() {
  void* range = mmap(nullptr, kTotal, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) throw std::bad_alloc();
  reserved = static_cast<char*>(range);
  mprotect(reserved + kDeviceSpace + kPinnedSpace, kSharedSpace, PROT_READ | PROT_WRITE);

  // The handler needs a stack of its own (a fiber's may be what overflowed) and is left without returning.
  static char stack[64 << 10];
  const stack_t alternative{stack, 0, sizeof stack};
  sigaltstack(&alternative, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

char* address_space() {
  if (!reserved) reserve();
  return reserved;
}

}  // namespace emulator
