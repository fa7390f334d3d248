// SPDX-License-Identifier: Apache-2.0
// The fused pass for a precision matrix each and many features: rows stay in shared memory.
//
//   respond      16 rows of R z at a time for four points of a lane; z = x - m made again for every 16 rows
//   accumulate   a lane per cell of the second moment
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_fused_cells.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

namespace cavi::kernels::cuda {
namespace {

constexpr int kPoints = 4;     // of a lane
constexpr int kCellsHigh = 4;  // rows of cells at a time

// y += columns [column, column + 4) of `cells` rows of cells, the last of which is on the diagonal or left of it.
template <int cells, bool diagonal>
__device__ inline void add_columns(const Four<float>* packed, int (&root)[kCellsHigh], const float* x,
                                   const float* centre, float (&y)[kCellsHigh][kCell][kPoints]) {
#pragma unroll(diagonal ? 4 : 2)
  for (int j = 0; j < kCell; ++j) {
    const Four<float> in = *reinterpret_cast<const Four<float>*>(x + j * kFusedStride);
    float z[kPoints];
#pragma unroll
    for (int p = 0; p < kPoints; ++p) z[p] = in.v[p] - centre[j];
#pragma unroll
    for (int c = 0; c < cells; ++c) {
      const Four<float> r = packed[root[c] + j];
#pragma unroll
      for (int i = 0; i < kCell; ++i)
        if (!diagonal || c + 1 < cells || i <= j) {
#pragma unroll
          for (int p = 0; p < kPoints; ++p) y[c][i][p] = std::fma(r.v[i], z[p], y[c][i][p]);
        }
    }
  }
#pragma unroll
  for (int c = 0; c < cells; ++c) root[c] += kCell;
}

// Squares of `cells` rows of cells from row of cells b on.
template <int cells>
__device__ inline void add_rows(const FullView& view, int b, const Four<float>* packed, const float* x,
                                const float* centre, float (&square)[kPoints]) {
  const int rows = int(cell_rows(view.features));
  int root[kCellsHigh];  // where the rows of cells are, in fours
#pragma unroll
  for (int c = 0; c < kCellsHigh; ++c) root[c] = int(packed_offset(view.features, b + c) / kCell);
  float y[kCellsHigh][kCell][kPoints] = {};
  x += b * kCell * kFusedStride;
  centre += b * kCell;
  add_columns<1, true>(packed, root, x, centre, y);
  if constexpr (cells > 1) add_columns<2, true>(packed, root, x + kCell * kFusedStride, centre + kCell, y);
  if constexpr (cells > 2) add_columns<3, true>(packed, root, x + 2 * kCell * kFusedStride, centre + 2 * kCell, y);
  if constexpr (cells > 3) add_columns<4, true>(packed, root, x + 3 * kCell * kFusedStride, centre + 3 * kCell, y);
#pragma unroll 1
  for (int column = cells; column < rows - b; ++column)
    add_columns<cells, false>(packed, root, x + column * kCell * kFusedStride, centre + column * kCell, y);
#pragma unroll
  for (int c = 0; c < cells; ++c)
#pragma unroll
    for (int i = 0; i < kCell; ++i)
#pragma unroll
      for (int p = 0; p < kPoints; ++p) square[p] = std::fma(y[c][i][p], y[c][i][p], square[p]);
}

__device__ inline void respond(const FullView& view, const float* x, float* r) {
  constexpr int kParts = kFusedPoints / (kWarp * kPoints);
  const int rows = int(cell_rows(view.features));
#pragma unroll 1
  for (int unit = threadIdx.x / kWarp; unit < view.components * kParts; unit += kFusedWarps) {
    const int k = unit / kParts, point = unit % kParts * kWarp * kPoints + Warp::rank() * kPoints;
    const float* centre = view.packed_centre_of(k);
    const auto* root = reinterpret_cast<const Four<float>*>(view.packed_root_of(k));
    float square[kPoints] = {};
    int b = 0;
#pragma unroll 1
    for (; b + kCellsHigh <= rows; b += kCellsHigh) add_rows<kCellsHigh>(view, b, root, x + point, centre, square);
    if (rows - b == 1) add_rows<1>(view, b, root, x + point, centre, square);
    if (rows - b == 2) add_rows<2>(view, b, root, x + point, centre, square);
    if (rows - b == 3) add_rows<3>(view, b, root, x + point, centre, square);
    const float offset = view.offsets[k];
    Four<float> logit;
#pragma unroll
    for (int p = 0; p < kPoints; ++p) logit.v[p] = offset - square[p];
    *reinterpret_cast<Four<float>*>(r + k * kFusedPoints + point) = logit;
  }
}

template <bool r_shared>
__global__ void __launch_bounds__(kFusedThreads, 2)
    fused_wide_kernel(MixtureSweepDevice op, const DeviceProblem* problems, std::int64_t count, MixtureSlice slice) {
  CAVI_DYNAMIC_SHARED(float, pool);
  const std::int64_t slab = slice.first_slab + blockIdx.x;
  for (std::int64_t p = blockIdx.y; p < count; p += gridDim.y) {
    if (*problems[p].active == 0) continue;
    const FullView view(op, problems[p]);
    if (slab >= view.slabs) continue;
    fused_slab<components::Full, r_shared>(
        view, slab, pool, [&](const float* x, float* r) { respond(view, x, r); },
        [&](int k, const float* x, const Live* live, int lives, double* sums) {
          accumulate_cells_of_lanes<kWarp>(view, k, x, live, lives, sums);
        });
  }
}

}  // namespace

cudaError_t enqueue_fused_wide_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream) {
  return launch_fused(fused_r_shared(op.components, op.features) ? fused_wide_kernel<true> : fused_wide_kernel<false>,
                      op, problems, count, slice, stream);
}

}  // namespace cavi::kernels::cuda
