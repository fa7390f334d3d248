// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of a sweep as its arithmetic sees them: a family's root, centre and offset, found in float64, then
/// rounded. The rounded ones are the parameters of the sweep, and what is done in float64 afterwards uses them.
#pragma once

#include "kernels/cuda/mixture_layout.hpp"
#include "kernels/cuda/mixture_record.cuh"
#include "kernels/cuda/team.hpp"
#include "kernels/cuda/tensor_core.cuh"

#include <cmath>
#include <cstdint>

namespace cavi::kernels::cuda {

/// root [root_size] as rounded, and packed.
template <class F, class T>
__device__ void round_root(const MixtureView<F, T>& view, int k, typename MixtureView<F, T>::Root* packed, Warp warp) {
  using Root = typename MixtureView<F, T>::Root;
  const int d = view.features;
  double* root = view.root_of(k);
  if constexpr (F::kind == Component::full || F::kind == Component::tied) {
    const int columns = padded(d);
    for (int row = 0; row < d; row += kCell) {
      for (int j = row + warp.rank(); j < columns; j += warp.size())
        for (int i = row; i < row + kCell; ++i) {
          const bool inside = i <= j && j < d;
          const Root value = inside ? Root(root[std::int64_t(i) * d + j]) : Root(0);
          packed[std::int64_t(j - row) * kCell + i - row] = value;
          if (inside) root[std::int64_t(i) * d + j] = value;
        }
      packed += std::int64_t(columns - row) * kCell;
    }
  } else {
    for (int i = warp.rank(); i < packed_size(F::kind, d); i += warp.size()) {
      packed[i] = i < F::root_size(d) ? Root(root[i]) : Root(0);
      if (i < F::root_size(d)) root[i] = packed[i];
    }
  }
}

/// The same in blocks, rounded to what tensor cores take as two numbers.
__device__ inline void round_root_to_blocks(const FullView& view, int k, Warp warp) {
  const int d = view.features, blocks = block_rows(d);
  double* root = view.root_of(k);
  float* block = view.blocks_of(k);
  for (int top = 0; top < blocks; top += kBlocksHigh)
    for (int column = top; column < blocks; ++column)
      for (int row = top; row < min(top + kBlocksHigh, column + 1); ++row, block += kBlock * kBlock)
        for (int at = warp.rank(); at < kBlock * kBlock; at += warp.size()) {
          const int i = row * kBlock + at / kBlock, j = column * kBlock + at % kBlock;
          const bool inside = i <= j && j < d;
          const float value = inside ? float(root[std::int64_t(i) * d + j]) : 0.0f;
          const float high = round_to_tf32(value), both = high + round_to_tf32(value - high);
          block[at] = both;
          if (inside) root[std::int64_t(i) * d + j] = both;
        }
}

template <class F, class T>
__device__ void frame_root(const MixtureView<F, T>& view, const MixtureSweepDevice& op, const DeviceProblem& problem,
                           int k, Warp warp) {
  const double* quadratic = problem[op.quadratic] + k * F::root_size(view.features);
  if (!F::factor(quadratic, kBitsPerNat, view.features, view.root_of(k), warp) && warp.rank() == 0)
    report_failure(problem, op.operation, k, kNotPositiveDefinite);
}

template <class F, class T>
__device__ void frame_component(const MixtureView<F, T>& view, const MixtureSweepDevice& op,
                                const DeviceProblem& problem, int k, Warp warp) {
  const int d = view.features;
  double* centre = view.centre_of(k);
  const int columns = regime_of(op) == MixtureRegime::tensor ? tensor_padded(d) : padded(d);
  T* packed = view.packed_centre + std::int64_t(k) * columns;
  const double offset = F::locate(view.root_of(k), problem[op.linear] + std::int64_t(k) * d, problem[op.constant][k],
                                  kBitsPerNat, d, centre, warp);
  warp.sync();
  for (int i = warp.rank(); i < columns; i += warp.size()) {
    packed[i] = i < d ? T(centre[i]) : T(0);
    if (i < d) centre[i] = packed[i];
  }
  if (warp.rank() != 0) return;
  view.offset[k] = view.offsets[k] = T(offset);
  if (!(offset < HUGE_VAL)) report_failure(problem, op.operation, k, kLogitNotFinite);
}

/// Fails when no component has a finite constant.
template <class F, class T>
__device__ void check_constants(const MixtureView<F, T>& view, const MixtureSweepDevice& op,
                                const DeviceProblem& problem, Warp warp) {
  bool off = true;
  for (int k = warp.rank(); k < view.components; k += warp.size()) off = off && problem[op.constant][k] == -HUGE_VAL;
  if (warp.all(off) && warp.rank() == 0) report_failure(problem, op.operation, view.components, kAllSwitchedOff);
}

/// Components `first`, `first` + `step`, ... by this block, a warp each. A family that shares its root wants one block
/// for all components.
template <class F, class T>
__device__ void mixture_frame(const MixtureSweepDevice& op, const DeviceProblem& problem, int first, int step) {
  const MixtureView<F, T> view(op, problem);
  const Warp warp;
  const int number = int(threadIdx.x) / kWarp;
  if (first + number == 0) {
    check_constants(view, op, problem, warp);
    if (F::shared) {
      frame_root(view, op, problem, 0, warp);
      warp.sync();
      round_root(view, 0, view.packed_root_of(0), warp);
    }
  }
  if (F::shared) __syncthreads();
  for (int k = first + number; k < view.components; k += step) {
    if (!F::shared) frame_root(view, op, problem, k, warp);
    warp.sync();
    frame_component(view, op, problem, k, warp);
    warp.sync();
    if constexpr (F::kind == Component::full && sizeof(T) == 4) {
      if (regime_of(op) == MixtureRegime::tensor) {
        round_root_to_blocks(view, k, warp);
        continue;
      }
      if (in_records(op)) {
        round_root(view, k, view.record_of(k), warp);
        warp.sync();
        finish_record(view, k, warp);
        continue;
      }
    }
    if (!F::shared) round_root(view, k, view.packed_root_of(k), warp);
  }
}

}  // namespace cavi::kernels::cuda
