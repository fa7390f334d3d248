// SPDX-License-Identifier: Apache-2.0
// The fused pass for a precision matrix each, features (padded to fours) known when it is compiled.
//
//   respond      points of a lane in registers; R x - R m, or far from the origin R (x - m), the zeros of R left out
//   accumulate   many points: a lane per one or two of them; cells of the second moment in registers, as many as fit,
//                and the first moments of their features in the places under the diagonal. Few points: a lane per cell
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_fused_cells.cuh"
#include "kernels/cuda/mixture_regimes.hpp"

#include <utility>

namespace cavi::kernels::cuda {
namespace {

using View = FullView;

constexpr int kFew = 64;  // points for which folding sums over lanes does not pay

// What a point of a lane lacks to the offset, squared row by row: R x + shift, or R (x - shift).
template <int D, int points, bool far>
__device__ inline void square_rows(const Four<float>* record, const float (&at)[D][points], float (&square)[points]) {
  const Four<float>* shift = record + packed_size(Component::full, D) / kCell;
  int column = 0;
#pragma unroll
  for (int row = 0; row < D; row += kCell) {
    float y[kCell][points] = {};
    if constexpr (!far) {
      const Four<float> from = shift[row / kCell];
#pragma unroll
      for (int i = 0; i < kCell; ++i)
#pragma unroll
        for (int p = 0; p < points; ++p) y[i][p] = from.v[i];
    }
#pragma unroll
    for (int j = row; j < D; ++j) {
      const Four<float> c = record[column++];
      // Anew for every row: x - m would take registers.
      const float m = far ? static_cast<const volatile float&>(shift[j / kCell].v[j % kCell]) : 0;
#pragma unroll
      for (int i = 0; i < kCell; ++i)
        if (row + i <= j) {
#pragma unroll
          for (int p = 0; p < points; ++p) y[i][p] = std::fma(c.v[i], far ? at[j][p] - m : at[j][p], y[i][p]);
        }
    }
#pragma unroll
    for (int i = 0; i < kCell; ++i)
#pragma unroll
      for (int p = 0; p < points; ++p) square[p] = std::fma(y[i][p], y[i][p], square[p]);
  }
}

// A lane keeps its points, and scores one component after the other. Records come to shared memory first, since a
// number of them serves few multiply-adds; other warps have work meanwhile.
template <int D, class Tile>
__device__ inline void respond(const View& view, const TileShared<Tile>& in, float* r) {
  constexpr int kPoints = Tile::points < kTile ? 2 : 4, kParts = Tile::points / (kWarp * kPoints);
  constexpr int kAbreast = Tile::warps / kParts, kFours = record_size(D) / kCell;
  const int thread = anew(int(threadIdx.x)), warp = thread / kWarp, lane = thread % kWarp;
  const int point = (warp % kParts * kWarp + lane) * kPoints;
  float at[D][kPoints];
#pragma unroll
  for (int d = 0; d < D; ++d) {
    const auto four = *reinterpret_cast<const Pack<kPoints>*>(in.x + Tile::at(d) + point);
#pragma unroll
    for (int p = 0; p < kPoints; ++p) at[d][p] = four.v[p];
  }
  const int first = warp / kParts;
  const auto* from = reinterpret_cast<const Four<float>*>(view.record_of(first)) + lane;
  auto* record = reinterpret_cast<Four<float>*>(in.list());
  r += first * Tile::r_stride + point;
#pragma unroll 1
  for (int k = first; k < view.components; k += kAbreast, from += kAbreast * kFours, r += kAbreast * Tile::r_stride) {
    __syncwarp();
#pragma unroll
    for (int n = 0; n < kFours; n += kWarp)
      if (n + lane < kFours) record[n + lane] = from[n];
    __syncwarp();
    const float *offset = record[kFours - 1].v, *far = offset + 1;
    float square[kPoints] = {};
    if (*far == 0)
      square_rows<D, kPoints, false>(record, at, square);
    else
      square_rows<D, kPoints, true>(record, at, square);
    Pack<kPoints> logit;
#pragma unroll
    for (int p = 0; p < kPoints; ++p) logit.v[p] = *offset - square[p];
    *reinterpret_cast<Pack<kPoints>*>(r) = logit;
  }
}

// As many rows of cells as fit into registers, from row b on.
CAVI_HOST_DEVICE constexpr int strip_end(int rows, int b, int most) {
  int end = b + 1;
  for (int cells = rows - b; end < rows && cells + rows - end <= most; ++end) cells += rows - end;
  return end;
}

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

// At most `most` cells at a time.
template <int rows, int b, int most, class Tile>
__device__ inline void accumulate_strip(const View& view, int k, const float* x, const Lives& lives, double* sums) {
  constexpr int end = strip_end(rows, b, most), cells = cell_number(rows, end, end) - cell_number(rows, b, b);
  const int lane = Warp::rank();
  const float* centre = view.packed_centre_of(k);
  float sum[cells][kCell * kCell] = {};
  constexpr int kAtOnce = most > 4 ? 1 : 2;  // points of a lane: a centre that is read serves them all
  int n;
#pragma unroll 1
  for (int at = lane; at - lane < lives.count; at += kAtOnce * kWarp) {
    float r[kAtOnce], z[(rows - b) * kCell][kAtOnce];
    int point[kAtOnce];
#pragma unroll
    for (int p = 0; p < kAtOnce; ++p) {
      const bool inside = at + p * kWarp < lives.count;
      r[p] = inside ? lives.r[at + p * kWarp] : 0;
      point[p] = inside ? lives.point[at + p * kWarp] : 0;
    }
#pragma unroll
    for (int j = 0; j < (rows - b) * kCell; ++j) {
      // Where registers are scarce the centre does not get any: it is read anew for every point.
      const float m = rows - b > (most > 4 ? 7 : 1) ? *static_cast<const volatile float*>(centre + b * kCell + j)
                                                    : centre[b * kCell + j];
#pragma unroll
      for (int p = 0; p < kAtOnce; ++p) z[j][p] = x[Tile::at(b * kCell + j) + point[p]] - m;
    }
    n = 0;
#pragma unroll
    for (int i = b; i < end; ++i) {
      float weighted[kCell][kAtOnce];
#pragma unroll
      for (int f = 0; f < kCell; ++f)
#pragma unroll
        for (int p = 0; p < kAtOnce; ++p) {
          weighted[f][p] = r[p] * z[(i - b) * kCell + f][p];
          sum[n][first_place(f)] += weighted[f][p];
        }
#pragma unroll
      for (int j = i; j < rows; ++j, ++n)
#pragma unroll
        for (int g = 0; g < kCell; ++g)
#pragma unroll
          for (int f = 0; f < kCell; ++f)
#pragma unroll
            for (int p = 0; p < kAtOnce; ++p)
              if (i != j || f <= g)
                sum[n][g * kCell + f] = std::fma(weighted[f][p], z[(j - b) * kCell + g][p], sum[n][g * kCell + f]);
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
  for (n = 0; n < cells; ++n) before[n] = place[n] ? load_far(place[n]) : 0;
#pragma unroll
  for (n = 0; n < cells; ++n)
    if (place[n]) *place[n] = before[n] + double(sum[n][0]);
  if constexpr (end < rows) accumulate_strip<rows, end, most, Tile>(view, k, x, lives, sums);
}

template <int D, class Tile, bool r_shared>
__global__ void __launch_bounds__(Tile::threads, 2)
    fused_full_kernel(MixtureSweepDevice op, const DeviceProblem* problems, MixtureSlice slice) {
  CAVI_DYNAMIC_SHARED(float, pool);
  constexpr int kCells = D > kFusedFew ? 10 : 4;  // that the registers of a thread hold
  fused_pass<components::Full, Tile, r_shared>(
      op, problems[blockIdx.y], int(slice.first_slab + blockIdx.x), pool,
      [](const View& view, const TileShared<Tile>& in, float* r) { respond<D>(view, in, r); },
      [](const View& view, int k, const float* x, const Lives& lives, double* sums) {
        if (lives.count < kFew)
          accumulate_cells_of_lanes<lanes_of_cells(D / kCell), Tile>(view, k, x, lives, sums);
        else
          accumulate_strip<D / kCell, 0, kCells, Tile>(view, k, x, lives, sums);
      });
}

}  // namespace

cudaError_t enqueue_fused_full_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                    MixtureSlice slice, cudaStream_t stream) {
  const auto enqueue = [&]<int D>(std::integral_constant<int, D>) {
    return launch_fused<fused_threads(Component::full, D)>(
        []<class Tile, bool r_shared>(Tile, std::bool_constant<r_shared>) -> MixturePass {
          return fused_full_kernel<D, Tile, r_shared>;
        },
        op, problems, count, slice, stream);
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
