// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/levels.hpp"

#include <algorithm>
#include <set>

namespace cavi::kernels::cuda {
namespace {

// What bounds share, and what mixture sweeps work in: their order stays.
constexpr Buffer kCourse = -2, kScratch = -3;

struct Access {
  std::set<Buffer> reads, writes;
};

Access access(const DeviceOp& op, const BoundParts& parts) {
  Access a;
  const auto read = [&](Buffer b) { b == kNoBuffer ? void() : void(a.reads.insert(b)); };
  const auto write = [&](Buffer b) { b == kNoBuffer ? void() : void(a.writes.insert(b)); };
  switch (op.kind) {
    case DeviceOp::Kind::contract:
      for (int o = 1; o <= op.contract.operands; ++o) read(op.contract.buffer[o]);
      write(op.contract.buffer[kOut]);
      break;
    case DeviceOp::Kind::fill: read(op.fill.from), write(op.fill.buffer); break;
    case DeviceOp::Kind::moments:
      for (int i = 0; i < op.moments.slots; ++i) read(op.moments.eta[i]), write(op.moments.u[i]);
      read(op.moments.weight), write(op.moments.entropies), write(op.moments.workspace);
      break;
    case DeviceOp::Kind::mixture_sweep: {
      const MixtureSweepDevice& m = op.mixture_sweep;
      for (Buffer b : {m.weight, m.quadratic, m.linear, m.constant, m.second}) read(b);
      for (Buffer b : {m.count, m.first, m.second, m.entropy, kScratch}) write(b);
      break;
    }
    case DeviceOp::Kind::mixture_start:
      read(op.mixture_start.weight), write(op.mixture_start.sums), write(op.mixture_start.entropies);
      break;
    case DeviceOp::Kind::assign_start:
      read(op.assign_start.weight), write(op.assign_start.r), write(op.assign_start.entropies);
      break;
    case DeviceOp::Kind::bound:
      for (Buffer b : parts.at(op.number)) read(b);
      write(op.bound.record), write(kCourse);
      break;
  }
  return a;
}

bool meet(const std::set<Buffer>& a, const std::set<Buffer>& b) {
  return std::any_of(a.begin(), a.end(), [&](Buffer x) { return b.count(x) > 0; });
}

/// Whether a contraction adds to every element of the buffer, once.
bool covers(const DeviceOp& op, const DeviceFill& fill) {
  const DeviceContract& c = op.contract;
  if (op.kind != DeviceOp::Kind::contract || !c.accumulate || c.buffer[kOut] != fill.buffer || c.offset[kOut] != 0 ||
      c.units != c.writes || c.slabs != 1)
    return false;
  std::int64_t elements = 1;
  int plate = -1;
  for (int l = 0; l < c.units; ++l) {
    if (c.extent[l].plate < 0)
      elements *= c.extent[l].size;
    else if (plate < 0)
      plate = c.extent[l].plate;
    else
      return false;
  }
  for (int o = 1; o <= c.operands; ++o)
    if (c.buffer[o] == fill.buffer) return false;
  return elements == fill.size && plate == fill.plate;
}

}  // namespace

void remove_needless_fills(std::vector<DeviceOp>& ops, const BoundParts& parts) {
  for (std::size_t i = 0; i < ops.size();) {
    const DeviceOp fill = ops[i];
    if (fill.kind == DeviceOp::Kind::fill && fill.fill.from == kNoBuffer && fill.fill.value == 0) {
      std::size_t j = i + 1;
      for (; j < ops.size(); ++j) {
        const Access a = access(ops[j], parts);
        if (a.reads.count(fill.fill.buffer) || a.writes.count(fill.fill.buffer)) break;
      }
      if (j < ops.size() && covers(ops[j], fill.fill)) {
        ops[j].contract.accumulate = false;
        ops.erase(ops.begin() + std::ptrdiff_t(i));
        continue;
      }
    }
    ++i;
  }
}

std::vector<DeviceOp> in_levels(std::vector<DeviceOp> ops, const BoundParts& parts) {
  std::vector<Access> accesses;
  std::vector<int> level(ops.size(), 0);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Access a = access(ops[i], parts);
    for (std::size_t j = 0; j < i; ++j)
      if (meet(accesses[j].writes, a.reads) || meet(accesses[j].reads, a.writes) ||
          meet(accesses[j].writes, a.writes) || (ops[i].kind == DeviceOp::Kind::bound && ops[i].bound.last))
        level[i] = std::max(level[i], level[j] + 1);
    accesses.push_back(a);
  }
  std::vector<std::size_t> order(ops.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return level[a] < level[b]; });
  std::vector<DeviceOp> sorted;
  for (std::size_t i = 0; i < order.size(); ++i) {
    sorted.push_back(ops[order[i]]);
    sorted.back().meet = i + 1 == order.size() || level[order[i + 1]] != level[order[i]];
  }
  return sorted;
}

}  // namespace cavi::kernels::cuda
