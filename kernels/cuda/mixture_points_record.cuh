// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of the pass for few features, as its threads hold them.
#pragma once

#include "kernels/cuda/mixture_layout.hpp"

#include <cmath>

namespace cavi::kernels::cuda {

// A component as this pass scores rows: logit = offset - |G u|^2, u = S x + c with S diagonal, G unit upper triangular.
// An element of u is one fused multiply-add, which rounds once, so that c need not be small. Where a root is shared S
// and G are those of any record.
template <class F, int D>
struct PointsRecord {
  static constexpr bool full = F::kind == Component::full, diag = F::kind == Component::diag;
  static constexpr bool matrix = full || F::shared;
  static constexpr int kPairs = D * (D - 1) / 2, kScales = F::kind == Component::spherical ? 1 : D;
  static constexpr int kShift = kScales, kOffset = kShift + D, kMix = kOffset + 1;
  static constexpr int kSize = (kMix + (matrix ? kPairs : 0)) | 1;  // odd: over the banks

  float v[kSize];

  __device__ float scale(int i) const { return v[kScales == 1 ? 0 : i]; }
  __device__ float& shift(int i) { return v[kShift + i]; }
  __device__ float& mix(int i, int j) { return v[kMix + kPairs - (D - i) * (D - i - 1) / 2 + j - i - 1]; }

  // Components beyond the last are switched off. Offsets are relative to the largest: no logit is positive.
  __device__ void fill(const MixtureView<F, float>& view, int k, float largest) {
    for (float& x : v) x = 0;
    v[kOffset] = -HUGE_VALF;
    if (k >= view.components) return;
    v[kOffset] = view.offsets[k] - largest;
    const float* centre = view.packed_centre_of(k);
    const auto* root = view.packed_root_of(k);
    for (int i = 0; i < kScales; ++i)
      v[i] = matrix ? float(root[i * kCell + i]) : diag ? float(root[i]) : std::sqrt(float(root[i]));
    for (int i = D - 1; i >= 0; --i) {
      double moved = centre[i];
      for (int j = i + 1; matrix && j < D; ++j) {
        mix(i, j) = float(root[j * kCell + i] / v[j]);
        moved += double(mix(i, j)) * double(shift(j));
      }
      shift(i) = diag ? centre[i] : F::shared ? -float(moved) : -scale(i) * centre[i];
    }
  }
  // Writes the parameters down as they are rounded here, for what is done in float64 afterwards.
  __device__ void keep(const MixtureView<F, float>& view, int k) {
    view.offset[k] = v[kOffset];
    if constexpr (diag) return;
    double *root = view.root_of(k), *centre = view.centre_of(k);
    for (int i = 0; i < D; ++i) {
      centre[i] = -double(shift(i)) / (F::shared ? 1 : double(scale(i)));
      for (int j = i + 1; F::shared && j < D; ++j) centre[i] -= double(mix(i, j)) * double(shift(j));
      if (F::shared && k > 0) continue;
      if constexpr (matrix) {
        root[i * D + i] = scale(i);
        for (int j = i + 1; j < D; ++j) root[i * D + j] = double(mix(i, j)) * double(scale(j));
      } else {
        *root = double(scale(i)) * double(scale(i));
      }
    }
  }

  // Where moments of a row are summed: S x + c, or G (S x + c) where the root is shared.
  __device__ void frame(const PointsRecord& root, const float (&x)[D], float (&u)[D]) const {
#pragma unroll
    for (int i = 0; i < D; ++i) u[i] = std::fma(root.scale(i), x[i], v[kShift + i]);
    if constexpr (F::shared) root.whiten(u);
  }
  __device__ float logit(const float (&u)[D]) const {
    float y[D], sum = v[kOffset];
#pragma unroll
    for (int i = 0; i < D; ++i) y[i] = u[i];
    if constexpr (full) whiten(y);
#pragma unroll
    for (int i = 0; i < D; ++i) sum = std::fma(-y[i], y[i], sum);
    return sum;
  }

 private:
  __device__ void whiten(float (&u)[D]) const {
    int at = kMix;
#pragma unroll
    for (int i = 0; i < D; ++i)
#pragma unroll
      for (int j = i + 1; j < D; ++j) u[i] = std::fma(v[at++], u[j], u[i]);
  }
};

// The records of a lane's components; those of its neighbours begin at other banks.
template <class F, int D>
struct LaneRecords {
  PointsRecord<F, D> of[kPointsSlots];
  float gap;
};

}  // namespace cavi::kernels::cuda
