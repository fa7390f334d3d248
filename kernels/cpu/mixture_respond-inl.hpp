// SPDX-License-Identifier: Apache-2.0
// Responsibilities of a block, tile by tile: the logits of all components, points along the lanes, then down the
// components without ever crossing lanes.
//
//   full   rows of y = R z in registers, z = x - m made by the first rows and kept for the others; R by broadcast
//   axes   several components at once, one feature after the other (diag, spherical; tied after whitening)
//   linear, plain   in files of their own
#if defined(CAVI_MIXTURE_RESPOND_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_RESPOND_INL
#undef CAVI_MIXTURE_RESPOND_INL
#else
#define CAVI_MIXTURE_RESPOND_INL
#endif

#include "kernels/cpu/mixture_linear-inl.hpp"
#include "kernels/cpu/mixture_plain-inl.hpp"
#include "kernels/cpu/mixture_simd-inl.hpp"
#include "kernels/cpu/mixture_tiles.hpp"

#include <hwy/cache_control.h>
#include <hwy/contrib/math/math-inl.h>

#include <limits>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

constexpr int kRows = kManyRegisters ? 8 : 4;  // of a triangular product in registers

// first: z = x - centre is kept for the rest. screen: there is more, for which nothing is kept. whiten: z = x.
enum class Part { first, rest, screen, whiten };

// One vector of column t of z.
template <class T, Part part>
HWY_INLINE Vec<T> Column(const T* x, const T* centre, T* z) {
  if constexpr (part == Part::rest) return Load(z);
  if constexpr (part == Part::whiten) return Load(x);
  const auto out = hn::Sub(Load(x), Set(*centre));
  if constexpr (part == Part::first) hn::Store(out, Tag<T>(), z);
  return out;
}

// Rows [0, n) of y = R z over `left` columns, of one tile: x and z are [.. x kTile]. `root` is their part of a packed
// triangle; returns what follows it. Leaves |y|^2 in `square`, in memory lest it take registers from y; whiten: y in z.
template <class T, int n, Part part>
HWY_INLINE const T* TriangleRows(const T* HWY_RESTRICT root, int left, const T* HWY_RESTRICT centre, const T* x, T* z,
                                 T* HWY_RESTRICT square) {
  constexpr int kStep = kLanes<T>;
  const Tag<T> d;
  Vec<T> y[n][kVectors];
  CAVI_UNROLL for (int r = 0; r < n; ++r) { CAVI_UNROLL for (int v = 0; v < kVectors; ++v) y[r][v] = hn::Zero(d); }
  CAVI_UNROLL for (int t = 0; t < n; ++t) {
    Vec<T> in[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      in[v] = Column<T, part>(x + t * kTile<T> + v * kStep, centre + t, z + t * kTile<T> + v * kStep);
    }
    CAVI_UNROLL for (int r = 0; r <= t; ++r) {
      const auto c = Set(root[t * (t + 1) / 2 + r]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) y[r][v] = hn::MulAdd(c, in[v], y[r][v]);
    }
  }
  root += n * (n + 1) / 2;
  for (int t = n; t < left; ++t, root += n) {
    Vec<T> in[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      in[v] = Column<T, part>(x + t * kTile<T> + v * kStep, centre + t, z + t * kTile<T> + v * kStep);
    }
    CAVI_UNROLL for (int r = 0; r < n; ++r) {
      const auto c = Set(root[r]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) y[r][v] = hn::MulAdd(c, in[v], y[r][v]);
    }
  }
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
    if constexpr (part == Part::whiten) {
      CAVI_UNROLL for (int r = 0; r < n; ++r) hn::Store(y[r][v], d, z + r * kTile<T> + v * kStep);
    } else {
      auto even = part == Part::rest ? Load(square + v * kStep) : hn::Zero(d), odd = hn::Zero(d);  // two chains
      CAVI_UNROLL for (int r = 0; r < n; ++r) {
        if (r % 2 == 0) even = hn::MulAdd(y[r][v], y[r][v], even);
        if (r % 2 == 1) odd = hn::MulAdd(y[r][v], y[r][v], odd);
      }
      hn::Store(hn::Add(even, odd), d, square + v * kStep);
    }
  }
  return root;
}

// The order in which TriangleRows reads a triangle: kRows rows at a time, column by column.
template <class T>
void PackRoot(const double* root, int features, T* packed) {
  for (int row = 0; row < features; row += kRows)
    for (int t = row; t < features; ++t)
      for (int r = row; r <= t && r < row + kRows; ++r) *packed++ = T(root[std::int64_t(r) * features + t]);
}

// Fetches what comes after a block, a few lines at a time while a tile is scored.
class Ahead {
 public:
  template <class T>
  Ahead(const TileBlock<T>& block, int components)
      : at_(block.next),
        end_(block.next + block.next_bytes),
        step_(block.next_bytes / (std::int64_t(block.points) / kTile<T> * components) + 1) {}
  HWY_INLINE void step(int components = 1) {
    const char* stop = end_ - at_ < components * step_ ? end_ : at_ + components * step_;
    for (; at_ < stop; at_ += 64) hwy::Prefetch(at_);
  }

 private:
  const char *at_, *end_;
  std::int64_t step_;
};

// |R (x - centre)|^2 of one tile for more than kRows features; returns what follows the root. tail: features beyond a
// multiple of kRows. z has a row for every feature.
template <class T, int tail>
HWY_INLINE const T* SquareFull(const T* root, int features, const T* centre, const T* x, T* z, T* square) {
  root = TriangleRows<T, kRows, Part::first>(root, features, centre, x, z, square);
  int row = kRows;
  for (; row + kRows <= features; row += kRows)
    root = TriangleRows<T, kRows, Part::rest>(root, features - row, centre, x, z + row * kTile<T>, square);
  if constexpr (tail > 0) root = TriangleRows<T, tail, Part::rest>(root, tail, centre, x, z + row * kTile<T>, square);
  return root;
}

// Logits of one tile into r, their maximum into `largest`. x is a copy of the tile, [D x kTile], and z has D + 1 such
// rows.
template <class T, int tail>
HWY_NOINLINE void ScoreFull(const TileParameters<T>& p, const T* x, T* z, T* r, std::int64_t stride,
                            Vec<T> (&largest)[kVectors], Ahead& ahead) {
  const Tag<T> d;
  const int features = p.features;
  const T *root = p.root, *centre = p.centre;
  T* square = z + features * kTile<T>;
  for (int k = 0; k < p.components; ++k, centre += features, r += stride) {
    root = SquareFull<T, tail>(root, features, centre, x, z, square);
    ahead.step();
    const auto offset = Set(p.offset[k]);
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      const auto logit = hn::Sub(offset, Load(square + v * kLanes<T>));
      hn::Store(logit, d, r + v * kLanes<T>);
      largest[v] = hn::Max(largest[v], logit);
    }
  }
}

// The same for n <= kRows features, all in registers.
template <class T, int n>
HWY_NOINLINE void ScoreFew(const TileParameters<T>& p, const T* HWY_RESTRICT x, T* HWY_RESTRICT r, std::int64_t stride,
                           Vec<T> (&largest)[kVectors], Ahead& ahead) {
  const T *root = p.root, *centre = p.centre;
  Vec<T> top[kVectors];
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) top[v] = largest[v];
  for (int k = 0; k < p.components; ++k, root += n * (n + 1) / 2, centre += n, r += stride) {
    Vec<T> y[n][kVectors];
    CAVI_UNROLL for (int t = 0; t < n; ++t) {
      Vec<T> in[kVectors];
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
        in[v] = hn::Sub(Load(x + t * kTile<T> + v * kLanes<T>), Set(centre[t]));
      }
      CAVI_UNROLL for (int row = 0; row <= t; ++row) {
        const auto c = Set(root[t * (t + 1) / 2 + row]);
        CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
          y[row][v] = row == t ? hn::Mul(c, in[v]) : hn::MulAdd(c, in[v], y[row][v]);
        }
      }
    }
    ahead.step();
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      auto logit = Set(p.offset[k]);
      CAVI_UNROLL for (int row = 0; row < n; ++row) logit = hn::NegMulAdd(y[row][v], y[row][v], logit);
      hn::Store(logit, Tag<T>(), r + v * kLanes<T>);
      top[v] = hn::Max(top[v], logit);
    }
  }
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) largest[v] = top[v];
}

// y = R x for one tile.
template <class T, int tail>
HWY_NOINLINE void Whiten(const T* root, int features, const T* x, T* y) {
  int row = 0;
  for (; row + kRows <= features; row += kRows)
    root = TriangleRows<T, kRows, Part::whiten>(root, features - row, nullptr, x + row * kTile<T>, y + row * kTile<T>,
                                                nullptr);
  if constexpr (tail > 0)
    TriangleRows<T, tail, Part::whiten>(root, tail, nullptr, x + row * kTile<T>, y + row * kTile<T>, nullptr);
}

// visit(std::integral_constant<int, features % kRows>)
template <class Visit>
HWY_INLINE void WithTail(int features, Visit visit) {
  switch (features % kRows) {
    case 0: return visit(std::integral_constant<int, 0>());
    case 1: return visit(std::integral_constant<int, 1>());
    case 2: return visit(std::integral_constant<int, 2>());
    case 3: return visit(std::integral_constant<int, 3>());
    case 4: return visit(std::integral_constant<int, 4 % kRows>());
    case 5: return visit(std::integral_constant<int, 5 % kRows>());
    case 6: return visit(std::integral_constant<int, 6 % kRows>());
    case 7: return visit(std::integral_constant<int, 7 % kRows>());
  }
}

// y = R x in float64 whatever T is: far from the origin the products cancel. wide: 2 D rows of a tile of float64.
template <class T>
HWY_NOINLINE void WhitenTile(const double* root, int features, const T* x, T* y, double* wide) {
  constexpr int kPart = kTile<double>;
  double *from = wide, *to = wide + std::int64_t(features) * kPart;
  for (int part = 0; part < kTile<T>; part += kPart) {
    for (int f = 0; f < features; ++f)
      for (int i = 0; i < kPart; ++i) from[f * kPart + i] = double(x[f * kTile<T> + part + i]);
    WithTail(features, [&](auto tail) { Whiten<double, tail()>(root, features, from, to); });
    for (int f = 0; f < features; ++f)
      for (int i = 0; i < kPart; ++i) y[f * kTile<T> + part + i] = T(to[f * kPart + i]);
  }
}

// A tile of a block as [D x kTile], whose addresses need no multiplication, and back.
template <class T>
HWY_INLINE void CopyTile(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride, int features) {
  for (int f = 0; f < features; ++f)
    for (int v = 0; v < kVectors; ++v)
      hn::Store(Load(from + f * from_stride + v * kLanes<T>), Tag<T>(), to + f * to_stride + v * kLanes<T>);
}

// What is squared along one axis: root x + centre with a single rounding (diag), x - centre elsewhere.
template <Component family, class T>
HWY_INLINE Vec<T> Residual(Vec<T> x, Vec<T> root, Vec<T> centre) {
  if constexpr (family == Component::diag) return hn::MulAdd(root, x, centre);
  return hn::Sub(x, centre);
}

template <class T, Component family, int n>
HWY_INLINE void ScoreAxesOf(const TileParameters<T>& p, int k, const T* x, T* r, std::int64_t stride,
                            Vec<T> (&largest)[kVectors]) {
  const Tag<T> d;
  const int features = p.features;
  const T* centre = p.centre + std::int64_t(k) * features;
  const T* root = family == Component::diag ? p.root + std::int64_t(k) * features : centre;
  Vec<T> square[n][kVectors];
  CAVI_UNROLL for (int j = 0; j < n; ++j) { CAVI_UNROLL for (int v = 0; v < kVectors; ++v) square[j][v] = hn::Zero(d); }
  for (int f = 0; f < features; ++f, x += kTile<T>) {
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

// score(std::integral_constant<int, n>, k) for components [k, k + n).
template <int abreast, class ScoreSome>
HWY_INLINE void Abreast(int components, Ahead& ahead, ScoreSome score) {
  int k = 0;
  for (; k + abreast <= components; k += abreast, ahead.step(abreast)) score(std::integral_constant<int, abreast>(), k);
  for (; k < components; ++k, ahead.step()) score(std::integral_constant<int, 1>(), k);
}

template <class T, Component family>
HWY_NOINLINE void ScoreAxes(const TileParameters<T>& p, const T* x, T* r, std::int64_t stride,
                            Vec<T> (&largest)[kVectors], Ahead& ahead) {
  Abreast<kDifferences>(p.components, ahead,
                        [&](auto n, int k) HWY_ATTR { ScoreAxesOf<T, family, n()>(p, k, x, r, stride, largest); });
}

template <class T>
HWY_NOINLINE void ScorePlain(const TileParameters<T>& p, const T* t, T* r, std::int64_t stride,
                             Vec<T> (&largest)[kVectors], Ahead& ahead) {
  Abreast<kProducts>(p.components, ahead,
                     [&](auto n, int k) HWY_ATTR { ScorePlainOf<T, n()>(p, k, t, r, stride, largest); });
}

// What Score() wants: 2 D + 1 rows of a tile, tied 2 D and 2 D of float64.
template <class T>
std::int64_t RespondScratch(int features) {
  return (6 * std::int64_t(features) + 1) * kTile<T>;
}

// Logits of the tile that begins with point i.
template <class T, Component family>
HWY_INLINE void Score(const TileParameters<T>& p, const TileBlock<T>& block, int i, Vec<T> (&largest)[kVectors],
                      Ahead& ahead) {
  T *x = block.x + i, *r = block.r + i;
  T *tile = p.plain ? AfterSquares(p, block) : block.scratch, *other = tile + p.features * kTile<T>;
  CopyTile(x, block.stride, tile, kTile<T>, p.features);
  if constexpr (family == Component::full) {
    WithTail(p.features, [&](auto tail) {
      if (p.features <= kRows)
        ScoreFew<T, tail() == 0 ? kRows : tail()>(p, tile, r, block.stride, largest, ahead);
      else
        ScoreFull<T, tail()>(p, tile, other, r, block.stride, largest, ahead);
    });
  } else {
    if constexpr (family == Component::tied) {
      WhitenTile(p.whitener, p.features, tile, other, reinterpret_cast<double*>(other + p.features * kTile<T>));
      CopyTile(other, kTile<T>, x, block.stride, p.features);
      tile = other;
    }
    if (p.plain) AddSquares<T, family>(p.features, tile, block.scratch + i, block.stride);
    if (p.coefficient)
      ScorePlain(p, tile, r, block.stride, largest, ahead);
    else
      ScoreAxes<T, family>(p, tile, r, block.stride, largest, ahead);
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
      const auto e = Exp2(hn::Sub(Load(at), largest[v]));
      sum[v] = root ? hn::MulAdd(e, e, sum[v]) : hn::Add(sum[v], e);
      hn::Store(e, d, at);
    }
  }
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
    const auto w = Load(weight + v * kLanes<T>);
    scale[v] = hn::Div(w, sum[v]);
    if (root) scale[v] = hn::Sqrt(scale[v]);
    const auto top = hn::Mul(w, largest[v]), rest = hn::Mul(w, hn::Log(d, sum[v]));
    lse = hn::MulAdd(Widen(top), hn::Set(Tag<double>(), (root ? 2 : 1) * 0.69314718055994530942),
                     hn::Add(lse, Widen(rest)));
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
  Ahead ahead(block, p.components);
  for (int i = 0; i < block.points; i += kTile<T>) {
    Vec<T> largest[kVectors];
    if constexpr (family == Component::linear) {
      lse = hn::Add(lse, ScoreLinear(p, block, i));
      for (int v = 0; v < kVectors; ++v) largest[v] = hn::Zero(Tag<T>());
      ahead.step(p.components);
    } else {
      for (int v = 0; v < kVectors; ++v) largest[v] = Set(-std::numeric_limits<T>::max());
      Score<T, family>(p, block, i, largest, ahead);
    }
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
    for (; k + kDifferences <= count; k += kDifferences)
      NearestOf<T, kDifferences>(block.x + i, block.stride, features, centres, k, best, winner);
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
