// SPDX-License-Identifier: Apache-2.0
// The fused pass for families whose features stand alone (diag, spherical; tied after whitening).
//
//   respond      four components by four points of a lane, feature by feature
//   accumulate   features along the lanes, and where they are few, points as well
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_fused.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

namespace cavi::kernels::cuda {
namespace {

template <class F>
using View = MixtureView<F, float>;
constexpr int kPoints = 4, kAbreast = 4;  // points of a lane, components at once

template <class F>
__device__ inline float residual(float x, float root, float centre) {
  return F::kind == Component::diag ? std::fma(root, x, centre) : x - centre;
}

template <class F>
__device__ inline void respond(const View<F>& view, const float* x, float* r) {
  constexpr int kParts = kFusedPoints / (kWarp * kPoints);
  const int groups = (view.components + kAbreast - 1) / kAbreast, columns = padded(view.features);
  for (int unit = threadIdx.x / kWarp; unit < groups * kParts; unit += kFusedWarps) {
    const int k = unit / kParts * kAbreast, point = unit % kParts * kWarp * kPoints + Warp::rank() * kPoints;
    const float* centre = view.packed_centre;
    const auto* root = view.packed_root;  // diag: shaped as the centres
    int at[kAbreast];                     // parameters of these components; beyond the last: scored, not kept
#pragma unroll
    for (int j = 0; j < kAbreast; ++j) at[j] = min(k + j, view.components - 1) * columns;
    float square[kAbreast][kPoints] = {};
#pragma unroll 2
    for (int d = 0; d < columns; d += kCell) {
      Four<float> in[kCell];
#pragma unroll
      for (int i = 0; i < kCell; ++i) in[i] = *reinterpret_cast<const Four<float>*>(x + (d + i) * kFusedStride + point);
#pragma unroll
      for (int j = 0; j < kAbreast; ++j) {
        const Four<float> c = *reinterpret_cast<const Four<float>*>(centre + at[j] + d);
        Four<float> s = c;
        if constexpr (F::kind == Component::diag) s = *reinterpret_cast<const Four<float>*>(root + at[j] + d);
#pragma unroll
        for (int i = 0; i < kCell; ++i)
#pragma unroll
          for (int p = 0; p < kPoints; ++p) {
            const float z = residual<F>(in[i].v[p], s.v[i], c.v[i]);
            square[j][p] = std::fma(z, z, square[j][p]);
          }
      }
    }
#pragma unroll
    for (int j = 0; j < kAbreast; ++j) {
      if (k + j >= view.components) break;
      const float offset = view.offsets[k + j];
      const float scale = F::kind == Component::spherical ? float(*view.packed_root_of(k + j)) : 1.0f;
      Four<float> logit;
#pragma unroll
      for (int p = 0; p < kPoints; ++p) logit.v[p] = std::fma(-scale, square[j][p], offset);
      *reinterpret_cast<Four<float>*>(r + (k + j) * kFusedPoints + point) = logit;
    }
  }
}

// Sums over lanes `width`, 2 width, ... apart.
__device__ inline float sum_across(float value, int width) {
  for (int step = kWarp / 2; step >= width; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

// Moments of n features of a lane: `feature`, `feature` + width, ... Returns the lane's part of the trace.
template <class F, int n>
__device__ inline float accumulate_features(const View<F>& view, int k, const float* x, const Live* live, int lives,
                                            double* sums, int from, int width) {
  const int lane = Warp::rank(), features = view.features;
  const float* centre = view.packed_centre_of(k);
  const auto* root = view.packed_root_of(k);
  double* first = view.first(sums) + std::int64_t(k) * features;
  double* second = view.second(sums) + std::int64_t(k) * features;  // diag
  float c[n], s[n], one[n] = {}, two[n] = {};
  double before[n][2] = {};
  int feature[n];
  bool mine[n];
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const int f = from + i * width + lane % width;
    feature[i] = min(f, features - 1);
    mine[i] = f < features && lane < width;
    c[i] = centre[feature[i]];
    s[i] = F::kind == Component::diag ? float(root[feature[i]]) : 1.0f;
    if (!mine[i]) continue;
    before[i][0] = first[f];
    if constexpr (F::kind == Component::diag) before[i][1] = second[f];
  }
  const int points = kWarp / width;
#pragma unroll 4
  for (int at = lane / width; at < lives; at += points) {
    const Live point = live[at];
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const float z = residual<F>(x[feature[i] * kFusedStride + point.point], s[i], c[i]), weighted = point.r * z;
      one[i] += weighted;
      if constexpr (!F::shared) two[i] = std::fma(weighted, z, two[i]);
    }
  }
  float trace = 0;
#pragma unroll
  for (int i = 0; i < n; ++i) {
    one[i] = sum_across(one[i], width);
    if constexpr (!F::shared) two[i] = sum_across(two[i], width);
    if (!mine[i]) continue;
    first[feature[i]] = before[i][0] + double(one[i]);
    if constexpr (F::kind == Component::diag) second[feature[i]] = before[i][1] + double(two[i]);
    trace += two[i];
  }
  return trace;
}

template <class F>
__device__ inline void accumulate(const View<F>& view, int k, const float* x, const Live* live, int lives,
                                  double* sums) {
  double* second = view.second(sums) + k;  // spherical
  const double before = F::kind == Component::spherical && Warp::rank() == 0 ? *second : 0;
  int width = kCell;
  while (width < view.features && width < kWarp) width *= 2;
  float trace = 0;
  int from = 0;
  for (; from + width < view.features; from += 2 * width)
    trace += accumulate_features<F, 2>(view, k, x, live, lives, sums, from, width);
  if (from < view.features) trace += accumulate_features<F, 1>(view, k, x, live, lives, sums, from, width);
  if constexpr (F::kind == Component::spherical) {
    trace = warp_sum(trace);
    if (Warp::rank() == 0) *second = before + double(trace);
  }
}

template <class F, bool r_shared>
__global__ void __launch_bounds__(kFusedThreads, 2)
    fused_axes_kernel(MixtureSweepDevice op, const DeviceProblem* problems, std::int64_t count, MixtureSlice slice) {
  CAVI_DYNAMIC_SHARED(float, pool);
  op.regime = MixtureRegime::fused;  // so that the compiler knows the layout
  const std::int64_t slab = slice.first_slab + blockIdx.x;
  for (std::int64_t p = blockIdx.y; p < count; p += gridDim.y) {
    if (*problems[p].active == 0) continue;
    const View<F> view(op, problems[p]);
    if (slab >= view.slabs) continue;
    fused_slab<F, r_shared>(
        view, slab, pool, [&](const float* x, float* r) { respond(view, x, r); },
        [&](int k, const float* x, const Live* live, int lives, double* sums) {
          accumulate(view, k, x, live, lives, sums);
        });
  }
}

}  // namespace

cudaError_t enqueue_fused_axes_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream) {
  const auto enqueue = [&]<class F>(F) {
    return launch_fused(
        fused_r_shared(op.components, op.features) ? fused_axes_kernel<F, true> : fused_axes_kernel<F, false>, op,
        problems, count, slice, stream);
  };
  switch (op.component) {
    case Component::tied: return enqueue(components::Tied());
    case Component::diag: return enqueue(components::Diag());
    case Component::spherical: return enqueue(components::Spherical());
    case Component::full:
    case Component::linear: break;
  }
  return cudaErrorInvalidValue;
}

}  // namespace cavi::kernels::cuda
