// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/loop_nest.hpp"

#include <algorithm>
#include <cstdlib>

namespace cavi::kernels::cpu {
namespace {

constexpr std::int64_t kTile = 1024;  // values of the innermost loop at a time: operands of a tile stay in L1
constexpr int kLanes = 8;

// The two innermost loops: `count` values a `stride` apart, `times` over with all pointers a `step` further. Operands
// that stand still in the first loop are factors.
struct Innermost {
  std::int64_t count = 1, times = 1;
  double* out = nullptr;
  std::int64_t out_stride = 0, out_step = 0;
  std::array<const double*, kMaxOperands> moving, factor;
  std::array<std::int64_t, kMaxOperands> stride, moving_step, factor_step;
  int factors = 0;
};

template <int kMoving, bool kUnit>
double product(const Innermost& in, std::int64_t i) {
  double x = 1;
  for (int o = 0; o < kMoving; ++o) x *= in.moving[o][kUnit ? i : i * in.stride[o]];
  return x;
}

template <int kMoving, bool kUnit>
double sum_of_products(const Innermost& in) {
  double lane[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= in.count; i += kLanes)
    for (int j = 0; j < kLanes; ++j) lane[j] += product<kMoving, kUnit>(in, i + j);
  double rest = 0;
  for (; i < in.count; ++i) rest += product<kMoving, kUnit>(in, i);
  if (in.count < kLanes) return rest;
  return rest + (((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])));
}

template <int kMoving, bool kUnit>
void add_each(const Innermost& in, double c) {
  double* __restrict out = in.out;
  for (std::int64_t i = 0; i < in.count; ++i) out[kUnit ? i : i * in.out_stride] += c * product<kMoving, kUnit>(in, i);
}

template <int kMoving, bool kUnit, bool kReduced>
void innermost(Innermost in, double coefficient) {
  for (std::int64_t j = 0; j < in.times; ++j) {
    double c = coefficient;
    for (int o = 0; o < in.factors; ++o) c *= *in.factor[o], in.factor[o] += in.factor_step[o];
    if constexpr (kReduced)
      *in.out += c * sum_of_products<kMoving, kUnit>(in);
    else
      add_each<kMoving, kUnit>(in, c);
    for (int o = 0; o < kMoving; ++o) in.moving[o] += in.moving_step[o];
    in.out += in.out_step;
  }
}

using Run = void (*)(Innermost, double);
template <bool kUnit, bool kReduced>
constexpr Run kRuns[] = {innermost<0, kUnit, kReduced>, innermost<1, kUnit, kReduced>, innermost<2, kUnit, kReduced>,
                         innermost<3, kUnit, kReduced>, innermost<4, kUnit, kReduced>, innermost<5, kUnit, kReduced>,
                         innermost<6, kUnit, kReduced>};

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

double LoopNest::time() const {
  const int inner = order(*this).inner;
  return work() * (inner < 0 ? 10. : innermost_cost(*this, inner));
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

void LoopNest::keep_gathers(bool out) {
  int kept = 0;
  for (int g = 0; g < gathers; ++g)
    if ((gather[g].place == kOut) == out) gather[kept++] = gather[g];
  gathers = kept;
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
      for (int o = 0; one && o <= operands; ++o) one = loop[slow].stride[o] == loop[fast].stride[o] * loop[fast].extent;
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

  // The loop around the innermost one runs inside the kernel too, unless it has a map.
  const Loop& inner = loop[nesting.inner];
  int outer = nesting.count;
  if (outer > 0 && !gathered(nesting.outer[outer - 1])) --outer;
  const Loop second = outer < nesting.count ? loop[nesting.outer[outer]] : Loop{};

  Innermost in;
  int moving[kMaxOperands], factor[kMaxOperands], n_moving = 0;
  bool unit = inner.stride[kOut] == 0 || inner.stride[kOut] == 1;
  for (int o = 1; o <= operands; ++o) {
    if (inner.stride[o] == 0) {
      in.factor_step[in.factors] = second.stride[o];
      factor[in.factors++] = o;
    } else {
      in.stride[n_moving] = inner.stride[o];
      in.moving_step[n_moving] = second.stride[o];
      moving[n_moving++] = o;
      unit = unit && inner.stride[o] == 1;
    }
  }
  in.out_stride = inner.stride[kOut];
  in.out_step = second.stride[kOut];
  in.times = second.extent;
  const Run run = in.out_stride == 0 ? (unit ? kRuns<true, true> : kRuns<false, true>)[n_moving]
                                     : (unit ? kRuns<true, false> : kRuns<false, false>)[n_moving];

  for (std::int64_t begin = 0; begin < inner.extent; begin += kTile) {
    in.count = std::min(kTile, inner.extent - begin);
    for_each(*this, nesting.outer, outer, [&](const Pointers& p) {
      for (int o = 0; o < n_moving; ++o) in.moving[o] = p[moving[o]] + begin * in.stride[o];
      for (int o = 0; o < in.factors; ++o) in.factor[o] = p[factor[o]];
      in.out = p[kOut] + begin * in.out_stride;
      run(in, coefficient);
    });
  }
}

void LoopNest::write_zeros() const {
  LoopNest reached = *this;
  reached.operands = 0;
  reached.keep_gathers(true);
  for (int l = loops - 1; l >= 0; --l)
    if (!reached.moves(l, kOut)) reached.remove(l);
  const Order nesting = order(reached);
  const Loop inner = nesting.inner < 0 ? Loop{} : reached.loop[nesting.inner];
  for_each(reached, nesting.outer, nesting.count, [&](const Pointers& p) {
    for (std::int64_t i = 0; i < inner.extent; ++i) p[kOut][i * inner.stride[kOut]] = 0;
  });
}

}  // namespace cavi::kernels::cpu
