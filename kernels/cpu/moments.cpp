// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/moments.hpp"

#include "kernels/cpu/reduce.hpp"
#include "kernels/failures.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>

namespace cavi::kernels::cpu {
namespace {

constexpr int kMaxSlots = 4;
constexpr std::int64_t kMaxSlabs = 64;
constexpr double kSlabWork = 2e5;  // about 100 microseconds

struct Layout {
  int slots = 0;
  std::array<std::int64_t, kMaxSlots> size{};
  double work = 1;  // operations per element, roughly
};

Layout layout(const Moments& op) {
  const std::int64_t d = op.dimension, j = op.inner;
  const double n = double(d);
  switch (op.family) {
    case Family::gaussian: return {2, {d, d * d}, 100 + n * n * n};
    case Family::wishart: return {2, {d * d, 1}, 100 + n * (200 + n * n)};
    case Family::normal_wishart:
      return {4, {d * d, 1, j * d, j}, 100 + n * (200 + n * n) + 2 * double(j) * (20 + n * n)};
    case Family::dirichlet: return {1, {d}, 100 + 150 * n};
    case Family::sticks: return {3, {d, d, d}, 300 * n};
    case Family::categorical: return {1, {d}, 30 + 20 * n};
  }
  return {};
}

// A partition in memory that a worker owns, followed by the family's workspace.
struct Blocks {
  math::Partition partition;
  double* workspace = nullptr;
};

Blocks flatten(const Moments& op, ThreadPool& pool, int worker) {
  std::int64_t coordinates = 0, squares = 0, largest = 0;
  for (const auto& block : op.blocks) {
    const auto n = std::int64_t(block.size());
    coordinates += n;
    squares += n * n;
    largest = std::max(largest, n);
  }
  const auto wrong = [&op] {
    return ShapeError("factor '" + op.factor + "': blocks must name each of its " + std::to_string(op.dimension) +
                      " coordinates exactly once");
  };
  if (coordinates != op.dimension) throw wrong();

  const std::size_t numbers = std::size_t(squares + largest);
  const std::size_t integers = op.blocks.size() + 1 + 2 * std::size_t(coordinates);
  auto* memory = static_cast<double*>(pool.scratch(worker, numbers * sizeof(double) + integers * sizeof(int)));
  auto* offsets = reinterpret_cast<int*>(memory + numbers);
  int *index = offsets + op.blocks.size() + 1, *seen = index + coordinates;
  std::fill_n(seen, coordinates, 0);
  int b = 0, end = 0;
  offsets[0] = 0;
  for (const auto& block : op.blocks) {
    for (const int i : block) {
      if (i < 0 || i >= op.dimension || seen[i]++) throw wrong();
      index[end++] = i;
    }
    offsets[++b] = end;
  }
  return {{index, offsets, b}, memory};
}

struct Update {
  const Moments& op;
  const Problem& problem;
  ThreadPool& pool;
  Layout shape;
  std::int64_t elements, slabs;
  std::array<double, kMaxSlabs> entropy{};

  math::Moment element(const double* const* eta, double* const* u, const Blocks& blocks) const {
    const int d = op.dimension;
    switch (op.family) {
      case Family::gaussian:
        return op.blocks.empty() ? math::gaussian(eta, u, d)
                                 : math::gaussian_blocks(eta, u, d, blocks.partition, blocks.workspace);
      case Family::wishart: return math::wishart(eta, u, d);
      case Family::normal_wishart: return math::normal_wishart(eta, u, d, op.inner);
      case Family::dirichlet: return math::dirichlet(eta, u, d);
      case Family::sticks: return math::sticks(eta, u, d);
      case Family::categorical: return math::categorical(eta, u, d);
    }
    return {};
  }

  void operator()(std::int64_t s, int worker) {
    const Range range = slab_range(elements, slabs, s);
    const Blocks blocks = op.blocks.empty() ? Blocks{} : flatten(op, pool, worker);
    const double* weight = op.weight == kNoBuffer ? nullptr : problem[op.weight];
    std::array<const double*, kMaxSlots> eta{};
    std::array<double*, kMaxSlots> u{};
    for (int i = 0; i < shape.slots; ++i) {
      eta[i] = problem[op.eta[i]] + range.begin * shape.size[i];
      u[i] = problem[op.u[i]] + range.begin * shape.size[i];
    }
    PairwiseSum sum;
    for (std::int64_t e = range.begin; e < range.end; ++e) {
      const math::Moment moment = element(eta.data(), u.data(), blocks);
      if (moment.failure != math::Failure::none) throw moments_failure(op.factor, e, moment.failure);
      const double w = weight ? weight[e] : 1;
      if (w != 0) sum.add(w * moment.entropy);
      for (int i = 0; i < shape.slots; ++i) eta[i] += shape.size[i], u[i] += shape.size[i];
    }
    entropy[s] = sum.total();
  }
};

}  // namespace

void moments(const Moments& op, const Problem& problem, ThreadPool& pool) {
  const Layout shape = layout(op);
  if (int(op.eta.size()) != shape.slots || int(op.u.size()) != shape.slots)
    throw ShapeError("factor '" + op.factor + "': the family has " + std::to_string(shape.slots) + " slots");

  const std::int64_t elements = problem.size(op.elements);
  const double slabs = std::min({double(elements), double(kMaxSlabs), double(elements) * shape.work / kSlabWork});
  Update update{op, problem, pool, shape, elements, std::max<std::int64_t>(1, std::int64_t(slabs))};
  pool.run(update.slabs, std::ref(update));

  PairwiseSum total;
  for (std::int64_t s = 0; s < update.slabs; ++s) total.add(update.entropy[s]);
  if (op.entropy != kNoBuffer) *problem[op.entropy] = total.total();
}

}  // namespace cavi::kernels::cpu
