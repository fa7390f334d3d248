// SPDX-License-Identifier: Apache-2.0
// The fused pass for a precision matrix each, features (padded to fours) known when it is compiled.
//
//   respond      z = x - m of a lane's points in registers, then rows of R z, the zeros of R left out
//   accumulate   many points: a lane per point; cells of the second moment in registers, as many as fit, and the first
//                moments of their features in the places under the diagonal. Few points: a lane per cell
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_fused_cells.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

#include <utility>

namespace cavi::kernels::cuda {
namespace {

using View = FullView;

template <int n>
struct alignas(4 * n) Pack {
  float v[n];
};
constexpr int kFew = 64;  // points for which folding sums over lanes does not pay

template <int D>
__device__ inline void respond(const View& view, const float* x, float* r) {
  constexpr int kPoints = D > 28 ? 2 : 4;  // of a lane: their rows are in registers
  constexpr int kParts = kFusedPoints / (kWarp * kPoints);
#pragma unroll 1
  for (int unit = threadIdx.x / kWarp; unit < view.components * kParts; unit += kFusedWarps) {
    const int k = unit / kParts, point = unit % kParts * kWarp * kPoints + Warp::rank() * kPoints;
    const auto* centre = reinterpret_cast<const Four<float>*>(view.packed_centre_of(k));
    const auto* root = reinterpret_cast<const Four<float>*>(view.packed_root_of(k));
    float z[D][kPoints];
#pragma unroll
    for (int d = 0; d < D; ++d) {
      const auto in = *reinterpret_cast<const Pack<kPoints>*>(x + d * kFusedStride + point);
      const float m = centre[d / kCell].v[d % kCell];
#pragma unroll
      for (int p = 0; p < kPoints; ++p) z[d][p] = in.v[p] - m;
    }
    float square[kPoints] = {};
    int at = 0;
#pragma unroll
    for (int row = 0; row < D; row += kCell) {
      float y[kCell][kPoints] = {};
#pragma unroll
      for (int j = row; j < D; ++j) {
        const Four<float> c = root[at++];
#pragma unroll
        for (int i = 0; i < kCell; ++i)
          if (row + i <= j) {
#pragma unroll
            for (int p = 0; p < kPoints; ++p) y[i][p] = std::fma(c.v[i], z[j][p], y[i][p]);
          }
      }
#pragma unroll
      for (int i = 0; i < kCell; ++i)
#pragma unroll
        for (int p = 0; p < kPoints; ++p) square[p] = std::fma(y[i][p], y[i][p], square[p]);
    }
    const float offset = view.offsets[k];
    Pack<kPoints> logit;
#pragma unroll
    for (int p = 0; p < kPoints; ++p) logit.v[p] = offset - square[p];
    *reinterpret_cast<Pack<kPoints>*>(r + k * kFusedPoints + point) = logit;
  }
}

// As many rows of cells as fit into registers, from row b on.
CAVI_HOST_DEVICE constexpr int strip_end(int rows, int b) {
  int end = b + 1;
  for (int cells = rows - b; end < rows && cells + rows - end <= 10; ++end) cells += rows - end;
  return end;
}
CAVI_HOST_DEVICE constexpr int cell_number(int rows, int b, int c) { return b * rows - b * (b - 1) / 2 + c - b; }

// Under the diagonal of a cell: where the first moments of its four features are summed.
CAVI_HOST_DEVICE constexpr int first_place(int feature) { return feature < 3 ? feature + 1 : 6; }

// What is summed in place i of cell (b, c), or nullptr.
template <int rows>
__device__ inline double* place_of(const View& view, int k, int b, int c, int i, double* sums) {
  double* second = view.second(sums) + (std::int64_t(k) * (rows * (rows + 1) / 2) + cell_number(rows, b, c)) * 16;
  if (b != c || i % kCell <= i / kCell) return second + i;
  const int feature = b * kCell + (i == 6 ? 3 : i - 1);
  return i > 6 || feature >= view.features ? nullptr : view.first(sums) + std::int64_t(k) * view.features + feature;
}

template <int rows, int b>
__device__ inline void accumulate_strip(const View& view, int k, const float* x, const Live* live, int lives,
                                        double* sums) {
  constexpr int end = strip_end(rows, b), cells = cell_number(rows, end, end) - cell_number(rows, b, b);
  const int lane = Warp::rank();
  const float* centre = view.packed_centre_of(k);
  float sum[cells][kCell * kCell] = {};
  int n;
#pragma unroll 1
  for (int at = lane; at - lane < lives; at += kWarp) {
    const Live point = at < lives ? live[at] : Live{0, 0};
    float z[(rows - b) * kCell];
#pragma unroll
    for (int j = 0; j < (rows - b) * kCell; ++j) {
      // Where registers are scarce the centre does not get any: it is read anew for every point.
      const float m =
          rows - b > 7 ? *static_cast<const volatile float*>(centre + b * kCell + j) : centre[b * kCell + j];
      z[j] = x[(b * kCell + j) * kFusedStride + point.point] - m;
    }
    n = 0;
#pragma unroll
    for (int i = b; i < end; ++i) {
      float weighted[kCell];
#pragma unroll
      for (int f = 0; f < kCell; ++f) weighted[f] = point.r * z[(i - b) * kCell + f];
#pragma unroll
      for (int f = 0; f < kCell; ++f) sum[n][first_place(f)] += weighted[f];
#pragma unroll
      for (int j = i; j < rows; ++j, ++n)
#pragma unroll
        for (int g = 0; g < kCell; ++g)
#pragma unroll
          for (int f = 0; f < kCell; ++f)
            if (i != j || f <= g)
              sum[n][g * kCell + f] = std::fma(weighted[f], z[(j - b) * kCell + g], sum[n][g * kCell + f]);
    }
  }
  double* place[cells];
  double before[cells];  // asked for together: they come from far
  n = 0;
#pragma unroll
  for (int i = b; i < end; ++i)
#pragma unroll
    for (int j = i; j < rows; ++j, ++n) {
      sum[n][0] = sum_of_16(sum[n]);
      place[n] = lane % 2 == 0 ? place_of<rows>(view, k, i, j, lane / 2, sums) : nullptr;
    }
#pragma unroll
  for (n = 0; n < cells; ++n) before[n] = place[n] ? *place[n] : 0;
#pragma unroll
  for (n = 0; n < cells; ++n)
    if (place[n]) *place[n] = before[n] + double(sum[n][0]);
  if constexpr (end < rows) accumulate_strip<rows, end>(view, k, x, live, lives, sums);
}

template <int D, bool r_shared>
__global__ void __launch_bounds__(kFusedThreads, 2)
    fused_full_kernel(MixtureSweepDevice op, const DeviceProblem* problems, std::int64_t count, MixtureSlice slice) {
  CAVI_DYNAMIC_SHARED(float, pool);
  op.regime = MixtureRegime::fused;  // so that the compiler knows the layout
  const std::int64_t slab = slice.first_slab + blockIdx.x;
  for (std::int64_t p = blockIdx.y; p < count; p += gridDim.y) {
    if (*problems[p].active == 0) continue;
    const View view(op, problems[p]);
    if (slab >= view.slabs) continue;
    fused_slab<components::Full, r_shared>(
        view, slab, pool, [&](const float* x, float* r) { respond<D>(view, x, r); },
        [&](int k, const float* x, const Live* live, int lives, double* sums) {
          if (lives < kFew)
            accumulate_cells_of_lanes<lanes_of_cells(D / kCell)>(view, k, x, live, lives, sums);
          else
            accumulate_strip<D / kCell, 0>(view, k, x, live, lives, sums);
        });
  }
}

}  // namespace

cudaError_t enqueue_fused_full_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream) {
  const auto enqueue = [&]<int D>(std::integral_constant<int, D>) {
    return launch_fused(
        fused_r_shared(op.components, op.features) ? fused_full_kernel<D, true> : fused_full_kernel<D, false>, op,
        problems, count, slice, stream);
  };
  const auto choose = [&]<int... n>(std::integer_sequence<int, n...>) {
    cudaError_t error = cudaErrorInvalidValue;
    static_cast<void>(((padded(op.features) == (n + 1) * kCell &&
                        (error = enqueue(std::integral_constant<int, (n + 1) * kCell>()), true)) ||
                       ...));
    return error;
  };
  return choose(std::make_integer_sequence<int, kFusedFeatures / kCell>());
}

}  // namespace cavi::kernels::cuda
