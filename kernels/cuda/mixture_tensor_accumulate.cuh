// SPDX-License-Identifier: Apache-2.0
/// \file
/// Second moments by tensor cores: with w = sqrt(r) (x - m) they are sums of w w', so that the same numbers are both
/// factors and are cut in two but once. Eight points are the inner dimension of the products, and come from a list.
///
/// A warp sums up a part of the matrix of a component, over tile after tile in registers: all of it up to 64 features,
/// else two triangles and the two halves of the square between them.
#pragma once

#include "kernels/cuda/mixture_rounds.cuh"
#include "kernels/cuda/tensor_core.cuh"

#include <cmath>

namespace cavi::kernels::cuda {

inline constexpr int kSixteen = 16;       ///< rows of a product; its columns are eights
inline constexpr int kTensorFlush = 512;  ///< points that float32 sums may bear

/// Sixteens of rows times eights of columns; the products left of the diagonal of a triangle are left out.
template <int rows_, int columns_, bool triangle_>
struct MomentShape {
  static constexpr int rows = rows_, columns = columns_;
  static constexpr bool triangle = triangle_;
  static constexpr int first_column(int row) { return triangle ? 2 * row : 0; }
  static constexpr int product(int row, int column) {
    return row * columns - (triangle ? row * (row - 1) : 0) + column - first_column(row);
  }
  static constexpr int products = triangle ? rows * (rows + 1) : rows * columns;
};
template <int rows>
using Triangle = MomentShape<rows, 2 * rows, true>;

/// The sums of a lane: of products, and of r z in a triangle's eights.
template <int products>
struct MomentSums {
  FragmentSum second[products] = {};
  float first[kBlock] = {};
};

/// A point that matters to a component.
struct alignas(8) Live {
  float r;
  int point;
};

/// Lists the points that matter to a component, and adds up all of its responsibilities, by a warp. Returns how many.
__device__ inline int list_live(const float* r, const float* scale, Live* live, float& count) {
  const int lane = Warp::rank();
  int n = 0;
  count = 0;
#pragma unroll
  for (int i = 0; i < kTile; i += kWarp) {
    const float at = r[i + lane] * scale[i + lane];
    count += at;
    const bool alive = at >= kNegligible<float>;
    const unsigned mask = __ballot_sync(kAllLanes, alive);
    if (alive) live[n + __popc(mask & ((1u << lane) - 1))] = {at, i + lane};
    n += __popc(mask);
  }
  count = warp_sum(count);
  __syncwarp();
  return n;
}

/// The list as the products want it, after the next barrier: square roots, up to a multiple of eight.
__device__ inline void take_roots(Live* live, int lives) {
  for (int i = Warp::rank(); i < (lives + 7) / 8 * 8; i += kWarp)
    live[i] = i < lives ? Live{std::sqrt(live[i].r), live[i].point} : Live{0, 0};
}

/// Adds the points of a list to the part whose first features are `row` and `column`.
template <class Shape, int most>
__device__ inline void add_live(const FullView& view, int k, int row, int column, const float* x, const Live* live,
                                int lives, MomentSums<most>& sums) {
  constexpr int kEight = kBlock * TensorBlock::stride;
  constexpr int kOwnRows = Shape::triangle ? 0 : 2 * Shape::rows;  // eights of rows that are no columns
  const int lane = anew(Warp::rank()), g = lane / 4, t = lane % 4;
  const float* centre = view.tensor_centre_of(k) + g;
  x += g * TensorBlock::stride;
  // The centre gets no registers: it is read anew for every eight points.
  const auto centre_at = [&](int feature) { return *static_cast<const volatile float*>(centre + feature); };
  const float *of_row = x + row * TensorBlock::stride, *of_column = x + column * TensorBlock::stride;
#pragma unroll 1
  for (int at = 0; at < lives; at += kBlock) {
    const Live one = live[at + t], other = live[at + t + 4];
    FragmentA a[Shape::rows];
    const auto set_row = [&](int i, float w, float w_other) {
      a[i / 2].set(i % 2, w);
      a[i / 2].set(i % 2 + 2, w_other);
    };
#pragma unroll
    for (int i = 0; i < kOwnRows; ++i) {
      const float* from = of_row + i * kEight;
      const float m = centre_at(row + i * kBlock);
      set_row(i, one.r * (from[one.point] - m), other.r * (from[other.point] - m));
    }
#pragma unroll
    for (int pair = 0; pair < Shape::columns / 2; ++pair) {
      // Half way, lest all loads come first and want more registers than there are.
      if (pair == 2) __syncwarp();
      FragmentB b[2];
#pragma unroll
      for (int side = 0; side < 2; ++side) {
        const int j = 2 * pair + side;
        const float* from = of_column + j * kEight;
        const float m = centre_at(column + j * kBlock);
        const float w = one.r * (from[one.point] - m), w_other = other.r * (from[other.point] - m);
        b[side].set(0, w);
        b[side].set(1, w_other);
        if constexpr (Shape::triangle) {
          set_row(j, w, w_other);
          sums.first[j] = std::fma(one.r, w, std::fma(other.r, w_other, sums.first[j]));
        }
      }
#pragma unroll
      for (int i = 0; i < (Shape::triangle ? pair + 1 : Shape::rows); ++i)
#pragma unroll
        for (int side = 0; side < 2; ++side)
          add_product(sums.second[Shape::product(i, 2 * pair + side)], a[i], b[side]);
    }
  }
}

/// Adds the sums to those of the slab, and begins anew.
template <class Shape, int most>
__device__ inline void flush_moments(const FullView& view, int k, int row, int column, double* slab,
                                     MomentSums<most>& sums) {
  const int lane = anew(Warp::rank()), g = lane / 4, t = lane % 4;
  const int features = anew(view.features), cells = int(cell_rows(features));
  double* second = view.second(slab) + k * cells_size(features);
  constexpr int kTogether = 4;  // eights of columns
  const auto inside = [&](int r, int c) { return r <= c && c < padded(features); };
#pragma unroll
  for (int i = 0; i < Shape::rows; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int r = row + i * kSixteen + half * kBlock + g, c = column + 2 * t, cell = r / kCell;
      // Element (r, c), were it not left of the diagonal: columns are kCell apart, and kCell of them a cell.
      double* at = second + (cell * cells - cell * (cell + 1) / 2) * kCell * kCell + r % kCell + c * kCell;
#pragma unroll
      for (int from = Shape::first_column(i); from < Shape::columns; from += kTogether) {
        const int to = from + kTogether < Shape::columns ? from + kTogether : Shape::columns;
        double before[kTogether][2];  // asked for together: they come from far
#pragma unroll
        for (int j = from; j < to; ++j)
#pragma unroll
          for (int n = 0; n < 2; ++n)
            before[j - from][n] = inside(r, c + j * kBlock + n) ? at[(j * kBlock + n) * kCell] : 0;
#pragma unroll
        for (int j = from; j < to; ++j)
#pragma unroll
          for (int n = 0; n < 2; ++n) {
            float& sum = sums.second[Shape::product(i, j)].v[2 * half + n];
            if (inside(r, c + j * kBlock + n)) at[(j * kBlock + n) * kCell] = before[j - from][n] + double(sum);
            sum = 0;
          }
      }
    }
  if constexpr (Shape::triangle) {
    double* first = view.first(slab) + std::int64_t(k) * features;
#pragma unroll
    for (int j = 0; j < Shape::columns; ++j) {
      float sum = sums.first[j];
      sum += __shfl_xor_sync(kAllLanes, sum, 1);
      sum += __shfl_xor_sync(kAllLanes, sum, 2);
      const int feature = column + j * kBlock + g;
      if (t == 0 && feature < features) first[feature] += double(sum);
      sums.first[j] = 0;
    }
  }
}

}  // namespace cavi::kernels::cuda
