// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/loop_nest.hpp"

#include <algorithm>
#include <cstdlib>

namespace cavi::kernels::cpu {
namespace {

constexpr std::int64_t kTile = 1024;  // values of the innermost loop at a time: operands of a tile stay in L1
constexpr int kLanes = 8;

// What the innermost loop reads: moving operands by pointer and stride.
struct Stream {
  std::array<const double*, kMaxOperands> p;
  std::array<std::int64_t, kMaxOperands> stride;
};

template <int kOperands, bool kUnit>
double product(const Stream& s, std::int64_t i) {
  double x = 1;
  for (int o = 0; o < kOperands; ++o) x *= s.p[o][kUnit ? i : i * s.stride[o]];
  return x;
}

template <int kOperands, bool kUnit>
double sum_of_products(Stream s, std::int64_t n) {
  double lane[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int j = 0; j < kLanes; ++j) lane[j] += product<kOperands, kUnit>(s, i + j);
  for (; i < n; ++i) lane[0] += product<kOperands, kUnit>(s, i);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

template <int kOperands, bool kUnit>
void add_each(Stream s, std::int64_t n, double c, double* __restrict out, std::int64_t out_stride) {
  for (std::int64_t i = 0; i < n; ++i) out[kUnit ? i : i * out_stride] += c * product<kOperands, kUnit>(s, i);
}

template <int kOperands>
void innermost(const Stream& s, std::int64_t n, bool unit, double c, double* out, std::int64_t out_stride) {
  if (out_stride == 0)
    *out += c * (unit ? sum_of_products<kOperands, true>(s, n) : sum_of_products<kOperands, false>(s, n));
  else if (unit)
    add_each<kOperands, true>(s, n, c, out, 1);
  else
    add_each<kOperands, false>(s, n, c, out, out_stride);
}

using Innermost = void (*)(const Stream&, std::int64_t, bool, double, double*, std::int64_t);
constexpr Innermost kInnermost[] = {innermost<0>, innermost<1>, innermost<2>, innermost<3>,
                                    innermost<4>, innermost<5>, innermost<6>};

using Pointers = std::array<double*, kMaxOperands + 1>;

// Moves the pointers from value `from` of a loop to value `to`.
void step(const LoopNest& nest, int l, std::int64_t from, std::int64_t to, Pointers& at) {
  for (int o = 0; o <= nest.operands; ++o) at[o] += nest.loop[l].stride[o] * (to - from);
  for (int g = 0; g < nest.gathers; ++g)
    if (const Gather& x = nest.gather[g]; x.loop == l) at[x.place] += x.stride * (x.map[to] - x.map[from]);
}

// Calls body(pointers) for all values of the given loops, the last fastest.
template <class Body>
void for_each(const LoopNest& nest, const int* loops, int count, Body body) {
  Pointers at = nest.at;
  for (int g = 0; g < nest.gathers; ++g) at[nest.gather[g].place] += nest.gather[g].stride * nest.gather[g].map[0];
  std::array<std::int64_t, kMaxLabels> value{};
  for (;;) {
    body(at);
    int i = count - 1;
    for (; i >= 0; --i) {
      const std::int64_t v = value[i];
      if (v + 1 < nest.loop[loops[i]].extent) {
        step(nest, loops[i], v, v + 1, at);
        value[i] = v + 1;
        break;
      }
      step(nest, loops[i], v, 0, at);
      value[i] = 0;
    }
    if (i < 0) return;
  }
}

// Nanoseconds per product, roughly, with loop l innermost.
double innermost_cost(const LoopNest& nest, int l) {
  const Loop& loop = nest.loop[l];
  const auto cost = [](std::int64_t stride, double unit, double other) {
    return stride == 0 ? 0 : stride == 1 ? unit : other;
  };
  double sum = 10. / double(std::min(loop.extent, kTile)) + cost(loop.stride[kOut], 0.5, 1.5);
  for (int o = 1; o <= nest.operands; ++o) sum += cost(loop.stride[o], 0.25, 1);
  return sum;
}

struct Order {
  int inner = -1;  // a loop without maps, or none
  int outer[kMaxLabels];
  int count = 0;
};

// The innermost loop by cost; the others with the longest strides outermost, so that memory is walked in its order.
Order order(const LoopNest& nest) {
  Order order;
  double least = 0, weight[kMaxLabels];
  for (int l = 0; l < nest.loops; ++l) {
    weight[l] = 0;
    for (int o = 0; o <= nest.operands; ++o) weight[l] += double(std::abs(nest.loop[l].stride[o]));
    if (nest.gathered(l)) {
      weight[l] = 1e300;
    } else if (const double cost = innermost_cost(nest, l); order.inner < 0 || cost < least) {
      order.inner = l, least = cost;
    }
  }
  for (int l = 0; l < nest.loops; ++l) {
    if (l == order.inner) continue;
    int i = order.count++;
    for (; i > 0 && weight[order.outer[i - 1]] < weight[l]; --i) order.outer[i] = order.outer[i - 1];
    order.outer[i] = l;
  }
  return order;
}

}  // namespace

double LoopNest::work() const {
  double product = 1;
  for (int l = 0; l < loops; ++l) product *= double(loop[l].extent);
  return product;
}

bool LoopNest::gathered(int l) const {
  for (int g = 0; g < gathers; ++g)
    if (gather[g].loop == l) return true;
  return false;
}

bool LoopNest::moves(int l, int place) const {
  if (loop[l].stride[place] != 0) return true;
  for (int g = 0; g < gathers; ++g)
    if (gather[g].loop == l && gather[g].place == place) return true;
  return false;
}

bool LoopNest::one_write_each() const {
  std::array<std::pair<std::int64_t, std::int64_t>, kMaxLabels> axis;
  int axes = 0;
  for (int g = 0; g < gathers; ++g)
    if (gather[g].place == kOut) return false;
  for (int l = 0; l < loops; ++l)
    if (loop[l].stride[kOut] != 0) axis[axes++] = {std::abs(loop[l].stride[kOut]), loop[l].extent};
  std::sort(axis.begin(), axis.begin() + axes);
  std::int64_t reach = 0;
  for (int i = 0; i < axes; ++i) {
    if (axis[i].first <= reach) return false;
    reach += axis[i].first * (axis[i].second - 1);
  }
  return true;
}

void LoopNest::remove(int l) {
  int kept = 0;
  for (int g = 0; g < gathers; ++g)
    if (gather[g].loop != l) gather[kept++] = gather[g];
  gathers = kept;
  --loops;
  for (int i = l; i < loops; ++i) loop[i] = loop[i + 1];
  for (int g = 0; g < gathers; ++g) gather[g].loop -= gather[g].loop > l;
}

void LoopNest::restrict_to(int l, Range r) {
  for (int o = 0; o <= operands; ++o) at[o] += loop[l].stride[o] * r.begin;
  for (int g = 0; g < gathers; ++g)
    if (gather[g].loop == l) gather[g].map += r.begin;
  loop[l].extent = r.end - r.begin;
}

void LoopNest::simplify() {
  for (int l = loops - 1; l >= 0; --l) {
    bool still = true;
    for (int o = 0; o <= operands; ++o) still = still && !moves(l, o);
    if (still) coefficient *= double(loop[l].extent);
    if (!still && loop[l].extent > 1) continue;
    for (int g = 0; g < gathers; ++g)
      if (gather[g].loop == l) at[gather[g].place] += gather[g].stride * gather[g].map[0];
    remove(l);
  }
  for (int o = operands; o >= 1; --o) {
    bool still = true;
    for (int l = 0; l < loops; ++l) still = still && !moves(l, o);
    if (!still) continue;
    coefficient *= *at[o];
    for (int i = o; i < operands; ++i) at[i] = at[i + 1];
    for (int l = 0; l < loops; ++l)
      for (int i = o; i < operands; ++i) loop[l].stride[i] = loop[l].stride[i + 1];
    for (int g = 0; g < gathers; ++g) gather[g].place -= gather[g].place > o;
    --operands;
  }
  for (int slow = 0; slow < loops; ++slow)
    for (int fast = 0; fast < loops && !gathered(slow); ++fast) {
      bool one = fast != slow && !gathered(fast);
      for (int o = 0; one && o <= operands; ++o)
        one = loop[slow].stride[o] == loop[fast].stride[o] * loop[fast].extent;
      if (!one) continue;
      loop[fast].extent *= loop[slow].extent;
      remove(slow);
      slow = -1;  // from the start: joined loops may join again
      break;
    }
}

void LoopNest::add_products() const {
  const Order nesting = order(*this);
  if (nesting.inner < 0) {
    for_each(*this, nesting.outer, nesting.count, [this](const Pointers& p) {
      double x = coefficient;
      for (int o = 1; o <= operands; ++o) x *= *p[o];
      *p[kOut] += x;
    });
    return;
  }

  const Loop& inner = loop[nesting.inner];
  const std::int64_t out_stride = inner.stride[kOut];
  int moving[kMaxOperands], fixed[kMaxOperands], n_moving = 0, n_fixed = 0;
  bool unit = out_stride == 0 || out_stride == 1;
  Stream stream{};
  for (int o = 1; o <= operands; ++o) {
    if (inner.stride[o] == 0) {
      fixed[n_fixed++] = o;
      continue;
    }
    stream.stride[n_moving] = inner.stride[o];
    moving[n_moving++] = o;
    unit = unit && inner.stride[o] == 1;
  }
  const Innermost run = kInnermost[n_moving];

  LoopNest tile = *this;
  for (std::int64_t begin = 0; begin < inner.extent; begin += kTile) {
    tile.restrict_to(nesting.inner, {0, std::min(kTile, inner.extent - begin)});
    const std::int64_t n = tile.loop[nesting.inner].extent;
    for_each(tile, nesting.outer, nesting.count, [&](const Pointers& p) {
      double c = coefficient;
      for (int o = 0; o < n_fixed; ++o) c *= *p[fixed[o]];
      for (int o = 0; o < n_moving; ++o) stream.p[o] = p[moving[o]];
      run(stream, n, unit, c, p[kOut], out_stride);
    });
    for (int o = 0; o <= operands; ++o) tile.at[o] += inner.stride[o] * n;
  }
}

void LoopNest::write_zeros() const {
  LoopNest reached = *this;
  reached.operands = 0;
  int kept = 0;
  for (int g = 0; g < gathers; ++g)
    if (gather[g].place == kOut) reached.gather[kept++] = gather[g];
  reached.gathers = kept;
  for (int l = loops - 1; l >= 0; --l)
    if (!reached.moves(l, kOut)) reached.remove(l);
  const Order nesting = order(reached);
  const Loop inner = nesting.inner < 0 ? Loop{} : reached.loop[nesting.inner];
  for_each(reached, nesting.outer, nesting.count, [&](const Pointers& p) {
    for (std::int64_t i = 0; i < inner.extent; ++i) p[kOut][i * inner.stride[kOut]] = 0;
  });
}

}  // namespace cavi::kernels::cpu
