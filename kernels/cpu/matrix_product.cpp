// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/matrix_product.cpp"
#include <hwy/foreach_target.h>  // compiles this file once per instruction set

#include "kernels/cpu/matrix_product.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kBlockRows = 4;

std::int64_t lanes() { return std::int64_t(hn::Lanes(hn::ScalableTag<double>())); }

/// c[kBlockRows x kVectors of lanes] += a b, in registers over the whole of `depth`.
template <int kVectors>
void block(const double* HWY_RESTRICT a, std::int64_t a_row, std::int64_t a_summed, const double* HWY_RESTRICT b,
           std::int64_t columns, std::int64_t depth, double* HWY_RESTRICT c) {
  const hn::ScalableTag<double> d;
  hn::Vec<decltype(d)> sum[kBlockRows][kVectors];
  for (auto& row : sum)
    for (auto& v : row) v = hn::Zero(d);
  for (std::int64_t k = 0; k < depth; ++k, a += a_summed, b += columns)
    for (int i = 0; i < kBlockRows; ++i) {
      const auto left = hn::Set(d, a[i * a_row]);
      for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(left, hn::Load(d, b + j * lanes()), sum[i][j]);
    }
  for (int i = 0; i < kBlockRows; ++i)
    for (int j = 0; j < kVectors; ++j) hn::Store(sum[i][j], d, c + i * columns + j * lanes());
}

/// c[rows x columns] = a b for packed tiles padded to whole blocks.
void multiply(const double* a, std::int64_t a_row, std::int64_t a_summed, const double* b, double* c, std::int64_t rows,
              std::int64_t columns, std::int64_t depth) {
  for (std::int64_t j = 0; j < columns;) {
    const std::int64_t vectors = std::min<std::int64_t>(3, (columns - j) / lanes());
    for (std::int64_t i = 0; i < rows; i += kBlockRows) {
      const auto run = vectors == 3 ? block<3> : vectors == 2 ? block<2> : block<1>;
      run(a + i * a_row, a_row, a_summed, b + j, columns, depth, c + i * columns + j);
    }
    j += vectors * lanes();
  }
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cavi::kernels::cpu {
namespace {

HWY_EXPORT(lanes);
HWY_EXPORT(multiply);

constexpr std::int64_t kMaxColumns = 96, kMaxRows = 128, kMaxDepth = 512;
constexpr std::int64_t kTileNumbers = 16384;  // of one packed tile: 128 KiB
constexpr double kWorthTrying = 16384;        // products

// Nanoseconds, roughly: what decides is their ratios.
constexpr double kProductTime = 0.1, kPackTime = 1.5, kStoreTime = 1.5, kTileTime = 1500;

std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }
// To whole blocks of the kernel.
std::int64_t padded_rows(std::int64_t n) { return round_up(n, 4); }
std::int64_t padded_columns(std::int64_t n) { return round_up(n, HWY_DYNAMIC_DISPATCH(lanes)()); }

enum class Role { single, row, column, summed };

struct Plan {
  unsigned left = 0;  // operands of the left group, as bits of their places
  std::array<Role, kMaxLabels> role{};
  std::array<std::int64_t, kMaxLabels> block{};   // values of a loop in one tile
  std::int64_t rows = 1, columns = 1, depth = 1;  // of one tile
  double time = 0;
};

bool moves_group(const LoopNest& nest, int l, unsigned group) {
  for (int o = 1; o <= nest.operands; ++o)
    if ((group >> o & 1) && nest.moves(l, o)) return true;
  return false;
}

// Gives the loops of one role, last to first, as many values per tile as the limit allows.
std::int64_t fit(const LoopNest& nest, Role role, std::int64_t limit, Plan& plan) {
  std::int64_t size = 1;
  for (int l = nest.loops - 1; l >= 0; --l) {
    if (plan.role[l] != role) continue;
    plan.block[l] = std::min(nest.loop[l].extent, std::max<std::int64_t>(1, limit / size));
    size *= plan.block[l];
  }
  return size;
}

Plan plan_for(const LoopNest& nest, unsigned left) {
  const unsigned right = (2u << nest.operands) - 2 - left;
  Plan plan;
  plan.left = left;
  for (int l = 0; l < nest.loops; ++l) {
    const bool in_left = moves_group(nest, l, left), in_right = moves_group(nest, l, right);
    if (!nest.moves(l, kOut))
      plan.role[l] = Role::summed;
    else if (in_left != in_right)
      plan.role[l] = in_left ? Role::row : Role::column;
    plan.block[l] = 1;
  }
  plan.columns = fit(nest, Role::column, kMaxColumns, plan);
  plan.depth = fit(nest, Role::summed, std::min(kMaxDepth, kTileNumbers / padded_columns(plan.columns)), plan);
  plan.rows = fit(nest, Role::row, std::min(kMaxRows, kTileNumbers / plan.depth), plan);

  double tiles = 1;
  for (int l = 0; l < nest.loops; ++l) {
    const std::int64_t blocks = (nest.loop[l].extent + plan.block[l] - 1) / plan.block[l];
    tiles *= double(blocks);
  }
  const double r = double(plan.rows), c = double(plan.columns), d = double(plan.depth);
  plan.time = tiles * (kTileTime + kProductTime * double(padded_rows(plan.rows) * padded_columns(plan.columns)) * d +
                       kPackTime * nest.operands * (r + c) * d / 2 + kStoreTime * r * c);
  return plan;
}

// The product of one group over a tile into a packed array: `slow` and `fast` are roles, numbers of the role `slow` lie
// `stride` apart. The array is zero before.
void pack(const LoopNest& tile, unsigned group, const Plan& plan, Role slow, Role fast, std::int64_t stride,
          double* out) {
  LoopNest nest = tile;
  nest.coefficient = 1;
  nest.at[kOut] = out;
  std::array<int, kMaxOperands + 1> place{};
  nest.operands = 0;
  for (int o = 1; o <= tile.operands; ++o) {
    if (!(group >> o & 1)) continue;
    place[o] = ++nest.operands;
    nest.at[nest.operands] = tile.at[o];
    for (int l = 0; l < nest.loops; ++l) nest.loop[l].stride[nest.operands] = tile.loop[l].stride[o];
  }
  nest.gathers = 0;
  for (int g = 0; g < tile.gathers; ++g)
    if (const Gather& x = tile.gather[g]; place[x.place] > 0)
      nest.gather[nest.gathers++] = {x.loop, place[x.place], x.stride, x.map};
  std::int64_t next_slow = stride, next_fast = 1;
  for (int l = nest.loops - 1; l >= 0; --l) {
    std::int64_t& out_stride = nest.loop[l].stride[kOut];
    out_stride = 0;
    if (plan.role[l] == slow) out_stride = next_slow, next_slow *= nest.loop[l].extent;
    if (plan.role[l] == fast) out_stride = next_fast, next_fast *= nest.loop[l].extent;
  }
  for (int l = nest.loops - 1; l >= 0; --l)
    if (plan.role[l] != slow && plan.role[l] != fast && nest.loop[l].extent > 1) nest.remove(l);
  nest.simplify();
  nest.add_products();
}

// Adds a packed tile of the result, rows `stride` apart, to out.
void store(const LoopNest& tile, const Plan& plan, std::int64_t stride, double* result) {
  LoopNest nest = tile;
  nest.operands = 1;
  nest.at[1] = result;
  nest.keep_gathers(true);
  std::int64_t next_row = stride, next_column = 1;
  for (int l = nest.loops - 1; l >= 0; --l) {
    std::int64_t& in_stride = nest.loop[l].stride[1];
    in_stride = 0;
    if (plan.role[l] == Role::row) in_stride = next_row, next_row *= nest.loop[l].extent;
    if (plan.role[l] == Role::column) in_stride = next_column, next_column *= nest.loop[l].extent;
  }
  for (int l = nest.loops - 1; l >= 0; --l)
    if (plan.role[l] == Role::summed) nest.remove(l);
  nest.simplify();
  nest.add_products();
}

std::int64_t size_of(const LoopNest& nest, const Plan& plan, Role role) {
  std::int64_t size = 1;
  for (int l = 0; l < nest.loops; ++l)
    if (plan.role[l] == role) size *= nest.loop[l].extent;
  return size;
}

// Whether the left group is longer-stepping along rows than along what is summed.
bool rows_are_slow(const LoopNest& nest, const Plan& plan) {
  std::int64_t row = INT64_MAX, summed = INT64_MAX;
  for (int l = 0; l < nest.loops; ++l)
    for (int o = 1; o <= nest.operands; ++o)
      if ((plan.left >> o & 1) && nest.loop[l].stride[o] != 0) {
        std::int64_t& least = plan.role[l] == Role::summed ? summed : row;
        least = std::min(least, std::abs(nest.loop[l].stride[o]));
      }
  return row >= summed;
}

void run(const LoopNest& nest, const Plan& plan, double* a, double* b, double* c) {
  const unsigned right = (2u << nest.operands) - 2 - plan.left;
  const bool slow_rows = rows_are_slow(nest, plan);

  // Tiles in the order of roles single, column, summed, row: the right tile is packed once for all rows.
  std::array<int, kMaxLabels> loop{};
  int count = 0;
  for (const Role role : {Role::single, Role::column, Role::summed, Role::row})
    for (int l = 0; l < nest.loops; ++l)
      if (plan.role[l] == role) loop[count++] = l;
  std::array<std::int64_t, kMaxLabels> begin{};
  bool new_right = true;
  for (;;) {
    LoopNest tile = nest;
    for (int l = 0; l < nest.loops; ++l)
      tile.restrict_to(l, {begin[l], std::min(begin[l] + plan.block[l], nest.loop[l].extent)});
    const std::int64_t rows = size_of(tile, plan, Role::row), columns = size_of(tile, plan, Role::column);
    const std::int64_t depth = size_of(tile, plan, Role::summed);
    const std::int64_t b_row = padded_columns(columns), a_row = slow_rows ? depth : 1,
                       a_summed = slow_rows ? 1 : padded_rows(rows);
    if (new_right) {
      std::fill_n(b, depth * b_row, 0.0);
      pack(tile, right, plan, Role::summed, Role::column, b_row, b);
    }
    std::fill_n(a, padded_rows(rows) * depth, 0.0);
    if (slow_rows)
      pack(tile, plan.left, plan, Role::row, Role::summed, a_row, a);
    else
      pack(tile, plan.left, plan, Role::summed, Role::row, a_summed, a);
    HWY_DYNAMIC_DISPATCH(multiply)(a, a_row, a_summed, b, c, padded_rows(rows), b_row, depth);
    store(tile, plan, b_row, c);

    int i = count - 1;
    for (; i >= 0; --i) {
      const int l = loop[i];
      begin[l] += plan.block[l];
      if (begin[l] < nest.loop[l].extent) break;
      begin[l] = 0;
    }
    if (i < 0) return;
    new_right = plan.role[loop[i]] != Role::row;
  }
}

}  // namespace

bool add_matrix_product(const LoopNest& nest, ThreadPool& pool, int worker) {
  if (nest.operands < 2 || nest.work() < kWorthTrying) return false;
  Plan best;
  best.time = nest.time();
  bool found = false;
  for (unsigned left = 2; left < (2u << nest.operands) - 2; left += 2)
    if (const Plan plan = plan_for(nest, left); plan.time < best.time) best = plan, found = true;
  if (!found) return false;
  const std::int64_t a = round_up(padded_rows(best.rows) * best.depth, 8);
  const std::int64_t b = round_up(padded_columns(best.columns) * best.depth, 8);
  const std::int64_t size = a + b + padded_rows(best.rows) * padded_columns(best.columns);
  auto* memory = static_cast<double*>(pool.scratch(worker, std::size_t(size) * sizeof(double), 1));
  run(nest, best, memory, memory + a, memory + a + b);
  return true;
}

}  // namespace cavi::kernels::cpu
#endif
