// SPDX-License-Identifier: Apache-2.0
// The fused pass for families whose features stand alone (diag, spherical; tied after whitening).
//
//   respond      some components by the points of a lane, feature by feature
//   accumulate   features along the lanes, and where they are few, points as well
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_fused.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

namespace cavi::kernels::cuda {
namespace {

template <class F>
using View = MixtureView<F, float>;

constexpr int kFew = 16;  // points for which folding sums over lanes does not pay

template <class F>
__device__ inline float residual(float x, float root, float centre) {
  return F::kind == Component::diag ? std::fma(root, x, centre) : x - centre;
}

// kAbreast components at once: what is read of a point serves them all.
template <class F, class Tile, int kAbreast>
__device__ inline void respond(const View<F>& view, const float* x, float* r) {
  constexpr int kPoints = Tile::points < kTile ? 2 : 4, kParts = Tile::points / (kWarp * kPoints);
  const int groups = (view.components + kAbreast - 1) / kAbreast, columns = padded(view.features);
  const int thread = anew(int(threadIdx.x)), lane = thread % kWarp;
  for (int unit = thread / kWarp; unit < groups * kParts; unit += Tile::warps) {
    const int k = unit / kParts * kAbreast, point = (unit % kParts * kWarp + lane) * kPoints;
    const auto* centre = reinterpret_cast<const std::byte*>(view.packed_centre);
    const auto* root = reinterpret_cast<const std::byte*>(view.packed_root);  // diag: shaped as the centres
    // Parameters of these components in bytes, which addresses add by themselves; beyond the last: scored, not kept.
    unsigned at[kAbreast];
#pragma unroll
    for (int j = 0; j < kAbreast; ++j) at[j] = unsigned(min(k + j, view.components - 1) * columns) * 4u;
    float square[kAbreast][kPoints] = {};
#pragma unroll(kAbreast > 4 ? 1 : 2)
    for (int d = 0; d < columns; d += kCell) {
      Pack<kPoints> in[kCell];
#pragma unroll
      for (int i = 0; i < kCell; ++i)
        in[i] = *reinterpret_cast<const Pack<kPoints>*>(x + Tile::at(d) + i * Tile::stride + point);
#pragma unroll
      for (int j = 0; j < kAbreast; ++j) {
        // On the way, lest all loads come first and want more registers than there are.
        if (F::kind == Component::diag && j > 0 && j % 2 == 0) __syncwarp();
        const Four<float> c = *reinterpret_cast<const Four<float>*>(centre + 4 * d + at[j]);
        Four<float> s = c;
        if constexpr (F::kind == Component::diag) s = *reinterpret_cast<const Four<float>*>(root + 4 * d + at[j]);
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
      Pack<kPoints> logit;
#pragma unroll
      for (int p = 0; p < kPoints; ++p) logit.v[p] = std::fma(-scale, square[j][p], offset);
      *reinterpret_cast<Pack<kPoints>*>(r + (k + j) * Tile::r_stride + point) = logit;
    }
  }
}

// Sums over lanes `width`, 2 width, ... apart.
__device__ inline float sum_across(float value, int width) {
  for (int step = kWarp / 2; step >= width; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

// Moments of n features of a lane: `feature`, `feature` + width, ... Returns the lane's part of the trace.
template <class F, class Tile, int n>
__device__ inline float accumulate_features(const View<F>& view, int k, const float* x, const Lives& lives,
                                            double* sums, int from, int width) {
  const int lane = anew(Warp::rank()), features = view.features;
  const float* centre = view.packed_centre_of(k);
  const auto* root = view.packed_root_of(k);
  double* first = view.first(sums) + std::int64_t(k) * features;
  double* second = view.second(sums) + std::int64_t(k) * features;  // diag
  float c[n], s[n], one[n] = {}, two[n] = {};
  double before[n][2] = {};
  int feature[n], place[n];
  bool mine[n];
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const int f = from + i * width + lane % width;
    feature[i] = min(f, features - 1);
    place[i] = Tile::at(feature[i]);
    mine[i] = f < features && lane < width;
    c[i] = centre[feature[i]];
    s[i] = F::kind == Component::diag ? float(root[feature[i]]) : 1.0f;
    if (!mine[i]) continue;
    before[i][0] = load_far(first + f);
    if constexpr (F::kind == Component::diag) before[i][1] = load_far(second + f);
  }
  const int points = kWarp / width;
#pragma unroll 4
  for (int at = lane / width; at < lives.count; at += points) {
    const float r = lives.r[at];
    const int point = lives.point[at];
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const float z = residual<F>(x[place[i] + point], s[i], c[i]), weighted = r * z;
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

template <class F, class Tile>
__device__ inline void accumulate(const View<F>& view, int k, const float* x, const Lives& lives, double* sums) {
  double* second = view.second(sums) + k;  // spherical
  const double before = F::kind == Component::spherical && Warp::rank() == 0 ? load_far(second) : 0;
  // Lanes that have different features; eight of four points in a row lie in different banks.
  int width = kCell;
  const int widest = lives.count < kFew ? kWarp : 2 * kCell;
  while (width < view.features && width < widest) width *= 2;
  float trace = 0;
  int from = 0;
  for (; from + width < view.features; from += 2 * width)
    trace += accumulate_features<F, Tile, 2>(view, k, x, lives, sums, from, width);
  if (from < view.features) trace += accumulate_features<F, Tile, 1>(view, k, x, lives, sums, from, width);
  if constexpr (F::kind == Component::spherical) {
    trace = warp_sum(trace);
    if (Warp::rank() == 0) *second = before + double(trace);
  }
}

template <class F, class Tile, bool r_shared>
__global__ void __launch_bounds__(Tile::threads, 2)
    fused_axes_kernel(MixtureSweepDevice op, const DeviceProblem* problems, MixtureSlice slice) {
  CAVI_DYNAMIC_SHARED(float, pool);
  fused_pass<F, Tile, r_shared>(
      op, problems[blockIdx.y], int(slice.first_slab + blockIdx.x), pool,
      [](const View<F>& view, const TileShared<Tile>& in, float* r) {
        if (view.components > 16)
          respond<F, Tile, 8>(view, in.x, r);
        else
          respond<F, Tile, 4>(view, in.x, r);  // lest warps have nothing to do
      },
      [](const View<F>& view, int k, const float* x, const Lives& lives, double* sums) {
        accumulate<F, Tile>(view, k, x, lives, sums);
      });
}

}  // namespace

cudaError_t enqueue_fused_axes_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream) {
  const auto enqueue = [&]<class F>(F) {
    return launch_fused<fused_threads(F::kind, 1)>(
        []<class Tile, bool r_shared>(Tile, std::bool_constant<r_shared>) -> MixturePass {
          return fused_axes_kernel<F, Tile, r_shared>;
        },
        op, problems, count, slice, stream);
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
