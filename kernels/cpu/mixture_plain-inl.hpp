// SPDX-License-Identifier: Apache-2.0
// Families whose features stand alone and whose means are near the origin (see Frame): plain products with a few
// numbers t(x) of a point, the same for all components.
//
//   diag             t = (x, x^2)      moments are sums of r t(x); logits are differences from the means as elsewhere,
//                                      which take no more operations
//   spherical, tied  t = (x, |x|^2)    so are the logits, offset + <c_k, t(x)>
//                                      (tied: of the whitened row, whose square needs no sum)
//
// Far from the origin products would cancel.
#if defined(CAVI_MIXTURE_PLAIN_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_PLAIN_INL
#undef CAVI_MIXTURE_PLAIN_INL
#else
#define CAVI_MIXTURE_PLAIN_INL
#endif

#include "kernels/cpu/mixture_simd-inl.hpp"
#include "kernels/cpu/mixture_tiles.hpp"

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

// Logits of components [k, k + n). t: [plain_numbers() x kTile].
template <class T, int n>
HWY_INLINE void ScorePlainOf(const TileParameters<T>& p, int k, const T* t, T* r, std::int64_t stride,
                             Vec<T> (&largest)[kVectors]) {
  const int numbers = plain_numbers(p.family, p.features);
  const T* coefficient = p.coefficient + std::int64_t(k) * numbers;
  Vec<T> sum[n][kVectors];
  CAVI_UNROLL for (int j = 0; j < n; ++j) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) sum[j][v] = Set(p.offset[k + j]);
  }
  for (int i = 0; i < numbers; ++i, t += kTile<T>) {
    Vec<T> in[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) in[v] = Load(t + v * kLanes<T>);
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      const auto c = Set(coefficient[std::int64_t(j) * numbers + i]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) sum[j][v] = hn::MulAdd(c, in[v], sum[j][v]);
    }
  }
  CAVI_UNROLL for (int j = 0; j < n; ++j) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      hn::Store(sum[j][v], Tag<T>(), r + (k + j) * stride + v * kLanes<T>);
      largest[v] = hn::Max(largest[v], sum[j][v]);
    }
  }
}

// What follows x in t(x), as rows of the block and, where logits are products, behind x in the tile.
template <class T, Component family>
HWY_INLINE void AddSquares(int features, T* tile, T* rows, std::int64_t stride) {
  const Tag<T> d;
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
    const int at = v * kLanes<T>;
    auto square = hn::Zero(d);
    for (int f = 0; f < features; ++f) {
      const auto x = Load(tile + f * kTile<T> + at);
      if constexpr (family == Component::diag)
        hn::Store(hn::Mul(x, x), d, rows + f * stride + at);
      else
        square = hn::MulAdd(x, x, square);
    }
    if constexpr (family == Component::diag) continue;
    hn::Store(square, d, tile + features * kTile<T> + at);
    hn::Store(square, d, rows + at);
  }
}

// A block's scratch begins with what follows x in t(x), [.. x stride]; what else a tile or lists want comes after.
template <class T>
HWY_INLINE T* AfterSquares(const TileParameters<T>& p, const TileBlock<T>& block) {
  return block.scratch + (plain_numbers(p.family, p.features) - p.features) * block.stride;
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
