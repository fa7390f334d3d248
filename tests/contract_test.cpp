// SPDX-License-Identifier: Apache-2.0
// Contractions against their definition in long double: random labels, strides, diagonals, index maps, ragged and empty
// extents; the same bits on any number of threads; no allocation.
#include "tests/contract_examples.hpp"

#include <cavi/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
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

using namespace cavi::contract_test;  // NOLINT

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
