// SPDX-License-Identifier: Apache-2.0
// Contractions against their definition in long double: random labels, strides, diagonals, index maps, ragged and empty
// extents; the same bits on any number of threads; no allocation.
#include "kernels/cpu/contract.hpp"

#include <cavi/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {
std::atomic<long> allocations{0};
}

// Not inlined: the compiler would take the halves of a pair it sees through for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const auto unit = std::size_t(alignment);
  if (void* p = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

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

// By element of out: its value, the absolute values and the number of what was added up.
struct Expected {
  std::vector<long double> value, magnitude, terms;
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
  out.terms.resize(out.value.size());
  if (op.accumulate)
    for (std::size_t i = 0; i < out.value.size(); ++i) out.magnitude[i] = std::abs(out.value[i]);
  else
    for_all([&](std::size_t l) { return of_out[l]; }, [&] { out.value[place(op.out)] = 0; });
  for_all([](std::size_t) { return true; },
          [&] {
            long double product = op.coefficient;
            for (const Operand& o : op.operands) product *= p[o.buffer][place(o)];
            out.value[place(op.out)] += product;
            out.magnitude[place(op.out)] += std::abs(product);
            out.terms[place(op.out)] += 1;
          });
  return out;
}

// Any order of n additions is wrong by at most n units roundoff of what was added (Higham, Accuracy and Stability of
// Numerical Algorithms, 4.4); products add one for each factor.
void expect_definition(Example e, ThreadPool& pool, const std::string& what) {
  const Expected expected = definition(e);
  e.run(pool);
  for (std::size_t i = 0; i < expected.value.size(); ++i) {
    const double tolerance = 1.11e-16 * double(expected.magnitude[i] * (expected.terms[i] + 8));
    ASSERT_LE(std::abs(e.out()[i] - double(expected.value[i])), tolerance) << what << ", out[" << i << "]";
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

  // Up to five labels, up to `products` products.
  Example example(std::int64_t products) {
    static const int small[] = {1, 1, 2, 3, 5, 7, 8, 9, 17, 33, 70}, large[] = {2, 3, 8, 31, 70, 97, 129, 1030, 5000};
    Example e;
    const bool is_large = products > 100000;
    const int labels = is_large ? 2 + integer(4) : integer(6);
    std::int64_t work = 1;
    for (int l = 0; l < labels; ++l) {
      std::int64_t size = is_large ? large[integer(std::size(large))] : small[integer(std::size(small))];
      if (work * size > products) size = 1 + integer(2);
      if (chance(2)) size = 0;
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
    add_operand(e, e.op.out, is_large ? 45 : 60, is_large ? 8 : 15, true);
    e.op.operands.resize(is_large ? 2 + integer(3) : integer(5));
    for (Operand& o : e.op.operands) {
      if (&o != &e.op.operands[0] && chance(15)) {
        o = e.op.operands[0];  // one buffer twice
        continue;
      }
      add_operand(e, o, is_large ? 65 : 50, is_large ? 8 : 15, false);
    }
    return e;
  }

  // A random layout of a random choice of labels, with gaps, diagonals, mapped, reversed and still axes.
  void add_operand(Example& e, Operand& o, int chosen, int mapped, bool out) {
    const Problem p = e.problem();
    struct Planned {
      Axis axis;
      std::int64_t size;
    };
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

// "k,nk,nd->kd" with a size per letter; every array is packed, the last letter fastest.
Example example(const std::string& spec, const std::map<char, std::int64_t>& sizes, bool accumulate = false) {
  Example e;
  Generator generator(unsigned(spec.size()));
  const auto arrow = spec.find("->");
  std::string letters = spec.substr(arrow + 2);
  for (const char c : spec)
    if (sizes.count(c) && letters.find(c) == std::string::npos) letters += c;
  for (const char c : letters) e.op.labels.push_back({sizes.at(c), -1});
  const auto array = [&](const std::string& name) {
    Operand o;
    std::int64_t stride = 1;
    for (auto c = name.rbegin(); c != name.rend(); ++c) {
      o.axes.push_back({int(letters.find(*c)), stride, -1});
      stride *= sizes.at(*c);
    }
    o.buffer = int(e.buffers.size());
    e.buffers.push_back(generator.numbers(stride));
    return o;
  };
  e.op.out = array(spec.substr(arrow + 2));
  std::istringstream in(spec.substr(0, arrow));
  for (std::string name; std::getline(in, name, ',');) e.op.operands.push_back(array(name));
  e.op.coefficient = -0.5;
  e.op.accumulate = accumulate;
  return e;
}

// What a mixture's messages look like, at the sizes where tiles of rows, of columns and of the sum end.
const std::vector<std::string> kMessages = {"nk,nd->kd",       "nd,kd->nk",       "nk,nd,ne->kde", "kde,nd,ne->nk",
                                            "n,nk,nd,ne->kde", "kd,kde,ke->k",    "n,nk->k",       "nk->n",
                                            "kde,nk,nd,ne->",  "nd,nd->",         "n,n,n->",       "k,d->nkd",
                                            "ned,nke->dk",     "nk,kde,nd,n->ne", "dk->kd",        "nde->ned"};

TEST(Contract, FollowsTheDefinition) {
  ThreadPool pool(1);
  for (unsigned seed = 0; seed < 2000; ++seed) {
    expect_definition(Generator(seed).example(40000), pool, "seed " + std::to_string(seed));
    if (HasFatalFailure()) return;
  }
}

TEST(Contract, FollowsTheDefinitionWhenLarge) {
  ThreadPool pool(2);
  for (unsigned seed = 0; seed < 40; ++seed) {
    expect_definition(Generator(seed).example(600000), pool, "seed " + std::to_string(seed));
    if (HasFatalFailure()) return;
  }
}

TEST(Contract, FollowsTheDefinitionAtTheEndsOfTiles) {
  ThreadPool pool(2);
  for (const auto& spec : kMessages)
    for (const std::int64_t n : {0, 1, 7, 511, 512, 513, 1025})
      for (const std::int64_t k : {1, 4, 5, 33})
        for (const std::int64_t d : {0, 1, 3, 8}) {
          expect_definition(example(spec, {{'n', n}, {'k', k}, {'d', d}, {'e', d}}, n % 2 == 1), pool,
                            spec + " n=" + std::to_string(n) + " k=" + std::to_string(k) + " d=" + std::to_string(d));
          if (HasFatalFailure()) return;
        }
}

TEST(Contract, FollowsTheDefinitionForMatrixProducts) {
  ThreadPool pool(2);
  std::vector<std::array<std::int64_t, 3>> shapes = {
      {129, 97, 130}, {1, 97, 2000}, {97, 1, 2000}, {5, 3, 30000}, {200, 200, 2}};
  for (const int step : {-1, 0, 1}) {  // tiles have up to 128 rows, 96 columns and 512 terms
    shapes.push_back({128 + step, 9, 31});
    shapes.push_back({9, 96 + step, 31});
    shapes.push_back({9, 7, 512 + step});
  }
  for (const auto& [i, j, k] : shapes)
    for (const char* spec : {"ik,kj->ij", "ki,jk->ij", "ik,jk->ji", "ki,kj->ji", "ik,kj,k->ij", "ik,kj,i,j->ij"}) {
      expect_definition(
          example(spec, {{'i', i}, {'j', j}, {'k', k}}), pool,
          std::string(spec) + " " + std::to_string(i) + " " + std::to_string(j) + " " + std::to_string(k));
      if (HasFatalFailure()) return;
    }
}

TEST(Contract, BitsDoNotDependOnThreads) {
  std::vector<Example> examples;
  for (unsigned seed = 0; seed < 20; ++seed) examples.push_back(Generator(1000 + seed).example(1000000));
  for (const auto& spec : kMessages) examples.push_back(example(spec, {{'n', 10007}, {'k', 7}, {'d', 3}, {'e', 3}}));
  ThreadPool one(1), two(2), eight(8);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    Example a = examples[i], b = examples[i], c = examples[i];
    a.run(one);
    b.run(two);
    c.run(eight);
    const std::size_t bytes = a.out().size() * sizeof(double);
    EXPECT_EQ(std::memcmp(a.out().data(), b.out().data(), bytes), 0) << "example " << i << ", 2 threads";
    EXPECT_EQ(std::memcmp(a.out().data(), c.out().data(), bytes), 0) << "example " << i << ", 8 threads";
    Example inside = examples[i];  // as the single problem of a batch
    eight.run(1, [&](std::int64_t, int) { inside.run(eight); });
    EXPECT_EQ(std::memcmp(a.out().data(), inside.out().data(), bytes), 0) << "example " << i << ", inside a task";
  }
}

TEST(Contract, SmallOnesNeverAllocateAndLargeOnesOnlyOnce) {
  ThreadPool pool(1);
  for (const auto& spec : kMessages)
    for (const std::int64_t n : {3, 40000}) {
      Example e = example(spec, {{'n', n}, {'k', 5}, {'d', 3}, {'e', 3}});
      const Problem p = e.problem();
      if (n > 1000) contract(e.op, p, pool);
      const long before = allocations;
      contract(e.op, p, pool);
      EXPECT_EQ(allocations, before) << spec << ", n = " << n;
    }
}

TEST(Contract, SegmentedSumsAndGathersAreInverseViews) {
  // out[g(n), d] += x[n, d] and y[n, d] = out[g(n), d]: every row of y is the total of its group.
  ThreadPool pool(2);
  const std::int64_t rows = 100003, groups = 17, columns = 3;
  Generator generator(5);
  Example e;
  e.maps.push_back(generator.map(rows, groups));
  e.buffers = {generator.numbers(rows * columns), std::vector<double>(groups * columns, 99),
               std::vector<double>(rows * columns)};
  e.op.labels = {{0, 0}, {columns, -1}};
  e.extents = {rows};
  e.op.operands = {{0, 0, {{0, columns, -1}, {1, 1, -1}}}};
  e.op.out = {1, 0, {{0, columns, 0}, {1, 1, -1}}};
  std::vector<long double> totals(groups * columns);
  for (std::int64_t i = 0; i < rows * columns; ++i)
    totals[e.maps[0][i / columns] * columns + i % columns] += e.buffers[0][i];
  e.run(pool);
  for (std::int64_t i = 0; i < groups * columns; ++i) ASSERT_NEAR(e.buffers[1][i], double(totals[i]), 1e-10);

  std::swap(e.op.operands[0], e.op.out);
  e.op.out.buffer = 2;
  e.run(pool);
  for (std::int64_t i = 0; i < rows * columns; ++i)
    ASSERT_EQ(e.buffers[2][i], e.buffers[1][e.maps[0][i / columns] * columns + i % columns]);
}

TEST(Contract, SlabsMeetInOutputsThatAreReachedSeveralTimes) {
  ThreadPool pool(2);
  for (const bool accumulate : {false, true}) {
    // A long sum into a mapped output: slabs of n carry their total through the map.
    Example mapped = example("nk,nd->kd", {{'n', 9001}, {'k', 9}, {'d', 4}}, accumulate);
    mapped.maps.push_back(Generator(3).map(9, 5));
    mapped.op.out.axes.back().map = 0;  // of k: the slow axis comes last
    expect_definition(mapped, pool, "mapped");
    // Sums along antidiagonals: values of i in different slabs write to the same places.
    Example meeting = example("ij->i", {{'i', 1001}, {'j', 600}}, accumulate);
    meeting.op.out.axes = {{0, 1, -1}, {1, 1, -1}};
    meeting.out().resize(1600);
    expect_definition(meeting, pool, "antidiagonals");
  }
}

TEST(Contract, LongSumsKeepTheirDigits) {
  // A running sum of a million times 0.1 is wrong from the eleventh digit on.
  ThreadPool pool(2);
  Example e = example("n->", {{'n', 1000003}});
  e.buffers[1].assign(1000003, 0.1);
  e.op.coefficient = 1;
  e.run(pool);
  EXPECT_NEAR(e.out()[0], 100000.3, 1e-14 * 100000.3);
}

TEST(Contract, DenormalsAreZeroWhereverTheCallComesFrom) {
  ThreadPool pool(2);
  for (const std::int64_t n : {1, 3, 400000})
    for (const bool inside : {false, true}) {
      Example e = example("n,n->", {{'n', n}});
      for (int operand : {1, 2}) e.buffers[operand].assign(n, 1e-160);
      if (inside)
        pool.run(1, [&](std::int64_t, int) { e.run(pool); });
      else
        e.run(pool);
      EXPECT_EQ(e.out()[0], 0) << n;
    }
}

TEST(Contract, RefusesWhatDoesNotFit) {
  ThreadPool pool(1);
  Example labels = example("->", {});
  labels.op.labels.resize(11, {1, -1});
  EXPECT_THROW(labels.run(pool), cavi::ShapeError);
  Example operands = example("k,k,k,k,k,k,k->k", {{'k', 2}});
  EXPECT_THROW(operands.run(pool), cavi::ShapeError);
  Example axis = example("k->k", {{'k', 2}});
  axis.op.operands[0].axes[0].label = 1;
  EXPECT_THROW(axis.run(pool), cavi::ShapeError);
  Example map = example("k->k", {{'k', 2}});
  map.op.operands[0].axes[0].map = 0;
  EXPECT_THROW(map.run(pool), cavi::ShapeError);
  Example maps = example("k->k", {{'k', 2}});
  maps.maps = {{0, 1}};
  maps.op.operands[0].axes.assign(13, {0, 1, 0});
  EXPECT_THROW(maps.run(pool), cavi::ShapeError);
}

}  // namespace
