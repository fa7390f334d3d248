// SPDX-License-Identifier: Apache-2.0
#include "emulator/fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if !defined(__x86_64__) || defined(EMULATOR_UCONTEXT)
#undef EMULATOR_UCONTEXT
#define EMULATOR_UCONTEXT 1
#include <ucontext.h>
#else
#define EMULATOR_UCONTEXT 0
// Pushes what a call preserves, leaves its stack pointer in *save, and pops the same from the stack `load`.
extern "C" void emulator_switch(void** save, void* load);
asm(R"(
.pushsection .text
.globl emulator_switch
.type emulator_switch,@function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch,.-emulator_switch
.popsection
)");
#endif

namespace emulator {
namespace {
constexpr std::size_t kGuard = 4096;
constexpr std::size_t kStack = 256 << 10;  // address space; only what a kernel touches costs memory
constexpr std::size_t kLine = 5 * 64, kColours = 50;
}  // namespace

struct Fiber::Context {
  char* mapping = nullptr;
  std::size_t size = 0;  // of the stack in use
#if EMULATOR_UCONTEXT
  ucontext_t inside{}, outside{};
#else
  void* inside = nullptr;
  void* outside = nullptr;
#endif
  char* stack() const { return mapping + kGuard; }
};

Fiber::Fiber() : context_(std::make_unique<Context>()) {
  void* mapping =
      mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  context_->mapping = static_cast<char*>(mapping);
  mprotect(mapping, kGuard, PROT_NONE);
  // Stacks that begin at the same place in their pages would fight for the same lines of the cache.
  static std::size_t count = 0;
  context_->size = kStack - count++ % kColours * kLine;
}

Fiber::~Fiber() { munmap(context_->mapping, kGuard + kStack); }

bool Fiber::on_stack(const void* address) const {
  return static_cast<std::size_t>(static_cast<const char*>(address) - context_->stack()) < kStack;
}
bool Fiber::on_guard(const void* address) const {
  return static_cast<std::size_t>(static_cast<const char*>(address) - context_->mapping) < kGuard;
}

#if EMULATOR_UCONTEXT

void Fiber::start(void (*entry)()) {
  getcontext(&context_->inside);
  context_->inside.uc_stack.ss_sp = context_->stack();
  context_->inside.uc_stack.ss_size = context_->size;
  context_->inside.uc_link = nullptr;
  makecontext(&context_->inside, entry, 0);
}
void Fiber::resume() { swapcontext(&context_->outside, &context_->inside); }
void Fiber::suspend() { swapcontext(&context_->inside, &context_->outside); }

#else

void Fiber::start(void (*entry)()) {
  constexpr int kPreserved = 6;
  auto* top = reinterpret_cast<std::uint64_t*>(context_->stack() + context_->size);
  *--top = 0;  // where a return address would be: keeps the alignment that entry() expects
  *--top = reinterpret_cast<std::uint64_t>(entry);
  for (int i = 0; i < kPreserved; ++i) *--top = 0;
  context_->inside = top;
}
void Fiber::resume() { emulator_switch(&context_->outside, context_->inside); }
void Fiber::suspend() { emulator_switch(&context_->inside, context_->outside); }

#endif

}  // namespace emulator
