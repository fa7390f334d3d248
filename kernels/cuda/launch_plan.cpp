// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch_plan.hpp"

#include "kernels/cuda/mixture_start.hpp"
#include "kernels/cuda/runtime.hpp"

#include <algorithm>
#include <utility>

namespace cavi::kernels::cuda {
namespace {

constexpr std::int64_t kWholeRows = 4096;
constexpr double kWholeProducts = 4e6;
constexpr double kWide = 8;  // steps, one after the other, that are worth a launch

/// Steps that a block which runs a list of operations takes longer over this one than a grid of its own: a thread or a
/// warp multiplies once in each.
double steps_saved(const DeviceOp& op, const Work& work) {
  const std::int64_t width = op.warp ? kWarp : 1, at_once = kListThreads / width;
  const std::int64_t turns = (work.units + at_once - 1) / at_once;
  return work.units == 0 ? 0 : double(turns - 1) * work.products / double(work.units * width);
}

double sweep_products(const MixtureSweepDevice& op, std::int64_t rows) {
  return double(rows) * double(quadratic_size(op.component, op.components, op.features) +
                               std::int64_t(op.components) * (op.features + 1));
}

void check_start(cudaError_t error) { check(error, "launching a mixture's start"); }
void check_sweep(cudaError_t error) { check(error, "launching a mixture sweep"); }

}  // namespace

bool fits_one_block(const std::vector<DeviceOp>& sweep, const std::vector<std::int64_t>& extents, std::int64_t rows) {
  double products = 0;
  for (const DeviceOp& op : sweep) {
    if (op.kind == DeviceOp::Kind::mixture_sweep && op.mixture_sweep.precision != Scalar::float32) return false;
    products += op.kind == DeviceOp::Kind::mixture_sweep ? sweep_products(op.mixture_sweep, rows)
                                                         : work_of(op, extents).products;
  }
  return rows <= kWholeRows && products <= kWholeProducts;
}

LaunchPlan::LaunchPlan(std::vector<DeviceOp> ops, const DeviceOp* device_ops, bool sweeping,
                       const std::vector<std::int64_t>& extents)
    : ops_(std::move(ops)), device_ops_(device_ops), sweeping_(sweeping) {
  for (int i = 0; i < int(ops_.size()); ++i) {
    const DeviceOp& op = ops_[std::size_t(i)];
    const Work work = work_of(op, extents);
    if (op.kind == DeviceOp::Kind::mixture_sweep)
      launches_.push_back({Launch::Kind::sweep, i, 1, 0});
    else if (op.kind == DeviceOp::Kind::mixture_start)
      launches_.push_back({Launch::Kind::start, i, 1, work.units});
    else if (steps_saved(op, work) >= kWide)
      launches_.push_back({Launch::Kind::wide, i, 1, work.units});
    else if (!launches_.empty() && launches_.back().kind == Launch::Kind::list)
      ++launches_.back().count;
    else
      launches_.push_back({Launch::Kind::list, i, 1, 0});
  }
}

void LaunchPlan::enqueue(const Launch& l, const Group& group, cudaStream_t stream) const {
  const DeviceOp& op = ops_[std::size_t(l.first)];
  const OpList list{device_ops_ + l.first, l.count, sweeping_};
  if (l.kind == Launch::Kind::list) {
    check(enqueue_list(list, group.problems, group.count, stream), "launching a list of operations");
  } else if (l.kind == Launch::Kind::wide) {
    check(enqueue_wide(list, op.warp, l.units, group.problems, group.count, stream), "launching an operation");
  } else if (l.kind == Launch::Kind::start) {
    check_start(enqueue_mixture_start(op.mixture_start, {0, l.units}, group.problems, group.count, stream));
  } else {
    const MixtureSweepDevice& m = op.mixture_sweep;
    const MixtureSlice all{0, mixture_slabs(m, group.max_rows)};
    check_sweep(enqueue_mixture_frame(m, group.problems, group.count, stream));
    check_sweep(enqueue_mixture_pass(m, group.problems, group.count, group.max_rows, all, stream));
    check_sweep(enqueue_mixture_finish(m, group.problems, group.count, group.max_rows, stream));
  }
}

void LaunchPlan::enqueue(const Group& group, cudaStream_t stream) const {
  for (const Launch& l : launches_) enqueue(l, group, stream);
}

void LaunchPlan::enqueue_streamed(const Group& group, RowStore& rows, DeviceRows* table, cudaStream_t stream) const {
  const std::int64_t n = group.max_rows;
  for (const Launch& l : launches_) {
    const DeviceOp& op = ops_[std::size_t(l.first)];
    if (op.kind == DeviceOp::Kind::mixture_sweep) {
      const MixtureSweepDevice& m = op.mixture_sweep;
      check_sweep(enqueue_mixture_frame(m, group.problems, group.count, stream));
      rows.for_each_chunk(
          table, mixture_slabs(m, n), [&](std::int64_t slab) { return mixture_slab_begin(m, n, slab); },
          [&](std::int64_t first, std::int64_t slabs) {
            check_sweep(enqueue_mixture_pass(m, group.problems, group.count, n, {first, slabs}, stream));
          });
      check_sweep(enqueue_mixture_finish(m, group.problems, group.count, n, stream));
    } else if (op.kind == DeviceOp::Kind::mixture_start) {
      const DeviceMixtureStart& s = op.mixture_start;
      const std::int64_t slabs = s.slabs, per_slab = StartShape(s).per_slab();
      rows.for_each_chunk(
          table, slabs, [&](std::int64_t slab) { return start_slab_begin(n, slabs, slab); },
          [&](std::int64_t first, std::int64_t count) {
            const UnitRange range{first * per_slab, (first + count) * per_slab};
            check_start(enqueue_mixture_start(s, range, group.problems, group.count, stream));
          });
      check_start(enqueue_mixture_start(s, {slabs * per_slab, l.units}, group.problems, group.count, stream));
    } else {
      enqueue(l, group, stream);
    }
  }
}

const MixtureSweepDevice* LaunchPlan::mixture_sweep() const {
  for (const DeviceOp& op : ops_)
    if (op.kind == DeviceOp::Kind::mixture_sweep) return &op.mixture_sweep;
  return nullptr;
}

int count_bounds(const std::vector<DeviceOp>& ops) {
  return int(std::count_if(ops.begin(), ops.end(), [](const DeviceOp& o) { return o.kind == DeviceOp::Kind::bound; }));
}

}  // namespace cavi::kernels::cuda
