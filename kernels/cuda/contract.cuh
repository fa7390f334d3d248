// SPDX-License-Identifier: Apache-2.0
// Contractions.
//
//   work    a unit per element of out and slab: one thread where little is summed up, else a warp whose lanes take
//   every
//           32nd value of the longest label
//   memory  operands are read where they are, with any strides; nothing is staged
//   order   a lane sums in the order of its labels, lanes meet in a butterfly, slabs in a contraction of their own
#pragma once

#include "kernels/cuda/device_ops.hpp"

namespace cavi::kernels::cuda {

__device__ inline std::int64_t contract_units(const DeviceContract& c, const DeviceProblem& p) {
  std::int64_t units = c.slabs;
  for (int l = 0; l < c.units; ++l) units *= p.size(c.extent[l]);
  return units;
}

/// Where the pointers are, in numbers from the beginning of their buffers.
struct ContractPosition {
  std::int64_t at[kMaxOperands + 1];

  __device__ explicit ContractPosition(const DeviceContract& c) {
#pragma unroll
    for (int o = 0; o <= kMaxOperands; ++o) at[o] = o <= c.operands ? c.offset[o] : 0;
  }
  /// Moves to a value of a label from its origin.
  __device__ void move(const DeviceContract& c, int label, std::int64_t value) {
#pragma unroll
    for (int o = 0; o <= kMaxOperands; ++o)
      if (o <= c.operands) at[o] += value * c.stride[o][label] + mapped(c, o, label, value);
  }
  __device__ static std::int64_t mapped(const DeviceContract& c, int place, int label, std::int64_t value) {
    std::int64_t sum = 0;
    for (int g = 0; g < c.gathers; ++g)
      if (c.gather[g].place == place && c.gather[g].label == label) sum += c.gather[g].stride * c.gather[g].map[value];
    return sum;
  }
};

/// Sum of the products over the labels from c.writes on, the lane label's values [begin, end) only.
template <class Team>
__device__ double contract_sum(const DeviceContract& c, const DeviceProblem& p, const ContractPosition& start,
                               std::int64_t begin, std::int64_t end, Team team) {
  std::int64_t others = 1;
  for (int l = c.writes; l < c.labels; ++l)
    if (l != c.lane) others *= p.size(c.extent[l]);
  const double* base[kMaxOperands];
  std::int64_t step[kMaxOperands];
#pragma unroll
  for (int o = 0; o < kMaxOperands; ++o) {
    base[o] = o < c.operands ? p[c.buffer[o + 1]] : nullptr;
    step[o] = o < c.operands && c.lane >= 0 ? c.stride[o + 1][c.lane] : 0;
  }
  double sum = 0;
  for (std::int64_t other = 0; other < others; ++other) {
    ContractPosition at = start;
    std::int64_t rest = other;
    for (int l = c.labels - 1; l >= c.writes; --l) {
      if (l == c.lane) continue;
      const std::int64_t extent = p.size(c.extent[l]);
      at.move(c, l, rest % extent);
      rest /= extent;
    }
    for (std::int64_t v = begin + team.rank(); v < end; v += team.size()) {
      double product = 1;
#pragma unroll
      for (int o = 0; o < kMaxOperands; ++o)
        if (o < c.operands) {
          std::int64_t index = at.at[o + 1] + v * step[o];
          if (c.gathers > 0 && c.lane >= 0) index += ContractPosition::mapped(c, o + 1, c.lane, v);
          product *= base[o][index];
        }
      sum += product;
    }
  }
  return team.sum(sum);
}

template <class Team>
__device__ void contract_unit(const DeviceContract& c, const DeviceProblem& p, std::int64_t unit, Team team) {
  ContractPosition at(c);
  const std::int64_t slab = unit % c.slabs;
  std::int64_t rest = unit / c.slabs;
  for (int l = c.units - 1; l >= 0; --l) {
    const std::int64_t extent = p.size(c.extent[l]);
    at.move(c, l, rest % extent);
    rest /= extent;
  }
  at.at[kOut] += slab * c.slab_stride;
  std::int64_t writes = 1;
  for (int l = c.units; l < c.writes; ++l) writes *= p.size(c.extent[l]);
  double* out = p[c.buffer[kOut]];

  // All that is reached is set to zero first, when several values meet there.
  for (int pass = writes > 1 && !c.accumulate ? 0 : 1; pass < 2; ++pass)
    for (std::int64_t w = 0; w < writes; ++w) {
      ContractPosition here = at;
      std::int64_t value = w;
      for (int l = c.writes - 1; l >= c.units; --l) {
        const std::int64_t extent = p.size(c.extent[l]);
        here.move(c, l, value % extent);
        value /= extent;
      }
      if (pass == 0) {
        if (team.rank() == 0) out[here.at[kOut]] = 0;
        continue;
      }
      const std::int64_t extent = c.lane < 0 ? 1 : p.size(c.extent[c.lane]);
      const std::int64_t slabs = c.slabs == 1 ? 1 : slabs_of(extent);
      const std::int64_t begin = slab < slabs ? extent * slab / slabs : 0;
      const std::int64_t end = slab < slabs ? extent * (slab + 1) / slabs : 0;
      const double sum = c.coefficient * contract_sum(c, p, here, begin, end, team);
      if (team.rank() == 0) out[here.at[kOut]] = sum + (c.accumulate || writes > 1 ? out[here.at[kOut]] : 0);
    }
}

}  // namespace cavi::kernels::cuda
