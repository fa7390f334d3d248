// SPDX-License-Identifier: Apache-2.0
// Responsibilities and moments as plain products with a few numbers t(x) of a point, for families whose features stand
// alone and whose means are near the origin (see Frame):
//
//   diag             t = (x, x^2)       logit = offset + <c_k, t(x)>, sums of r t(x)
//   spherical, tied  t = (x, |x|^2)     (tied: of the whitened row, whose square needs no sum)
//
// Half the operations of differences from the means. Far from the origin products would cancel.
#if defined(CAVI_MIXTURE_PACKED_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_PACKED_INL
#undef CAVI_MIXTURE_PACKED_INL
#else
#define CAVI_MIXTURE_PACKED_INL
#endif

#include "kernels/cpu/mixture_accumulate-inl.hpp"
#include "kernels/cpu/mixture_respond-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

// Logits of components [k, k + n). t: [numbers x kTile].
template <class T, int n>
HWY_INLINE void ScorePackedOf(const TileParameters<T>& p, int numbers, int k, const T* t, T* r, std::int64_t stride,
                              Vec<T> (&largest)[kVectors]) {
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
template <class T>
HWY_INLINE void AddSquares(Component family, int features, T* tile, T* rows, std::int64_t stride) {
  const Tag<T> d;
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
    const int at = v * kLanes<T>;
    auto square = hn::Zero(d);
    for (int f = 0; f < features; ++f) {
      const auto x = Load(tile + f * kTile<T> + at);
      if (family == Component::diag) {
        const auto own = hn::Mul(x, x);
        hn::Store(own, d, tile + (features + f) * kTile<T> + at);
        hn::Store(own, d, rows + f * stride + at);
      }
      square = hn::MulAdd(x, x, square);
    }
    if (family == Component::diag) continue;
    hn::Store(square, d, tile + features * kTile<T> + at);
    hn::Store(square, d, rows + at);
  }
}

// Scratch: what follows x in t(x), [.. x stride], then the rest of what a tile or a list of points wants.
template <class T>
HWY_INLINE T* AfterSquares(const TileParameters<T>& p, const TileBlock<T>& block) {
  return block.scratch + (packed_numbers(p.family, p.features) - p.features) * block.stride;
}

template <class T>
double RespondPacked(const TileParameters<T>& p, const TileBlock<T>& block) {
  const int features = p.features, numbers = packed_numbers(p.family, features);
  T *tile = AfterSquares(p, block), *raw = tile + numbers * kTile<T>;
  auto lse = hn::Zero(Tag<double>());
  Ahead ahead(block, (p.components + kAbreast - 1) / kAbreast);
  for (int i = 0; i < block.points; i += kTile<T>) {
    T *x = block.x + i, *r = block.r + i;
    if (p.family == Component::tied) {
      CopyTile(x, block.stride, raw, kTile<T>, features);
      WhitenTile(p.whitener, features, raw, tile, reinterpret_cast<double*>(raw + features * kTile<T>));
      CopyTile(tile, kTile<T>, x, block.stride, features);
    } else {
      CopyTile(x, block.stride, tile, kTile<T>, features);
    }
    AddSquares(p.family, features, tile, block.scratch + i, block.stride);
    Vec<T> largest[kVectors];
    for (int v = 0; v < kVectors; ++v) largest[v] = Set(-std::numeric_limits<T>::max());
    int k = 0;
    for (; k + kAbreast <= p.components; k += kAbreast, ahead.step())
      ScorePackedOf<T, kAbreast>(p, numbers, k, tile, r, block.stride, largest);
    for (; k < p.components; ++k) ScorePackedOf<T, 1>(p, numbers, k, tile, r, block.stride, largest);
    Normalise<T, false>(p.components, block.weight + i, block.stride, r, largest, lse);
  }
  return hn::GetLane(hn::SumOfLanes(Tag<double>(), lse));
}

constexpr int kPair = 2;                          // components whose moments are taken together
constexpr int kMoments = kManyRegisters ? 8 : 4;  // of each

// Sums of n rows of t(x), `stride` apart, for `pair` components, whose r are.
template <class T, int pair, int n>
HWY_INLINE void MomentsOf(const T* HWY_RESTRICT rows, const T* HWY_RESTRICT r, std::int64_t stride,
                          const std::int32_t* live, int lives, double* total) {
  Vec<T> sum[16];
  CAVI_UNROLL for (int j = 0; j < 16; ++j) sum[j] = hn::Zero(Tag<T>());
  for (int i = 0; i < lives; ++i) {
    const std::int32_t at = live[i];
    Vec<T> weight[pair];
    CAVI_UNROLL for (int c = 0; c < pair; ++c) weight[c] = Load(r + c * stride + at);
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      const auto in = Load(rows + j * stride + at);
      CAVI_UNROLL for (int c = 0; c < pair; ++c) {
        sum[c * kMoments + j] = hn::MulAdd(weight[c], in, sum[c * kMoments + j]);
      }
    }
  }
  AddSums<T>(sum, total);
}

template <class T, int pair>
HWY_NOINLINE void Moments(const T* rows, int n, const T* r, std::int64_t stride, const std::int32_t* live, int lives,
                          double* total) {
  switch (n) {
    case 1: return MomentsOf<T, pair, 1>(rows, r, stride, live, lives, total);
    case 2: return MomentsOf<T, pair, 2>(rows, r, stride, live, lives, total);
    case 3: return MomentsOf<T, pair, 3>(rows, r, stride, live, lives, total);
    case 4: return MomentsOf<T, pair, 4>(rows, r, stride, live, lives, total);
    case 5: return MomentsOf<T, pair, 5 % (kMoments + 1)>(rows, r, stride, live, lives, total);
    case 6: return MomentsOf<T, pair, 6 % (kMoments + 1)>(rows, r, stride, live, lives, total);
    case 7: return MomentsOf<T, pair, 7 % (kMoments + 1)>(rows, r, stride, live, lives, total);
    case 8: return MomentsOf<T, pair, 8 % (kMoments + 1)>(rows, r, stride, live, lives, total);
  }
}

template <class T>
std::int64_t AccumulatePacked(const TileParameters<T>& p, const TileBlock<T>& block, const TileSums& sums) {
  const int vectors = block.points / kLanes<T>, pairs = (p.components + kPair - 1) / kPair;
  auto* live = reinterpret_cast<std::int32_t*>(AfterSquares(p, block));
  std::int32_t* lives = live + std::int64_t(pairs) * vectors;
  std::int32_t* own[kPair] = {lives + pairs, lives + pairs + vectors};
  std::int64_t matter = 0;
  for (int pair = 0; pair < pairs; ++pair) {
    int n[kPair] = {};
    for (int c = 0; c < kPair && pair * kPair + c < p.components; ++c) {
      const int k = pair * kPair + c;
      n[c] = Survey<T, false>(block.r + k * block.stride, block.points, own[c], matter, sums.count + k);
    }
    std::int32_t* either = live + std::int64_t(pair) * vectors;
    lives[pair] = int(std::set_union(own[0], own[0] + n[0], own[1], own[1] + n[1], either) - either);
  }
  // Rows one after the other, so that a few of them stay close while all components pass over them.
  const auto moments = [&](const T* rows, int count, double* out, std::int64_t of_component) {
    for (int first = 0; first < count; first += kMoments) {
      const int n = std::min(kMoments, count - first);
      for (int pair = 0; pair < pairs; ++pair) {
        const int k = pair * kPair, both = std::min(kPair, p.components - k);
        HWY_ALIGN double total[16] = {};
        (both == kPair ? Moments<T, kPair> : Moments<T, 1>)(rows + first * block.stride, n, block.r + k * block.stride,
                                                            block.stride, live + std::int64_t(pair) * vectors,
                                                            lives[pair], total);
        for (int c = 0; c < both; ++c)
          for (int j = 0; j < n; ++j) out[(k + c) * of_component + first + j] += total[c * kMoments + j];
      }
    }
  };
  moments(block.x, p.features, sums.first, p.features);
  const int squares = packed_numbers(p.family, p.features) - p.features;
  if (p.family != Component::tied) moments(block.scratch, squares, sums.second, squares);
  return matter;
}

template <class T>
std::int64_t PackedScratch(int components, int features, std::int64_t stride) {
  const std::int64_t squares = features * stride, numbers = 2 * std::int64_t(features);
  const std::int64_t tile = (numbers + 6 * std::int64_t(features) + 1) * kTile<T>;
  return squares + std::max(tile, (components / kPair + 4) * (stride + 1));  // lists are of 32 bits
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
