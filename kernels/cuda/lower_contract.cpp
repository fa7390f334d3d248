// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/lower_contract.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

namespace cavi::kernels::cuda {
namespace {

constexpr std::int64_t kMaxPartials = std::int64_t(1) << 22;  // numbers in the sums of all slabs

/// One index of the nest. What it does to each pointer is a stride or a list of maps.
struct Index {
  Extent extent;
  std::array<std::int64_t, kMaxOperands + 1> stride{};
  std::vector<DeviceGather> gathers;
  std::int64_t reach = 0;  ///< values it can take: of the largest problem, of a map on out what that gives

  bool moves(int place) const {
    return stride[std::size_t(place)] != 0 ||
           std::any_of(gathers.begin(), gathers.end(), [&](const DeviceGather& g) { return g.place == place; });
  }
  bool fixed() const { return extent.plate < 0; }
};

struct Nest {
  double coefficient = 1;
  std::vector<Index> outer, inner;  ///< those that move out, and those that are summed over
};

void require(bool fits, const std::string& what) {
  if (!fits) throw ShapeError("contraction: " + what + "; split the term");
}

std::vector<Index> resolve(const Contract& op, const std::vector<std::int64_t>& extents, Tables& tables) {
  require(op.labels.size() <= kMaxLabels && op.operands.size() <= kMaxOperands,
          std::to_string(op.labels.size()) + " labels and " + std::to_string(op.operands.size()) +
              " operands; at most " + std::to_string(kMaxLabels) + " and " + std::to_string(kMaxOperands) + " fit");
  std::vector<Index> indices;
  for (const Extent& e : op.labels)
    indices.push_back({e, {}, {}, e.plate < 0 ? e.size : extents[std::size_t(e.plate)]});
  int gathers = 0;
  const auto add = [&](const Operand& operand, int place) {
    for (const Axis& axis : operand.axes) {
      Index& index = indices.at(std::size_t(axis.label));
      if (axis.map < 0)
        index.stride[std::size_t(place)] += axis.stride;
      else if (axis.stride != 0)
        index.gathers.push_back({axis.label, place, axis.stride, tables.map(axis.map)}), ++gathers;
    }
  };
  add(op.out, kOut);
  for (std::size_t o = 0; o < op.operands.size(); ++o) add(op.operands[o], int(o) + 1);
  require(gathers <= kMaxGathers, "more than " + std::to_string(kMaxGathers) + " mapped axes");
  return indices;
}

/// Drops indices of one value, counts those that move nothing, joins those that run through all arrays as one.
Nest simplify(const Contract& op, std::vector<Index> indices) {
  Nest nest{op.coefficient, {}, {}};
  for (Index& i : indices) {
    const bool still =
        i.gathers.empty() && std::all_of(i.stride.begin(), i.stride.end(), [](std::int64_t s) { return s == 0; });
    if (i.fixed() && i.extent.size == 1 && i.gathers.empty()) continue;
    if (still && i.fixed() && i.extent.size > 0)
      nest.coefficient *= double(i.extent.size);
    else
      (i.moves(kOut) ? nest.outer : nest.inner).push_back(std::move(i));
  }
  const auto joined = [](const Index& slow, const Index& fast) {
    if (!slow.fixed() || !fast.fixed() || !slow.gathers.empty() || !fast.gathers.empty()) return false;
    for (std::size_t place = 0; place < slow.stride.size(); ++place)
      if (slow.stride[place] != fast.stride[place] * fast.extent.size) return false;
    return true;
  };
  for (std::vector<Index>* list : {&nest.outer, &nest.inner})
    for (std::size_t a = 0; a < list->size(); ++a)
      for (std::size_t b = 0; b < list->size(); ++b) {
        if (a == b || !joined((*list)[a], (*list)[b])) continue;
        (*list)[b].extent.size *= (*list)[a].extent.size;
        (*list)[b].reach = (*list)[b].extent.size;
        list->erase(list->begin() + std::ptrdiff_t(a));
        a = std::size_t(-1);  // from the beginning
        break;
      }
  return nest;
}

/// Whether no two values of the indices meet in one element of out.
bool apart(const std::vector<Index>& outer) {
  std::vector<std::pair<std::int64_t, std::int64_t>> axis;  // stride, values
  for (const Index& i : outer) {
    if (!i.gathers.empty() &&
        std::any_of(i.gathers.begin(), i.gathers.end(), [](const auto& g) { return g.place == kOut; }))
      return false;
    axis.emplace_back(std::abs(i.stride[kOut]), i.reach);
  }
  std::sort(axis.begin(), axis.end());
  std::int64_t reach = 0;
  for (const auto& [stride, values] : axis) {
    if (stride <= reach) return false;
    reach += stride * (values - 1);
  }
  return true;
}

std::int64_t product(const std::vector<Index>& indices) {
  std::int64_t all = 1;
  for (const Index& i : indices) all *= i.extent.size;
  return all;
}

/// The longest comes first: a ragged one, else that of most values.
void longest_first(std::vector<Index>& inner) {
  const auto longest = std::max_element(inner.begin(), inner.end(), [](const Index& a, const Index& b) {
    if (a.fixed() != b.fixed()) return a.fixed();
    return a.reach < b.reach;
  });
  if (longest != inner.end()) std::rotate(inner.begin(), longest, longest + 1);
}

void put(DeviceContract& c, const Index& index) {
  const int label = c.labels++;
  c.extent[label] = index.extent;
  for (int place = 0; place <= kMaxOperands; ++place) c.stride[place][label] = index.stride[std::size_t(place)];
  for (DeviceGather g : index.gathers) {
    g.label = label;
    c.gather[c.gathers++] = g;
  }
}

}  // namespace

void lower_contract(const Contract& op, int number, const std::vector<std::int64_t>& extents, Tables& tables,
                    const std::function<Buffer(std::int64_t)>& temporary, std::vector<DeviceOp>& out) {
  Nest nest = simplify(op, resolve(op, extents, tables));
  longest_first(nest.inner);
  const bool parallel = apart(nest.outer);
  const bool fixed_outer = std::all_of(nest.outer.begin(), nest.outer.end(), [](const Index& i) { return i.fixed(); });
  const Index* lane = nest.inner.empty() ? nullptr : &nest.inner[0];

  DeviceOp device;
  device.kind = DeviceOp::Kind::contract;
  device.number = number;
  DeviceContract& c = device.contract = DeviceContract();
  c.coefficient = nest.coefficient;
  c.accumulate = op.accumulate;
  c.operands = int(op.operands.size());
  c.buffer[kOut] = op.out.buffer;
  c.offset[kOut] = op.out.offset;
  for (std::size_t o = 0; o < op.operands.size(); ++o) {
    c.buffer[o + 1] = op.operands[o].buffer;
    c.offset[o + 1] = op.operands[o].offset;
  }
  for (const Index& i : nest.outer) put(c, i);
  c.units = parallel ? c.labels : 0;
  c.writes = c.labels;
  if (lane) c.lane = c.labels;
  for (const Index& i : nest.inner) put(c, i);
  const std::int64_t units = fixed_outer ? product(nest.outer) : 0;
  // What decides is the shape of one problem or of the program, never how large other problems are.
  device.warp = lane && (!lane->fixed() || (lane->extent.size >= 16 && !(units >= 4096 && lane->extent.size < 64)));
  if (!lane || !parallel || !fixed_outer || units == 0 || units * 64 > kMaxPartials || slabs_of(lane->reach) == 1) {
    out.push_back(device);
    return;
  }

  // In slabs: their sums go to a packed buffer [slabs x units], and a second contraction adds them up.
  DeviceOp whole = device;
  DeviceContract& sum = whole.contract = DeviceContract();
  sum.coefficient = c.coefficient;
  sum.accumulate = c.accumulate;
  sum.operands = 1;
  sum.buffer[kOut] = c.buffer[kOut];
  sum.offset[kOut] = c.offset[kOut];
  sum.labels = sum.units = sum.writes = c.units;
  c.coefficient = 1;
  c.accumulate = false;
  c.slabs = slabs_of(lane->reach);
  c.slab_stride = units;
  c.buffer[kOut] = sum.buffer[1] = temporary(units * c.slabs);
  c.offset[kOut] = 0;
  std::int64_t stride = 1;
  for (int l = c.units - 1; l >= 0; --l) {
    sum.extent[l] = c.extent[l];
    sum.stride[kOut][l] = c.stride[kOut][l];
    sum.stride[1][l] = c.stride[kOut][l] = stride;
    stride *= c.extent[l].size;
  }
  sum.lane = sum.labels++;
  sum.extent[sum.lane] = {c.slabs, -1};
  sum.stride[1][sum.lane] = units;
  whole.warp = true;
  out.push_back(device);
  out.push_back(whole);
}

}  // namespace cavi::kernels::cuda
