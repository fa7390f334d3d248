// SPDX-License-Identifier: Apache-2.0
// Logits as plain products with a few numbers t(x) of a point, for families whose features stand
// alone and whose means are near the origin (see Frame):
//
//   diag             t = (x, x^2)       logit = offset + <c_k, t(x)>, moments are sums of r t(x)
//   spherical, tied  t = (x, |x|^2)     (tied: of the whitened row, whose square needs no sum)
//
// Half the operations of differences from the means. Far from the origin products would cancel.
#if defined(CAVI_MIXTURE_PACKED_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_PACKED_INL
#undef CAVI_MIXTURE_PACKED_INL
#else
#define CAVI_MIXTURE_PACKED_INL
#endif

#include "kernels/cpu/mixture_simd-inl.hpp"
#include "kernels/cpu/mixture_tiles.hpp"

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

// Logits of components [k, k + n). t: [packed_numbers() x kTile].
template <class T, int n>
HWY_INLINE void ScorePackedOf(const TileParameters<T>& p, int k, const T* t, T* r, std::int64_t stride,
                              Vec<T> (&largest)[kVectors]) {
  const int numbers = packed_numbers(p.family, p.features);
  const T* coefficient = p.packed + std::int64_t(k) * numbers;
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

// What follows x in t(x), behind x in the tile and as rows of the block.
template <class T, Component family>
HWY_INLINE void AddSquares(int features, T* tile, T* rows, std::int64_t stride) {
  const Tag<T> d;
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
    const int at = v * kLanes<T>;
    auto square = hn::Zero(d);
    for (int f = 0; f < features; ++f) {
      const auto x = Load(tile + f * kTile<T> + at);
      if constexpr (family == Component::diag) {
        const auto own = hn::Mul(x, x);
        hn::Store(own, d, tile + (features + f) * kTile<T> + at);
        hn::Store(own, d, rows + f * stride + at);
      } else {
        square = hn::MulAdd(x, x, square);
      }
    }
    if constexpr (family == Component::diag) continue;
    hn::Store(square, d, tile + features * kTile<T> + at);
    hn::Store(square, d, rows + at);
  }
}

// A block's scratch begins with what follows x in t(x), [.. x stride]; what else a tile or lists want comes after.
template <class T>
HWY_INLINE T* AfterSquares(const TileParameters<T>& p, const TileBlock<T>& block) {
  return block.scratch + (packed_numbers(p.family, p.features) - p.features) * block.stride;
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
