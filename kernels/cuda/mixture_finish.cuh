// SPDX-License-Identifier: Apache-2.0
/// \file
/// The end of a sweep: sums of slabs to one sum, moments to the origin of the rows, entropy. All in float64.
#pragma once

#include "kernels/cuda/mixture_layout.hpp"
#include "kernels/cuda/mixture_record.cuh"
#include "kernels/cuda/team.hpp"

#include <cstdint>
#include <limits>

namespace cavi::kernels::cuda {

inline constexpr int kBranches = 32;  ///< of the sum over slabs: branch b adds slabs b, b + 32, ...

__device__ inline double branch_sum(const double* sums, std::int64_t slabs, std::int64_t stride, std::int64_t b) {
  double sum = 0;
#pragma unroll 4
  for (std::int64_t s = b; s < slabs; s += kBranches) sum += sums[s * stride];
  return sum;
}

/// Sums of all slabs into those of the first. Branches meet in a pairwise tree.
/// By a block, a warp per number and a lane per branch: few numbers, few slabs. Only lane 0 reads what it overwrites.
__device__ inline void join_slabs(double* sums, std::int64_t slabs, std::int64_t stride) {
  for (std::int64_t i = threadIdx.x / kWarp; i < stride; i += blockDim.x / kWarp) {
    const double total = warp_sum(branch_sum(sums + i, slabs, stride, Warp::rank()));
    if (Warp::rank() == 0) sums[i] = total;
  }
}

/// The same for numbers i, i + 1, ... i + 31 by a block of kBranches warps: a lane per number, so that reads are
/// coalesced, and a warp per branch. Once in a block.
__device__ inline void join_32(double* sums, std::int64_t slabs, std::int64_t stride, std::int64_t i) {
  CAVI_SHARED(double, parts, [kBranches][kWarp + 1]);
  const int lane = Warp::rank(), warp = threadIdx.x / kWarp;
  parts[warp][lane] = i + lane < stride ? branch_sum(sums + i + lane, slabs, stride, warp) : 0;
  __syncthreads();
  const double total = warp_sum(parts[lane][warp]);
  if (lane == 0 && i + warp < stride) sums[i + warp] = total;
}

/// Moves the moments of a component to the origin, and keeps what its rows add to <statistics, parameters>, in nats.
template <class F, class T>
__device__ void finish_component(const MixtureView<F, T>& view, const MixtureSweepDevice& op,
                                 const DeviceProblem& problem, int k, Warp warp) {
  const int d = view.features;
  const double count = view.count(view.sums)[k];
  double* first = problem[op.first] + std::int64_t(k) * d;
  double* second = F::shared ? nullptr : problem[op.second] + k * F::second_size(d);
  const double* first_sum = view.first(view.sums) + std::int64_t(k) * d;
  const double* second_sum = view.second(view.sums) + k * second_sums(F::kind, d);
  for (int i = warp.rank(); i < d; i += warp.size()) first[i] = first_sum[i];
  if constexpr (F::kind == Component::full) {
    for (int row = 0; row < d; row += kCell)
      for (int column = row; column < d; column += kCell, second_sum += kCell * kCell)
        for (int i = warp.rank(); i < kCell * kCell; i += warp.size()) {
          const int from = row + i % kCell, to = column + i / kCell;
          if (from <= to && to < d) second[std::int64_t(from) * d + to] = second_sum[i];
        }
  } else if constexpr (!F::shared) {
    for (int i = warp.rank(); i < F::second_size(d); i += warp.size()) second[i] = second_sum[i];
  }
  warp.sync();
  const double *root = view.root_of(k), *centre = view.centre_of(k);
  double product = -F::shortfall(root, centre, count, first, second, d, view.work + std::int64_t(k) * d, warp);
  if constexpr (F::kind == Component::full && sizeof(T) == 4)
    if (in_records(op)) product -= shortfall_of_shift(view, k, count, first, warp);
  if (count > 0) product += view.offset[k] * count;  // the offset is -infinity when the component is switched off
  F::to_origin(root, centre, count, first, second, d, warp);
  if (warp.rank() != 0) return;
  problem[op.count][k] = count;
  view.product[k] = product * kNatsPerBit;
}

template <class F, class T>
__device__ void finish_entropy(const MixtureView<F, T>& view, const MixtureSweepDevice& op,
                               const DeviceProblem& problem, Warp warp) {
  double entropy = 0, live = 0, near = std::numeric_limits<double>::quiet_NaN();
  for (int k = warp.rank(); k < view.components; k += warp.size()) {
    entropy -= view.product[k];
    live += view.live(view.sums)[k];
  }
  entropy = warp.sum(entropy) + *view.lse(view.sums);
  live = warp.sum(live);
  if constexpr (F::shared)
    entropy += F::product(view.root, problem[op.second], view.features, view.work, warp) * kNatsPerBit;
  if constexpr (F::kind == Component::full && sizeof(T) == 4)
    if (in_records(op)) near = count_near(view, warp) / view.components;
  if (warp.rank() != 0) return;
  *problem[op.entropy] = entropy;
  problem.course->negligible = 1 - live / (double(view.rows) * view.components);  // NaN without rows
  problem.course->near = near;
}

}  // namespace cavi::kernels::cuda
