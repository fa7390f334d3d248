// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/contract.hpp"

#include "kernels/cpu/loop_nest.hpp"
#include "kernels/cpu/matrix_product.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <functional>
#include <string>

namespace cavi::kernels::cpu {
namespace {

constexpr double kSlabWork = 131072;  // products
constexpr std::int64_t kMaxSlabs = 64;
constexpr std::int64_t kMaxPartials = std::int64_t(1) << 22;  // numbers in the partial results of all slabs
constexpr std::int64_t kCombine = 4096;                       // numbers of a partial result that one task adds up

using Maps = std::span<const std::int32_t* const>;

void add_axes(const Operand& operand, int place, const Contract& op, const Problem& problem, Maps maps,
              LoopNest& nest) {
  nest.at[place] = problem[operand.buffer] + operand.offset;
  for (const Axis& axis : operand.axes) {
    if (axis.label < 0 || axis.label >= int(op.labels.size()))
      throw ShapeError("contraction: an axis has label " + std::to_string(axis.label) + " of " +
                       std::to_string(op.labels.size()));
    if (axis.map < 0) {
      nest.loop[axis.label].stride[place] += axis.stride;
    } else if (axis.map >= int(maps.size())) {
      throw ShapeError("contraction: index map " + std::to_string(axis.map) + " is not there; pass the program's maps");
    } else if (nest.gathers == kMaxGathers) {
      throw ShapeError("contraction: more than " + std::to_string(kMaxGathers) + " mapped axes; split the term");
    } else if (axis.stride != 0) {
      nest.gather[nest.gathers++] = {axis.label, place, axis.stride, maps[axis.map]};
    }
  }
}

LoopNest resolve(const Contract& op, const Problem& problem, Maps maps) {
  if (op.labels.size() > kMaxLabels || op.operands.size() > kMaxOperands)
    throw ShapeError("contraction: " + std::to_string(op.labels.size()) + " labels and " +
                     std::to_string(op.operands.size()) + " operands; at most " + std::to_string(kMaxLabels) + " and " +
                     std::to_string(kMaxOperands) + " fit, so split the term");
  LoopNest nest;
  nest.coefficient = op.coefficient;
  nest.loops = int(op.labels.size());
  nest.operands = int(op.operands.size());
  for (int l = 0; l < nest.loops; ++l) nest.loop[l].extent = problem.size(op.labels[l]);
  add_axes(op.out, kOut, op, problem, maps, nest);
  for (int o = 0; o < nest.operands; ++o) add_axes(op.operands[o], o + 1, op, problem, maps, nest);
  return nest;
}

// Whether some label has no value, so that nothing is added; `unreached` when it is one of out's.
bool empty(const Contract& op, const LoopNest& nest, bool& unreached) {
  bool empty = false;
  for (int l = 0; l < nest.loops; ++l) empty = empty || nest.loop[l].extent == 0;
  for (const Axis& axis : op.out.axes) unreached = unreached || nest.loop[axis.label].extent == 0;
  return empty;
}

void add_products(const LoopNest& nest, ThreadPool& pool, int worker) {
  if (!add_matrix_product(nest, pool, worker)) nest.add_products();
}

struct Cut {
  int loop = -1;
  std::int64_t slabs = 1;
};

Cut longest(const LoopNest& nest, bool of_out, std::int64_t limit) {
  Cut cut;
  std::int64_t extent = 1;
  for (int l = 0; l < nest.loops; ++l)
    if (nest.moves(l, kOut) == of_out && nest.loop[l].extent > extent) cut.loop = l, extent = nest.loop[l].extent;
  cut.slabs = std::min({extent, limit, std::int64_t(std::min(nest.work() / kSlabWork, double(kMaxSlabs)))});
  return cut;
}

// Slabs of a loop of out write to places of their own. (A reference in a std::function spares an allocation.)
void run_outer_slabs(const LoopNest& nest, Cut cut, bool accumulate, ThreadPool& pool) {
  const auto slab = [&](std::int64_t s, int worker) {
    LoopNest part = nest;
    part.restrict_to(cut.loop, slab_range(nest.loop[cut.loop].extent, cut.slabs, s));
    if (!accumulate) part.write_zeros();
    add_products(part, pool, worker);
  };
  pool.run(cut.slabs, std::ref(slab));
}

// Slabs of a reduced loop: each sums into a packed array over the loops of out, slab 0 takes the pairwise sum of all,
// and a last nest carries that to where out's axes want it.
void run_reduced_slabs(const LoopNest& nest, Cut cut, std::int64_t size, bool accumulate, ThreadPool& pool) {
  auto* partials = static_cast<double*>(pool.scratch(pool.worker(), std::size_t(cut.slabs * size) * sizeof(double)));
  LoopNest packed = nest, last = nest;
  packed.keep_gathers(false);
  last.keep_gathers(true);
  last.operands = 1;
  last.coefficient = 1;
  last.at[1] = partials;
  std::int64_t stride = 1;
  for (int l = nest.loops - 1; l >= 0; --l) {
    const bool of_out = nest.moves(l, kOut);
    packed.loop[l].stride[kOut] = last.loop[l].stride[1] = of_out ? stride : 0;
    if (of_out) stride *= nest.loop[l].extent;
  }
  for (int l = nest.loops - 1; l >= 0; --l)
    if (!nest.moves(l, kOut)) last.remove(l);

  const auto slab = [&](std::int64_t s, int worker) {
    LoopNest part = packed;
    part.at[kOut] = partials + s * size;
    part.restrict_to(cut.loop, slab_range(nest.loop[cut.loop].extent, cut.slabs, s));
    std::fill_n(part.at[kOut], size, 0.0);
    add_products(part, pool, worker);
  };
  pool.run(cut.slabs, std::ref(slab));

  const std::int64_t chunks = (size + kCombine - 1) / kCombine;
  const auto combine = [&](std::int64_t c, int) {
    const Range r = slab_range(size, chunks, c);
    for (std::int64_t step = 1; step < cut.slabs; step *= 2)
      for (std::int64_t s = 0; s + step < cut.slabs; s += 2 * step)
        for (std::int64_t i = r.begin; i < r.end; ++i) partials[s * size + i] += partials[(s + step) * size + i];
  };
  pool.run(chunks, std::ref(combine));

  const auto carry = [&](std::int64_t, int) {
    last.simplify();
    if (!accumulate) last.write_zeros();
    last.add_products();
  };
  pool.run(1, std::ref(carry));
}

bool run_in_slabs(const LoopNest& nest, bool accumulate, ThreadPool& pool) {
  std::int64_t size = 1;
  for (int l = 0; l < nest.loops; ++l)
    if (nest.moves(l, kOut)) size *= nest.loop[l].extent;
  const Cut reduced = longest(nest, false, kMaxPartials / size);
  const Cut outer = nest.one_write_each() ? longest(nest, true, kMaxSlabs) : Cut{};
  const std::int64_t reduced_extent = reduced.slabs > 1 ? nest.loop[reduced.loop].extent : 1;
  if (outer.slabs > 1 && nest.loop[outer.loop].extent >= reduced_extent)
    run_outer_slabs(nest, outer, accumulate, pool);
  else if (reduced.slabs > 1)
    run_reduced_slabs(nest, reduced, size, accumulate, pool);
  else
    return false;
  return true;
}

}  // namespace

void contract(const Contract& op, const Problem& problem, ThreadPool& pool, Maps maps) {
  LoopNest nest = resolve(op, problem, maps);
  // All arithmetic runs in tasks: they flush denormals, wherever the call comes from.
  bool nothing = false;
  const auto start = [&](std::int64_t, int) {
    bool unreached = op.accumulate;
    nothing = empty(op, nest, unreached);
    if (!nothing) nest.simplify();
    if (nothing && !unreached) nest.write_zeros();
  };
  const auto whole = [&](std::int64_t, int worker) {
    if (!op.accumulate) nest.write_zeros();
    add_products(nest, pool, worker);
  };
  if (nest.work() < 2 * kSlabWork) {
    const auto both = [&](std::int64_t, int worker) {
      start(0, worker);
      if (!nothing) whole(0, worker);
    };
    return pool.run(1, std::ref(both));
  }
  pool.run(1, std::ref(start));
  if (!nothing && !run_in_slabs(nest, op.accumulate, pool)) pool.run(1, std::ref(whole));
}

}  // namespace cavi::kernels::cpu
