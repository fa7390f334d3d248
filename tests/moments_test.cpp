// SPDX-License-Identifier: Apache-2.0
// Updates of whole plates: element by element the family, the same bits on any number of threads, weights, ragged and
// empty plates, and errors that name the first failing element.
#include "kernels/cpu/moments.hpp"

#include "tests/family_test.hpp"

#include <cavi/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace cavi::family_test;  // NOLINT
using cavi::kernels::Family;
using cavi::kernels::Moments;
using cavi::kernels::Problem;
using cavi::kernels::cpu::moments;
using cavi::kernels::cpu::ThreadPool;

// An op on a plate of random elements. Buffers: etas, us, weights, entropy.
struct Plate {
  Moments op;
  std::vector<Slots> element;  // eta of each
  Update family;
  std::vector<std::vector<double>> buffers;
  std::vector<std::int64_t> extents;

  std::vector<double>& u(int slot) { return buffers[op.u[slot]]; }
  double entropy() const { return buffers[op.entropy][0]; }
  void run(ThreadPool& pool) {
    Problem p;
    for (auto& b : buffers) p.buffers.push_back(b.data());
    p.extents = extents;
    moments(op, p, pool);
  }
};

Plate plate(Family family, int n, int j, int elements, unsigned seed) {
  static const Family order[] = {Family::gaussian,  Family::wishart, Family::normal_wishart,
                                 Family::dirichlet, Family::sticks,  Family::categorical};
  const auto which = std::size_t(std::find(std::begin(order), std::end(order), family) - std::begin(order));
  Random random(seed);
  Plate x;
  x.op.family = family;
  x.op.factor = "w";
  x.op.dimension = n;
  x.op.inner = j;
  x.op.elements = {elements, -1};
  const int slots = int(random_cases(n, j, random)[which].eta.size());
  x.family = random_cases(n, j, random)[which].update;
  x.buffers.resize(2 * slots + 2);
  for (int e = 0; e < elements; ++e) {
    x.element.push_back(random_cases(n, j, random)[which].eta);
    for (int s = 0; s < slots; ++s)
      x.buffers[s].insert(x.buffers[s].end(), x.element.back()[s].begin(), x.element.back()[s].end());
  }
  for (int s = 0; s < slots; ++s) {
    x.op.eta.push_back(s);
    x.op.u.push_back(slots + s);
    x.buffers[slots + s].assign(x.buffers[s].size() + 1, kNaN);  // one more, which nobody may write
  }
  x.buffers[2 * slots] = random.numbers(elements, 0, 3);
  x.op.entropy = 2 * slots + 1;
  x.buffers[2 * slots + 1] = {kNaN};
  return x;
}

const std::vector<Family> kFamilies = {Family::gaussian,  Family::wishart, Family::normal_wishart,
                                       Family::dirichlet, Family::sticks,  Family::categorical};

TEST(Moments, EveryElementIsItsFamily) {
  ThreadPool pool(2);
  for (const Family family : kFamilies)
    for (const int elements : {0, 1, 2, 100, 5000})
      for (const bool weighted : {false, true}) {
        Plate x = plate(family, 3, 2, elements, 11);
        if (weighted) x.op.weight = int(x.buffers.size()) - 2;
        x.run(pool);
        long double entropy = 0;
        for (int e = 0; e < elements; ++e) {
          const Result expected = cavi::family_test::run(x.family, x.element[e]);
          ASSERT_EQ(expected.failure, Failure::none);
          entropy += (weighted ? x.buffers[x.op.weight][e] : 1) * (long double)expected.entropy;
          for (std::size_t s = 0; s < expected.u.size(); ++s)
            ASSERT_EQ(std::memcmp(&x.u(int(s))[e * expected.u[s].size()], expected.u[s].data(),
                                  expected.u[s].size() * sizeof(double)),
                      0)
                << "element " << e << ", slot " << s;
        }
        for (std::size_t s = 0; s < x.op.u.size(); ++s)
          EXPECT_TRUE(std::isnan(x.u(int(s)).back())) << "wrote past the end";
        EXPECT_NEAR(x.entropy(), double(entropy), 1e-14 * (1 + 10. * elements)) << elements;
      }
}

TEST(Moments, BitsDoNotDependOnThreads) {
  ThreadPool one(1), two(2), eight(8);
  for (const Family family : kFamilies)
    for (const auto& [n, elements] : std::vector<std::pair<int, int>>{{2, 20011}, {40, 37}}) {
      Plate a = plate(family, n, 2, elements, 13), b = a, c = a, inside = a;
      a.run(one);
      b.run(two);
      c.run(eight);
      eight.run(1, [&](std::int64_t, int) { inside.run(eight); });
      for (const Plate* other : {&b, &c, &inside})
        for (std::size_t i = 0; i < a.buffers.size(); ++i)
          EXPECT_EQ(std::memcmp(a.buffers[i].data(), other->buffers[i].data(), a.buffers[i].size() * sizeof(double)),
                    0);
    }
}

TEST(Moments, IntegerWeightsAreRepeatedElements) {
  ThreadPool pool(2);
  Plate once = plate(Family::dirichlet, 4, 1, 300, 17), repeated = plate(Family::dirichlet, 4, 1, 0, 17);
  once.op.weight = int(once.buffers.size()) - 2;
  int copies = 0;
  for (int e = 0; e < 300; ++e) {
    once.buffers[once.op.weight][e] = e % 4;
    for (int i = 0; i < e % 4; ++i, ++copies)
      repeated.buffers[0].insert(repeated.buffers[0].end(), once.element[e][0].begin(), once.element[e][0].end());
  }
  repeated.op.elements = {copies, -1};
  repeated.u(0).assign(4 * copies, kNaN);
  once.run(pool);
  repeated.run(pool);
  EXPECT_NEAR(once.entropy(), repeated.entropy(), 1e-12 * (1 + std::abs(repeated.entropy())));
  for (std::size_t i = 0; i < 4 * 300; ++i) EXPECT_TRUE(std::isfinite(once.u(0)[i])) << "weight 0 is updated too";
}

TEST(Moments, RaggedPlatesRunAsFarAsTheProblemGoes) {
  ThreadPool pool(1);
  Plate x = plate(Family::categorical, 5, 1, 30, 19);
  x.op.elements = {0, 1};
  x.extents = {99, 12};
  x.run(pool);
  EXPECT_TRUE(std::isfinite(x.u(0)[12 * 5 - 1]));
  EXPECT_TRUE(std::isnan(x.u(0)[12 * 5]));
}

TEST(Moments, BlocksSeeTheMeansFromBefore) {
  ThreadPool pool(2);
  for (const int elements : {1, 3000}) {
    Plate x = plate(Family::gaussian, 4, 1, elements, 23);
    x.op.blocks = {{2}, {0, 3}, {1}};
    Random random(23);
    x.u(0) = random.numbers(4 * elements, -1, 1);
    const std::vector<double> before = x.u(0);
    x.run(pool);
    const std::vector<int> coordinates = {2, 0, 3, 1}, offsets = {0, 1, 3, 4};
    const math::Partition partition{coordinates.data(), offsets.data(), 3};
    std::vector<double> workspace(math::workspace_size(partition));
    for (int e = 0; e < elements; ++e) {
      std::vector<double> mean(before.begin() + 4 * e, before.begin() + 4 * e + 4), second(16);
      const double* eta[] = {x.element[e][0].data(), x.element[e][1].data()};
      double* u[] = {mean.data(), second.data()};
      math::gaussian_blocks(eta, u, 4, partition, workspace.data());
      ASSERT_EQ(std::memcmp(&x.u(0)[4 * e], mean.data(), sizeof(double) * 4), 0);
      ASSERT_EQ(std::memcmp(&x.u(1)[16 * e], second.data(), sizeof(double) * 16), 0);
    }
  }
}

std::string failure(Plate x, int threads) {
  ThreadPool pool(threads);
  try {
    x.run(pool);
  } catch (const cavi::NumericalError& e) {
    return e.what();
  }
  return "";
}

TEST(Moments, ErrorsNameTheFactorTheFirstFailingElementAndTheWayOut) {
  for (const int threads : {1, 8}) {
    Plate x = plate(Family::gaussian, 1, 1, 20000, 29);
    x.buffers[1][3] = 1;
    x.buffers[1][19999] = 1;
    EXPECT_EQ(failure(x, threads),
              "factor 'w', element 3: precision is not positive definite; give every coordinate a proper prior");
    x.buffers[1][3] = -1;
    x.buffers[0][12345] = kNaN;
    EXPECT_EQ(failure(x, threads).rfind("factor 'w', element 12345: natural parameters are not finite; ", 0), 0u);
  }
  Plate gamma = plate(Family::wishart, 1, 1, 2, 29);
  gamma.buffers[1][1] = -1.5;
  EXPECT_EQ(failure(gamma, 1).rfind("factor 'w', element 1: degrees of freedom", 0), 0u);
  Plate sticks = plate(Family::sticks, 2, 1, 1, 29);
  sticks.buffers[0][1] = -20;
  EXPECT_EQ(failure(sticks, 1).rfind("factor 'w', element 0: a concentration is not positive", 0), 0u);
}

TEST(Moments, RefusesBlocksThatDoNotPartitionAndSlotsThatAreMissing) {
  ThreadPool pool(1);
  const std::vector<std::vector<std::vector<int>>> wrong = {{{0}}, {{0, 1}, {1}}, {{0}, {2}}, {{0}, {-1}}, {{0, 1, 2}}};
  for (const auto& blocks : wrong) {
    Plate x = plate(Family::gaussian, 2, 1, 1, 31);
    x.op.blocks = blocks;
    EXPECT_THROW(x.run(pool), cavi::ShapeError);
  }
  Plate x = plate(Family::gaussian, 2, 1, 1, 31);
  x.op.u.pop_back();
  EXPECT_THROW(x.run(pool), cavi::ShapeError);
}

}  // namespace
