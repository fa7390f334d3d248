// SPDX-License-Identifier: Apache-2.0
// The operations of a program, unit by unit; who takes which unit is the kernel's affair.
#pragma once

#include "kernels/cuda/contract.cuh"
#include "kernels/cuda/device_ops.hpp"
#include "kernels/cuda/given.cuh"
#include "kernels/cuda/moments.cuh"
#include "kernels/cuda/team.hpp"

namespace cavi::kernels::cuda {

/// Causes of a failing bound, above those of families and sweeps.
inline constexpr int kBoundNotFinite = 100, kBoundFell = 101;

__device__ inline std::int64_t fill_units(const DeviceFill& f, const DeviceProblem& p) {
  return f.size * (f.plate < 0 ? 1 : p.extents[f.plate]);
}

__device__ inline void fill_unit(const DeviceFill& f, const DeviceProblem& p, std::int64_t i) {
  p[f.buffer][i] = f.from == kNoBuffer ? f.value : p[f.from][i];
}

__device__ inline void assign_start_unit(const DeviceAssignStart& a, const DeviceProblem& p, std::int64_t n) {
  const double scale = given_scale(a.given, n, a.components);
  for (int k = 0; k < a.components; ++k)
    p[a.r][n * a.components + k] = given_value(a.given, p.first(a.elements), n, k, a.components) / scale;
  const double weight = a.weight == kNoBuffer ? 1 : p[a.weight][n];
  p[a.entropies][n] = weight == 0 ? 0 : weight * given_entropy(a.given, p.first(a.elements), n, a.components);
}

/// Adds up the bound, writes it down, and decides whether the problem goes on.
__device__ inline void bound_unit(const DeviceBound& b, const DeviceProblem& p, int number, bool sweeping) {
  double sum = 0, magnitude = 0;
  for (int i = 0; i < b.parts; ++i) {
    const double part = *p[b.part[i]];
    sum += part;
    magnitude += fabs(part);
  }
  p[b.record][0] = sum;
  p[b.record][1] = magnitude;
  Course& c = *p.course;
  p.trace[c.bounds++] = sum;
  if (!(sum - sum == 0)) report_failure(p, number, 0, kBoundNotFinite);
  if (sum < c.before - c.slack * (magnitude + c.rows)) report_failure(p, number, 0, kBoundFell);
  c.before = sum;
  if (!b.last) return;
  if (sweeping) {
    ++c.sweeps;
    c.converged = c.least_gain > 0 && sum - c.sweep_before < c.least_gain;
  }
  c.sweep_before = sum;
  if (atomicMin(p.failure, kNoFailure) != kNoFailure || c.converged || c.sweeps >= c.limit) c.active = 0;
}

__device__ inline std::int64_t units_of(const DeviceOp& op, const DeviceProblem& p) {
  switch (op.kind) {
    case DeviceOp::Kind::contract: return contract_units(op.contract, p);
    case DeviceOp::Kind::fill: return fill_units(op.fill, p);
    case DeviceOp::Kind::moments: return p.size(op.moments.elements);
    case DeviceOp::Kind::assign_start: return p.size(op.assign_start.elements);
    case DeviceOp::Kind::bound: return 1;
    case DeviceOp::Kind::mixture_start:
    case DeviceOp::Kind::mixture_sweep: break;  // have kernels of their own
  }
  return 0;
}

// A function of its own: ptxas takes its time over one that holds all.
template <class Team>
__device__ CAVI_OUT_OF_LINE void team_contract(const DeviceContract& c, const DeviceProblem& p, std::int64_t unit) {
  contract_unit(c, p, unit, Team());
}

__device__ inline void thread_unit(const DeviceOp& op, const DeviceProblem& p, std::int64_t unit, bool sweeping) {
  switch (op.kind) {
    case DeviceOp::Kind::contract: return team_contract<math::Alone>(op.contract, p, unit);
    case DeviceOp::Kind::fill: return fill_unit(op.fill, p, unit);
    case DeviceOp::Kind::moments: return moments_unit(op.moments, p, unit, op.number, Lanes{1});
    case DeviceOp::Kind::assign_start: return assign_start_unit(op.assign_start, p, unit);
    case DeviceOp::Kind::bound: return bound_unit(op.bound, p, op.number, sweeping);
    default: return;
  }
}

__device__ inline void warp_unit(const DeviceOp& op, const DeviceProblem& p, std::int64_t unit) {
  switch (op.kind) {
    case DeviceOp::Kind::contract: return team_contract<Warp>(op.contract, p, unit);
    case DeviceOp::Kind::moments: return moments_unit(op.moments, p, unit, op.number, Lanes{kWarp});
    default: return;
  }
}

/// The units of an operation, dealt out to threads [0, threads), of which this is number `thread`; `turn` warps have
/// their hands full already and come last.
__device__ inline void execute(const DeviceOp& op, const DeviceProblem& p, std::int64_t thread, std::int64_t threads,
                               bool sweeping, std::int64_t& turn) {
  const std::int64_t units = units_of(op, p);
  const std::int64_t mine = (thread + turn * kWarp) % threads;
  if (op.warp) {
    for (std::int64_t u = mine / kWarp; u < units; u += threads / kWarp) warp_unit(op, p, u);
    turn += units;
  } else {
    for (std::int64_t u = mine; u < units; u += threads) thread_unit(op, p, u, sweeping);
    turn += (units + kWarp - 1) / kWarp;
  }
}

}  // namespace cavi::kernels::cuda
