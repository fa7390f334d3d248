// SPDX-License-Identifier: Apache-2.0
// Responsibilities of a block, tile by tile: the logits of all components, points along the lanes, then down the
// components without ever crossing lanes.
//
//   full   rows of y = R z in registers, z = x - m made by the first rows and kept for the others; R by broadcast
//   axes   several components at once, one feature after the other (diag, spherical; tied after whitening)
#if defined(CAVI_MIXTURE_RESPOND_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_RESPOND_INL
#undef CAVI_MIXTURE_RESPOND_INL
#else
#define CAVI_MIXTURE_RESPOND_INL
#endif

#include "kernels/cpu/mixture_simd-inl.hpp"
#include "kernels/cpu/mixture_tiles.hpp"

#include <hwy/contrib/math/math-inl.h>

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

constexpr int kRows = kManyRegisters ? 8 : 4;     // of a triangular product in registers
constexpr int kAbreast = kManyRegisters ? 4 : 2;  // components scored at once along the axes

enum class Part { first, rest, whiten };

// Rows [0, n) of y = R z over `left` columns; `root` points at the transpose of R's block, rows `features` apart.
// first: z = x - centre, which is kept; rest: z is read; both add |y|^2 to `square`. whiten: z = x, which y replaces.
template <class T, int n, Part part>
HWY_INLINE void TriangleRows(const T* HWY_RESTRICT root, int features, int left, const T* HWY_RESTRICT centre, T* x,
                             std::int64_t stride, T* HWY_RESTRICT z, Vec<T> (&square)[kVectors]) {
  const Tag<T> d;
  Vec<T> y[n][kVectors];
  CAVI_UNROLL for (int r = 0; r < n; ++r) { CAVI_UNROLL for (int v = 0; v < kVectors; ++v) y[r][v] = hn::Zero(d); }
  const auto column = [&](int t, Vec<T>(&out)[kVectors]) HWY_ATTR {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      if constexpr (part == Part::rest) {
        out[v] = Load(z + t * kTile<T> + v * kLanes<T>);
      } else {
        out[v] = Load(x + t * stride + v * kLanes<T>);
        if constexpr (part == Part::first) {
          out[v] = hn::Sub(out[v], Set(centre[t]));
          if (left > n) hn::Store(out[v], d, z + t * kTile<T> + v * kLanes<T>);
        }
      }
    }
  };
  CAVI_UNROLL for (int t = 0; t < n; ++t) {
    Vec<T> in[kVectors];
    column(t, in);
    CAVI_UNROLL for (int r = 0; r <= t; ++r) {
      const auto c = Set(root[t * features + r]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) y[r][v] = hn::MulAdd(c, in[v], y[r][v]);
    }
  }
  for (int t = n; t < left; ++t) {
    Vec<T> in[kVectors];
    column(t, in);
    CAVI_UNROLL for (int r = 0; r < n; ++r) {
      const auto c = Set(root[t * features + r]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) y[r][v] = hn::MulAdd(c, in[v], y[r][v]);
    }
  }
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
    if constexpr (part == Part::whiten) {
      CAVI_UNROLL for (int r = 0; r < n; ++r) hn::Store(y[r][v], d, x + r * stride + v * kLanes<T>);
    } else {
      auto even = square[v], odd = hn::Zero(d);  // two chains
      CAVI_UNROLL for (int r = 0; r < n; ++r) {
        if (r % 2 == 0) even = hn::MulAdd(y[r][v], y[r][v], even);
        if (r % 2 == 1) odd = hn::MulAdd(y[r][v], y[r][v], odd);
      }
      square[v] = hn::Add(even, odd);
    }
  }
}

// Logits of one tile into r, their maximum into `largest`. tail: features beyond a multiple of kRows.
template <class T, int tail>
HWY_NOINLINE void ScoreFull(const TileParameters<T>& p, T* x, std::int64_t stride, T* r, T* z,
                            Vec<T> (&largest)[kVectors]) {
  const Tag<T> d;
  const int features = p.features;
  for (int k = 0; k < p.components; ++k, r += stride) {
    const T* root = p.root + std::int64_t(k) * features * features;
    const T* centre = p.centre + std::int64_t(k) * features;
    Vec<T> square[kVectors];
    for (int v = 0; v < kVectors; ++v) square[v] = hn::Zero(d);
    int row = 0;
    if (features >= kRows) {
      TriangleRows<T, kRows, Part::first>(root, features, features, centre, x, stride, z, square);
      for (row = kRows; row + kRows <= features; row += kRows)
        TriangleRows<T, kRows, Part::rest>(root + row * (features + 1), features, features - row, centre, x, stride,
                                           z + row * kTile<T>, square);
      if constexpr (tail > 0)
        TriangleRows<T, tail, Part::rest>(root + row * (features + 1), features, tail, centre, x, stride,
                                          z + row * kTile<T>, square);
    } else if constexpr (tail > 0) {
      TriangleRows<T, tail, Part::first>(root, features, tail, centre, x, stride, z, square);
    }
    const auto offset = Set(p.offset[k]);
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      const auto logit = hn::Sub(offset, square[v]);
      hn::Store(logit, d, r + v * kLanes<T>);
      largest[v] = hn::Max(largest[v], logit);
    }
  }
}

template <class T>
void ScoreFullTail(const TileParameters<T>& p, T* x, std::int64_t stride, T* r, T* z, Vec<T> (&largest)[kVectors]) {
  switch (p.features % kRows) {
    case 0: return ScoreFull<T, 0>(p, x, stride, r, z, largest);
    case 1: return ScoreFull<T, 1>(p, x, stride, r, z, largest);
    case 2: return ScoreFull<T, 2>(p, x, stride, r, z, largest);
    case 3: return ScoreFull<T, 3>(p, x, stride, r, z, largest);
    case 4: return ScoreFull<T, 4 % kRows>(p, x, stride, r, z, largest);
    case 5: return ScoreFull<T, 5 % kRows>(p, x, stride, r, z, largest);
    case 6: return ScoreFull<T, 6 % kRows>(p, x, stride, r, z, largest);
    case 7: return ScoreFull<T, 7 % kRows>(p, x, stride, r, z, largest);
  }
}

// x = R x in place: row t of the product needs only rows t and after.
template <class T>
HWY_NOINLINE void Whiten(const TileParameters<T>& p, T* x, std::int64_t stride) {
  Vec<T> unused[kVectors];
  int row = 0;
  for (; row + kRows <= p.features; row += kRows)
    TriangleRows<T, kRows, Part::whiten>(p.root + row * (p.features + 1), p.features, p.features - row, nullptr,
                                         x + row * stride, stride, nullptr, unused);
  for (; row < p.features; ++row)
    TriangleRows<T, 1, Part::whiten>(p.root + row * (p.features + 1), p.features, p.features - row, nullptr,
                                     x + row * stride, stride, nullptr, unused);
}

// What is squared along one axis: root x + centre with a single rounding (diag), x - centre elsewhere.
template <Component family, class T>
HWY_INLINE Vec<T> Residual(Vec<T> x, Vec<T> root, Vec<T> centre) {
  if constexpr (family == Component::diag) return hn::MulAdd(root, x, centre);
  return hn::Sub(x, centre);
}

template <class T, Component family, int n>
HWY_INLINE void ScoreAxesOf(const TileParameters<T>& p, int k, const T* x, std::int64_t stride, T* r,
                            Vec<T> (&largest)[kVectors]) {
  const Tag<T> d;
  const int features = p.features;
  const T* centre = p.centre + std::int64_t(k) * features;
  const T* root = family == Component::diag ? p.root + std::int64_t(k) * features : centre;
  Vec<T> square[n][kVectors];
  CAVI_UNROLL for (int j = 0; j < n; ++j) { CAVI_UNROLL for (int v = 0; v < kVectors; ++v) square[j][v] = hn::Zero(d); }
  for (int f = 0; f < features; ++f, x += stride) {
    Vec<T> in[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) in[v] = Load(x + v * kLanes<T>);
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      const auto s = Set(root[j * features + f]), c = Set(centre[j * features + f]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
        const auto z = Residual<family, T>(in[v], s, c);
        square[j][v] = hn::MulAdd(z, z, square[j][v]);
      }
    }
  }
  CAVI_UNROLL for (int j = 0; j < n; ++j) {
    const auto offset = Set(p.offset[k + j]);
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      const auto logit = family == Component::spherical ? hn::NegMulAdd(Set(p.root[k + j]), square[j][v], offset)
                                                        : hn::Sub(offset, square[j][v]);
      hn::Store(logit, d, r + (k + j) * stride + v * kLanes<T>);
      largest[v] = hn::Max(largest[v], logit);
    }
  }
}

template <class T, Component family>
HWY_NOINLINE void ScoreAxes(const TileParameters<T>& p, const T* x, std::int64_t stride, T* r,
                            Vec<T> (&largest)[kVectors]) {
  int k = 0;
  for (; k + kAbreast <= p.components; k += kAbreast) ScoreAxesOf<T, family, kAbreast>(p, k, x, stride, r, largest);
  for (; k < p.components; ++k) ScoreAxesOf<T, family, 1>(p, k, x, stride, r, largest);
}

template <class T, Component family>
HWY_INLINE void Score(const TileParameters<T>& p, T* x, std::int64_t stride, T* r, T* z, Vec<T> (&largest)[kVectors]) {
  if constexpr (family == Component::full) {
    ScoreFullTail(p, x, stride, r, z, largest);
  } else {
    if constexpr (family == Component::tied) Whiten(p, x, stride);
    ScoreAxes<T, family>(p, x, stride, r, largest);
  }
}

// Logits to weighted responsibilities, or to their roots, for one tile; adds w log sum exp to lse, in nats.
template <class T, bool root>
HWY_INLINE void Normalise(int components, const T* weight, std::int64_t stride, T* r, const Vec<T> (&largest)[kVectors],
                          Vec<double>& lse) {
  const Tag<T> d;
  Vec<T> sum[kVectors], scale[kVectors];
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) sum[v] = hn::Zero(d);
  for (int k = 0; k < components; ++k) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      T* at = r + k * stride + v * kLanes<T>;
      const auto below = hn::Sub(Load(at), largest[v]);
      const auto e = Exp2(root ? hn::Mul(Set(T(0.5)), below) : below);
      sum[v] = root ? hn::MulAdd(e, e, sum[v]) : hn::Add(sum[v], e);
      hn::Store(e, d, at);
    }
  }
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
    const auto w = Load(weight + v * kLanes<T>);
    scale[v] = hn::Div(w, sum[v]);
    if (root) scale[v] = hn::Sqrt(scale[v]);
    const auto top = hn::Mul(w, largest[v]), rest = hn::Mul(w, hn::Log(d, sum[v]));
    lse = hn::MulAdd(Widen(top), hn::Set(Tag<double>(), 0.69314718055994530942), hn::Add(lse, Widen(rest)));
  }
  for (int k = 0; k < components; ++k) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      T* at = r + k * stride + v * kLanes<T>;
      hn::Store(hn::Mul(scale[v], Load(at)), d, at);
    }
  }
}

template <class T, Component family>
double Respond(const TileParameters<T>& p, const TileBlock<T>& block) {
  auto lse = hn::Zero(Tag<double>());
  for (int i = 0; i < block.points; i += kTile<T>) {
    Vec<T> largest[kVectors];
    for (int v = 0; v < kVectors; ++v) largest[v] = Set(-std::numeric_limits<T>::max());
    Score<T, family>(p, block.x + i, block.stride, block.r + i, block.scratch, largest);
    Normalise<T, family == Component::full>(p.components, block.weight + i, block.stride, block.r + i, largest, lse);
  }
  return hn::GetLane(hn::SumOfLanes(Tag<double>(), lse));
}

// Squared distances to n centres at once; the lower number wins a tie.
template <class T, int n>
HWY_INLINE void NearestOf(const T* x, std::int64_t stride, int features, const T* centres, int k,
                          Vec<T> (&best)[kVectors], Vec<T> (&winner)[kVectors]) {
  const Tag<T> d;
  Vec<T> square[n][kVectors];
  CAVI_UNROLL for (int j = 0; j < n; ++j) { CAVI_UNROLL for (int v = 0; v < kVectors; ++v) square[j][v] = hn::Zero(d); }
  for (int f = 0; f < features; ++f, x += stride) {
    Vec<T> in[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) in[v] = Load(x + v * kLanes<T>);
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      const auto centre = Set(centres[std::int64_t(k + j) * features + f]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
        const auto z = hn::Sub(in[v], centre);
        square[j][v] = hn::MulAdd(z, z, square[j][v]);
      }
    }
  }
  CAVI_UNROLL for (int j = 0; j < n; ++j) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      winner[v] = hn::IfThenElse(hn::Lt(square[j][v], best[v]), Set(T(k + j)), winner[v]);
      best[v] = hn::Min(square[j][v], best[v]);
    }
  }
}

template <class T>
void Nearest(const TileBlock<T>& block, int features, const T* centres, int count) {
  const Tag<T> d;
  for (int i = 0; i < block.points; i += kTile<T>) {
    Vec<T> best[kVectors], winner[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      best[v] = Load(block.r + i + v * kLanes<T>);
      winner[v] = Set(T(-1));
    }
    int k = 0;
    for (; k + kAbreast <= count; k += kAbreast)
      NearestOf<T, kAbreast>(block.x + i, block.stride, features, centres, k, best, winner);
    for (; k < count; ++k) NearestOf<T, 1>(block.x + i, block.stride, features, centres, k, best, winner);
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      hn::Store(best[v], d, block.r + i + v * kLanes<T>);
      hn::Store(winner[v], d, block.r + block.stride + i + v * kLanes<T>);
    }
  }
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
