// SPDX-License-Identifier: Apache-2.0
// Contractions against their definition in long double: random labels, strides, diagonals, index maps, ragged and empty
// extents; the same bits on any number of threads; no allocation.
#include "kernels/cpu/contract.hpp"

#include <cavi/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace {
std::atomic<long> allocations{0};
}

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

using cavi::kernels::Axis;
using cavi::kernels::Contract;
using cavi::kernels::Extent;
using cavi::kernels::Operand;
using cavi::kernels::Problem;
using cavi::kernels::cpu::contract;
using cavi::kernels::cpu::ThreadPool;

// An op with the memory it runs on.
struct Example {
  Contract op;
  std::vector<std::vector<double>> buffers;
  std::vector<std::int64_t> extents;  // by plate
  std::vector<std::vector<std::int32_t>> maps;

  Problem problem() {
    Problem p;
    for (auto& b : buffers) p.buffers.push_back(b.data());
    p.extents = extents;
    return p;
  }
  std::vector<double>& out() { return buffers[op.out.buffer]; }
  void run(ThreadPool& pool) {
    std::vector<const std::int32_t*> pointers;
    for (const auto& m : maps) pointers.push_back(m.data());
    contract(op, problem(), pool, pointers);
  }
};

struct Expected {
  std::vector<long double> value, magnitude;  // of out; magnitude is the sum of absolute values of what was added
};

// The definition, word by word.
Expected definition(Example& e) {
  const Problem p = e.problem();
  const Contract& op = e.op;
  std::vector<std::int64_t> extent, index(op.labels.size(), 0);
  for (const Extent& x : op.labels) extent.push_back(p.size(x));
  const auto place = [&](const Operand& o) {
    std::int64_t at = o.offset;
    for (const Axis& a : o.axes) at += a.stride * (a.map < 0 ? index[a.label] : e.maps[a.map][index[a.label]]);
    return at;
  };
  std::vector<bool> of_out(op.labels.size(), false);
  for (const Axis& a : op.out.axes) of_out[a.label] = true;
  const auto for_all = [&](auto wanted, auto body) {
    index.assign(extent.size(), 0);
    for (std::size_t l = 0; l < extent.size(); ++l)
      if (wanted(l) && extent[l] == 0) return;
    for (;;) {
      body();
      int l = int(extent.size()) - 1;
      for (; l >= 0; --l) {
        if (!wanted(l)) continue;
        if (++index[l] < extent[l]) break;
        index[l] = 0;
      }
      if (l < 0) return;
    }
  };
  Expected out;
  out.value.assign(e.out().begin(), e.out().end());
  out.magnitude.resize(out.value.size());
  if (op.accumulate)
    for (std::size_t i = 0; i < out.value.size(); ++i) out.magnitude[i] = std::abs(out.value[i]);
  else
    for_all([&](std::size_t l) { return of_out[l]; }, [&] { out.value[place(op.out)] = 0; });
  for_all([](std::size_t) { return true; }, [&] {
    long double product = op.coefficient;
    for (const Operand& o : op.operands) product *= p[o.buffer][place(o)];
    out.value[place(op.out)] += product;
    out.magnitude[place(op.out)] += std::abs(product);
  });
  return out;
}

void expect_definition(Example e, ThreadPool& pool, const std::string& what) {
  const Expected expected = definition(e);
  e.run(pool);
  for (std::size_t i = 0; i < expected.value.size(); ++i) {
    if (expected.magnitude[i] == 0)
      ASSERT_EQ(e.out()[i], double(expected.value[i])) << what << ", out[" << i << "]";
    else
      ASSERT_NEAR(e.out()[i], double(expected.value[i]), 2e-14 * double(expected.magnitude[i])) << what << ", out[" << i << "]";
  }
}

class Generator {
 public:
  explicit Generator(unsigned seed) : rng_(seed) {}
  int integer(int below) { return int(rng_() % unsigned(below)); }
  bool chance(int percent) { return integer(100) < percent; }
  double number() { return std::normal_distribution<double>()(rng_); }
  std::vector<double> numbers(std::int64_t n) {
    std::vector<double> x(n);
    for (double& v : x) v = number();
    return x;
  }
  std::vector<std::int32_t> map(std::int64_t from, int to) {
    std::vector<std::int32_t> m(from);
    for (auto& v : m) v = integer(to);
    return m;
  }

  Example example() {
    static const int sizes[] = {1, 1, 2, 3, 5, 7, 8, 9, 17, 33, 70};
    Example e;
    const int labels = integer(6);
    std::int64_t work = 1;
    for (int l = 0; l < labels; ++l) {
      std::int64_t size = chance(3) ? 0 : sizes[integer(std::size(sizes))];
      if (work * size > 40000) size = 1 + integer(2);
      work *= std::max<std::int64_t>(size, 1);
      if (chance(25)) {
        e.extents.push_back(size);
        e.op.labels.push_back({99, int(e.extents.size()) - 1});
      } else {
        e.op.labels.push_back({size, -1});
      }
    }
    e.op.coefficient = number();
    e.op.accumulate = chance(40);
    add_operand(e, e.op.out, 60, 15, true);
    e.op.operands.resize(integer(5));
    for (Operand& o : e.op.operands) {
      if (&o != &e.op.operands[0] && chance(15)) {
        o = e.op.operands[0];  // one buffer twice
        continue;
      }
      add_operand(e, o, 50, 15, false);
    }
    return e;
  }

  // A random layout of a random choice of labels, with gaps, diagonals, mapped, reversed and still axes.
  void add_operand(Example& e, Operand& o, int chosen, int mapped, bool out) {
    const Problem p = e.problem();
    struct Planned { Axis axis; std::int64_t size; };
    std::vector<Planned> axes;
    for (int l = 0; l < int(e.op.labels.size()); ++l)
      for (int twice = 0; twice < 2; ++twice) {
        if (!chance(twice ? 8 : chosen)) continue;
        const std::int64_t extent = p.size(e.op.labels[l]);
        if (chance(mapped)) {
          const int target = 1 + integer(9);
          e.maps.push_back(map(extent, target));
          axes.push_back({{l, 0, int(e.maps.size()) - 1}, target});
        } else {
          axes.push_back({{l, 0, -1}, std::max<std::int64_t>(extent, 1)});
        }
      }
    std::shuffle(axes.begin(), axes.end(), rng_);
    std::int64_t stride = chance(20) ? 2 : 1, first = integer(3), span = 1;
    for (auto& [axis, size] : axes) {
      if (span > 100000) break;
      axis.stride = out && chance(5) ? 1 : stride;
      span += axis.stride * (size - 1);
      stride = span + (chance(20) ? integer(3) : 0);
      if (chance(10)) first += axis.stride * (size - 1), axis.stride = -axis.stride;
    }
    for (const auto& a : axes) o.axes.push_back(a.axis);
    o.buffer = int(e.buffers.size());
    o.offset = first;
    e.buffers.push_back(numbers(first + span + 2));
  }

 private:
  std::mt19937 rng_;
};

TEST(Contract, FollowsTheDefinition) {
  ThreadPool pool(1);
  for (unsigned seed = 0; seed < 3000; ++seed) {
    expect_definition(Generator(seed).example(), pool, "seed " + std::to_string(seed));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
