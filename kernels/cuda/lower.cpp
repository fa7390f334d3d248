// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/lower.hpp"

#include "kernels/cuda/levels.hpp"
#include "kernels/cuda/lower_contract.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace cavi::kernels::cuda {
namespace {

class Lowering {
 public:
  Lowering(const Program& program, const std::vector<std::int64_t>& extents, Tables& tables)
      : program_(program), extents_(extents), tables_(tables) {}

  Lowered run() {
    Lowered out;
    out.init = lower(program_.init, 0);
    out.sweep = lower(program_.sweep, int(program_.init.size()));
    out.temporaries = std::move(temporaries_);
    return out;
  }

 private:
  std::vector<DeviceOp> lower(const std::vector<Op>& ops, int first) {
    std::vector<DeviceOp> out;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      number_ = first + int(i);
      std::visit([&](const auto& op) { add(op, out); }, ops[i]);
      if (auto& last = out.back(); i + 1 == ops.size() && last.kind == DeviceOp::Kind::bound) last.bound.last = true;
    }
    remove_needless_fills(out, parts_);
    return in_levels(std::move(out), parts_);
  }

  Buffer temporary(std::int64_t size, int plate = -1) {
    temporaries_.push_back({"temporary", size, plate});
    return Buffer(program_.buffers.size() + temporaries_.size()) - 1;
  }
  /// One number per value of an extent, times `each`.
  Buffer temporary(const Extent& e, std::int64_t each) {
    return e.plate < 0 ? temporary(e.size * each) : temporary(each, e.plate);
  }

  /// Values of an extent in all problems.
  std::int64_t total(const Extent& e) const {
    return e.plate < 0 ? e.size * program_.problems : program_.plate_offsets[std::size_t(e.plate)].back();
  }

  DeviceOp start(DeviceOp::Kind kind, bool warp) const {
    DeviceOp op;
    op.kind = kind;
    op.warp = warp;
    op.number = number_;
    return op;
  }

  void add(const Contract& op, std::vector<DeviceOp>& out) {
    lower_contract(
        op, number_, extents_, tables_, [&](std::int64_t size) { return temporary(size); }, out);
  }

  /// out = the sum of a buffer over an extent.
  void add_sum(Buffer from, const Extent& over, Buffer to, std::vector<DeviceOp>& out) {
    add(Contract{1, {over}, {{from, 0, {{0, 1, -1}}}}, {to, 0, {}}, false}, out);
  }

  void add(const Fill& op, std::vector<DeviceOp>& out) { add_fill(op.buffer, kNoBuffer, op.value, out); }
  void add(const Copy& op, std::vector<DeviceOp>& out) { add_fill(op.to, op.from, 0, out); }
  void add_fill(Buffer to, Buffer from, double value, std::vector<DeviceOp>& out) {
    DeviceOp device = start(DeviceOp::Kind::fill, false);
    const BufferSpec& spec = program_.buffers[std::size_t(to)];
    device.fill = DeviceFill{to, from, value, spec.size, spec.plate};
    out.push_back(device);
  }

  void add(const Moments& op, std::vector<DeviceOp>& out) {
    DeviceOp device = start(DeviceOp::Kind::moments, false);
    DeviceMoments& m = device.moments = DeviceMoments();
    m.family = op.family;
    m.dimension = op.dimension;
    m.inner = op.inner;
    m.elements = op.elements;
    m.weight = op.weight;
    const std::int64_t d = op.dimension, j = op.inner;
    std::vector<std::int64_t> size = {d};
    if (op.family == Family::gaussian) size = {d, d * d};
    if (op.family == Family::wishart) size = {d * d, 1};
    if (op.family == Family::normal_wishart) size = {d * d, 1, j * d, j};
    if (op.family == Family::sticks) size = {d, d, d};
    if (op.eta.size() != size.size() || op.u.size() != size.size())
      throw ShapeError("factor '" + op.factor + "': the family has " + std::to_string(size.size()) + " slots");
    m.slots = int(size.size());
    std::copy(size.begin(), size.end(), m.size);
    std::copy(op.eta.begin(), op.eta.end(), m.eta);
    std::copy(op.u.begin(), op.u.end(), m.u);
    if (!op.blocks.empty()) add_partition(op, m);
    device.warp = op.family != Family::categorical && (op.dimension > 2 || op.inner > 8);
    m.entropies = temporary(op.elements, 1);
    out.push_back(device);
    if (op.entropy != kNoBuffer) add_sum(m.entropies, op.elements, op.entropy, out);
  }

  void add_partition(const Moments& op, DeviceMoments& m) {
    std::vector<std::int32_t> coordinates, offsets = {0};
    std::int64_t squares = 0, largest = 0;
    for (const auto& block : op.blocks) {
      coordinates.insert(coordinates.end(), block.begin(), block.end());
      offsets.push_back(std::int32_t(coordinates.size()));
      const auto n = std::int64_t(block.size());
      squares += n * n;
      largest = std::max(largest, n);
    }
    const std::set<std::int32_t> distinct(coordinates.begin(), coordinates.end());
    if (int(coordinates.size()) != op.dimension || int(distinct.size()) != op.dimension || *distinct.begin() != 0 ||
        *distinct.rbegin() != op.dimension - 1)
      throw ShapeError("factor '" + op.factor + "': blocks must name each of its " + std::to_string(op.dimension) +
                       " coordinates exactly once");
    m.blocks = int(op.blocks.size());
    m.coordinates = tables_.put(coordinates);
    m.offsets = tables_.put(offsets);
    m.workspace_size = squares + largest;
    m.workspace = temporary(op.elements, m.workspace_size);
  }

  /// Linear logits are sums of large terms, which want float64.
  static Scalar arithmetic(const MixtureShape& s) {
    return s.component == Component::linear ? Scalar::float64 : s.precision;
  }

  void add(const MixtureSweep& op, std::vector<DeviceOp>& out) {
    DeviceOp device = start(DeviceOp::Kind::mixture_sweep, false);
    const MixtureShape& s = op.shape;
    MixtureSweepDevice& m = device.mixture_sweep = MixtureSweepDevice();
    m.component = s.component;
    m.components = s.components;
    m.features = s.features;
    m.source = s.source;
    m.precision = arithmetic(s);
    m.weight = s.weight;
    m.count = s.count;
    m.first = s.first;
    m.second = s.second;
    m.entropy = s.entropy;
    m.quadratic = op.quadratic;
    m.linear = op.linear;
    m.constant = op.constant;
    m.operation = number_;
    out.push_back(device);
  }

  void add(const MixtureStart& op, std::vector<DeviceOp>& out) {
    const MixtureShape& s = op.shape;
    const SourceSpec& source = program_.sources[std::size_t(s.source)];
    const std::int64_t k = s.components, d = s.features;
    DeviceOp device = start(DeviceOp::Kind::mixture_start, true);
    DeviceMixtureStart& m = device.mixture_start = DeviceMixtureStart();
    m.component = s.component;
    m.precision = arithmetic(s);
    m.components = s.components;
    m.features = s.features;
    m.source = s.source;
    m.elements = {source.per_problem ? source.matrix.rows() / program_.problems : source.matrix.rows(),
                  source.per_problem ? source.plate : -1};
    const std::int64_t rows = m.elements.plate < 0 ? m.elements.size : extents_[std::size_t(m.elements.plate)];
    m.weight = s.weight;
    m.entropies = temporary(m.elements, 1);
    const std::int64_t size = start_size(s.component, s.components, s.features);
    m.slabs = start_slabs(rows, size);
    m.sums = temporary(m.slabs * size);
    m.given = tables_.responsibilities(op.responsibilities, total(m.elements), s.components);
    out.push_back(device);

    add_slabs(m.sums, 0, k, m.slabs, size, s.count, out);
    add_slabs(m.sums, k, k * d, m.slabs, size, s.first, out);
    if (s.component == Component::spherical)
      add(Contract{1,
                   {{k, -1}, {d, -1}, {m.slabs, -1}},
                   {{m.sums, k + k * d, {{0, d, -1}, {1, 1, -1}, {2, size, -1}}}},
                   {s.second, 0, {{0, 1, -1}}},
                   false},
          out);
    else if (s.component != Component::linear)
      add_slabs(m.sums, k + k * d, size - k - k * d, m.slabs, size, s.second, out);
    add_sum(m.entropies, m.elements, s.entropy, out);
  }

  /// to[i] = the sum over slabs of from[offset + slab * size + i], whatever the number of slabs in the same order.
  void add_slabs(Buffer from, std::int64_t offset, std::int64_t count, int slabs, std::int64_t size, Buffer to,
                 std::vector<DeviceOp>& out) {
    DeviceOp device = start(DeviceOp::Kind::contract, true);
    DeviceContract& c = device.contract = DeviceContract();
    c.labels = 2;
    c.units = c.writes = c.lane = 1;
    c.operands = 1;
    c.extent[0] = {count, -1};
    c.extent[1] = {slabs, -1};
    c.buffer[kOut] = to;
    c.buffer[1] = from;
    c.offset[1] = offset;
    c.stride[kOut][0] = c.stride[1][0] = 1;
    c.stride[1][1] = size;
    out.push_back(device);
  }

  void add(const AssignStart& op, std::vector<DeviceOp>& out) {
    DeviceOp device = start(DeviceOp::Kind::assign_start, false);
    device.assign_start =
        DeviceAssignStart{op.components,
                          op.elements,
                          op.weight,
                          op.r,
                          temporary(op.elements, 1),
                          tables_.responsibilities(op.responsibilities, total(op.elements), op.components)};
    out.push_back(device);
    add_sum(device.assign_start.entropies, op.elements, op.entropy, out);
  }

  void add(const Bound& op, std::vector<DeviceOp>& out) {
    DeviceOp device = start(DeviceOp::Kind::bound, false);
    device.bound = DeviceBound{int(op.parts.size()), tables_.put(op.parts), op.record, false};
    out.push_back(device);
    parts_[number_] = op.parts;
  }

  const Program& program_;
  const std::vector<std::int64_t>& extents_;
  Tables& tables_;
  std::vector<BufferSpec> temporaries_;
  BoundParts parts_;
  int number_ = 0;
};

std::int64_t value(const Extent& e, const std::vector<std::int64_t>& extents) {
  return e.plate < 0 ? e.size : extents[std::size_t(e.plate)];
}

Work work_of(const DeviceContract& c, const std::vector<std::int64_t>& extents) {
  Work w{c.slabs, 1};
  for (int l = 0; l < c.labels; ++l) {
    const std::int64_t extent = value(c.extent[l], extents);
    if (l < c.units) w.units *= extent;
    w.products *= double(extent);
  }
  return w;
}

}  // namespace

Lowered lower(const Program& program, const std::vector<std::int64_t>& extents, Tables& tables) {
  return Lowering(program, extents, tables).run();
}

Work work_of(const DeviceOp& op, const std::vector<std::int64_t>& extents) {
  switch (op.kind) {
    case DeviceOp::Kind::contract: return work_of(op.contract, extents);
    case DeviceOp::Kind::fill: {
      const std::int64_t n = op.fill.size * (op.fill.plate < 0 ? 1 : extents[std::size_t(op.fill.plate)]);
      return {n, double(n)};
    }
    case DeviceOp::Kind::moments: {
      const std::int64_t n = value(op.moments.elements, extents);
      const double d = op.moments.dimension, j = op.moments.inner;
      const bool matrix = op.moments.family == Family::gaussian || op.moments.family == Family::wishart ||
                          op.moments.family == Family::normal_wishart;
      return {n, double(n) * (matrix ? 200 * d + d * d * d + 2 * j * d * d : 100 * d)};
    }
    case DeviceOp::Kind::mixture_start: {
      const DeviceMixtureStart& s = op.mixture_start;
      const std::int64_t rows = value(s.elements, extents);
      return {start_units(s, rows), double(rows) * double(start_size(s.component, s.components, s.features))};
    }
    case DeviceOp::Kind::assign_start: {
      const std::int64_t n = value(op.assign_start.elements, extents);
      return {n, double(n) * 50 * op.assign_start.components};
    }
    case DeviceOp::Kind::mixture_sweep:
    case DeviceOp::Kind::bound: break;
  }
  return {1, 1};
}

}  // namespace cavi::kernels::cuda
