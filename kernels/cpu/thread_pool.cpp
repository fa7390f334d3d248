// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/thread_pool.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace cavi::kernels::cpu {
namespace {

// Turns denormals off for the calling thread as long as it lives.
class FlushDenormals {
 public:
#if defined(__SSE__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }  // flush results, read operands as zero
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  FlushDenormals() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
    __asm__ volatile("msr fpcr, %0" ::"r"(before_ | (std::uint64_t{1} << 24)));
  }
  ~FlushDenormals() { __asm__ volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  std::uint64_t before_;
#else
  FlushDenormals() {}
  ~FlushDenormals() {}
#endif
};

constexpr int kUsers = 4;
constexpr std::align_val_t kAlignment{64};

struct FreeAligned {
  void operator()(void* p) const { ::operator delete(p, kAlignment); }
};

struct alignas(64) Scratch {
  std::unique_ptr<void, FreeAligned> memory;
  std::size_t bytes = 0;
};

// The pool whose task this thread is running, and as which worker.
struct Place {
  const void* pool = nullptr;
  int worker = 0;
};
thread_local Place place;

class Enter {
 public:
  Enter(const void* pool, int worker) : before_(place) { place = {pool, worker}; }
  ~Enter() { place = before_; }

 private:
  Place before_;
};

}  // namespace

struct ThreadPool::Impl {
  using Task = std::function<void(std::int64_t, int)>;

  std::vector<std::array<Scratch, kUsers>> scratch;
  std::vector<std::thread> threads;

  std::mutex callers;  // one run at a time

  std::mutex mutex;  // guards everything up to `stop`
  std::condition_variable work, done;
  std::uint64_t round = 0;
  int busy = 0;
  bool stop = false;
  std::int64_t failed = 0;
  std::exception_ptr failure;

  const Task* task = nullptr;  // written before a round begins
  std::int64_t count = 0;
  alignas(64) std::atomic<std::int64_t> ticket{0};

  void take_tasks(int worker) {
    const Enter enter(this, worker);
    const FlushDenormals mode;
    for (std::int64_t i; (i = ticket.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        (*task)(i, worker);
      } catch (...) {
        ticket.store(count, std::memory_order_relaxed);
        const std::lock_guard lock(mutex);
        if (!failure || i < failed) failure = std::current_exception(), failed = i;
      }
    }
  }

  void serve(int worker) {
    for (std::uint64_t seen = 0;;) {
      {
        std::unique_lock lock(mutex);
        work.wait(lock, [&] { return stop || round != seen; });
        if (stop) return;
        seen = round;
      }
      take_tasks(worker);
      const std::lock_guard lock(mutex);
      if (--busy == 0) done.notify_one();
    }
  }

  void join() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    work.notify_all();
    for (auto& t : threads) t.join();
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  if (threads <= 0) threads = std::max(1, int(std::thread::hardware_concurrency()));
  impl_->scratch.resize(threads);
  impl_->threads.reserve(threads - 1);
  try {
    for (int worker = 1; worker < threads; ++worker)
      impl_->threads.emplace_back([impl = impl_.get(), worker] { impl->serve(worker); });
  } catch (const std::system_error& e) {
    impl_->join();
    throw DeviceError("cpu: the system refuses to start " + std::to_string(threads) + " threads (" + e.what() +
                      "); ask for fewer");
  } catch (...) {  // a thread that nobody joins would end the process
    impl_->join();
    throw;
  }
}

ThreadPool::~ThreadPool() { impl_->join(); }

int ThreadPool::size() const { return int(impl_->scratch.size()); }

int ThreadPool::worker() const { return place.pool == impl_.get() ? place.worker : 0; }

void ThreadPool::run(std::int64_t count, const std::function<void(std::int64_t, int)>& task) {
  if (place.pool == impl_.get()) {
    for (std::int64_t i = 0; i < count; ++i) task(i, place.worker);
    return;
  }
  if (count <= 0) return;
  Impl& pool = *impl_;
  const std::lock_guard caller(pool.callers);
  const bool alone = pool.threads.empty() || count == 1;
  {
    const std::lock_guard lock(pool.mutex);
    pool.task = &task;
    pool.count = count;
    pool.ticket.store(0, std::memory_order_relaxed);
    if (!alone) {
      pool.busy = int(pool.threads.size());
      ++pool.round;
    }
  }
  if (!alone) pool.work.notify_all();
  pool.take_tasks(0);
  std::unique_lock lock(pool.mutex);
  pool.done.wait(lock, [&] { return pool.busy == 0; });
  if (pool.failure) std::rethrow_exception(std::exchange(pool.failure, nullptr));
}

void* ThreadPool::scratch(int worker, std::size_t bytes, int user) {
  Scratch& s = impl_->scratch.at(worker).at(user);
  if (bytes > s.bytes) {
    s.memory.reset();
    s.bytes = 0;
    s.memory.reset(::operator new(bytes, kAlignment));
    s.bytes = bytes;
  }
  return s.memory.get();
}

}  // namespace cavi::kernels::cpu
