// SPDX-License-Identifier: Apache-2.0
// Responsibilities of a block in which few components matter to a point, for full families of many features. Rows of
// y = R z only add to |y|^2, so that the first few of them bound a logit from above:
//
//   screen   the first rows for all components; the largest bound is a guess of the component that a point comes from
//   sort     points of one guess stand together from here on
//   finish   tile by tile, the guessed components first; one whose bounds lie far enough below the largest logits gets
//            responsibilities of zero instead of negligible ones
#if defined(CAVI_MIXTURE_SCREEN_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_SCREEN_INL
#undef CAVI_MIXTURE_SCREEN_INL
#else
#define CAVI_MIXTURE_SCREEN_INL
#endif

#include "kernels/cpu/mixture_respond-inl.hpp"

#include <algorithm>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

// How far below the largest a logit's responsibility is negligible.
template <class T>
constexpr T kFar = T(kNegligibleBits<T>*(logit_scale(Component::full) / logit_scale(Component::diag)));

template <class T>
using Index = hwy::MakeSigned<T>;

// What a block has in its scratch, [stride] each but for the last ones.
template <class T>
struct Screen {
  T* bound;         // [K] of the points as they came
  T* guess;         // in the new order once sorted
  Index<T>* order;  // where the points of the new order came from
  T* spare;
  T *tile, *z;      // [D x kTile], [(D + 1) x kTile]
  Index<T>* begin;  // [K + 1] of the guesses

  Screen(const TileParameters<T>& p, const TileBlock<T>& block)
      : bound(block.scratch),
        guess(bound + p.components * block.stride),
        order(reinterpret_cast<Index<T>*>(guess + block.stride)),
        spare(guess + 2 * block.stride),
        tile(spare + block.stride),
        z(tile + p.features * kTile<T>),
        begin(reinterpret_cast<Index<T>*>(z + (p.features + 1) * kTile<T>)) {}
};

template <class T>
std::int64_t ScreenScratch(int components, int features, int points) {
  const std::int64_t stride = points + 2 * 64 / std::int64_t(sizeof(T));
  return (components + 3) * stride + (2 * std::int64_t(features) + 1) * kTile<T> + components + 1;
}

// Numbers of a packed triangle that its first rows take.
constexpr std::int64_t FirstRows(int features) {
  return kRows * (kRows + 1) / 2 + std::int64_t(features - kRows) * kRows;
}

// Bounds of one tile, and guesses.
template <class T>
HWY_NOINLINE void ScreenFull(const TileParameters<T>& p, const T* x, T* bound, std::int64_t stride, T* square, T* guess,
                             Ahead& ahead) {
  const Tag<T> d;
  const std::int64_t size = std::int64_t(p.features) * (p.features + 1) / 2;
  Vec<T> largest[kVectors], winner[kVectors];
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
    largest[v] = Set(-std::numeric_limits<T>::max());
    winner[v] = hn::Zero(d);
  }
  for (int k = 0; k < p.components; ++k) {
    TriangleRows<T, kRows, Part::screen>(p.root + k * size, p.features, p.centre + std::int64_t(k) * p.features, x,
                                         nullptr, square);
    ahead.step();
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      const auto logit = hn::Sub(Set(p.offset[k]), Load(square + v * kLanes<T>));
      hn::Store(logit, d, bound + k * stride + v * kLanes<T>);
      winner[v] = hn::IfThenElse(hn::Gt(logit, largest[v]), Set(T(k)), winner[v]);
      largest[v] = hn::Max(largest[v], logit);
    }
  }
  CAVI_UNROLL for (int v = 0; v < kVectors; ++v) hn::Store(winner[v], d, guess + v * kLanes<T>);
}

// Points of a guess in the order in which they came.
template <class T>
void SortByGuess(const Screen<T>& s, int points, int components) {
  std::fill_n(s.begin, components + 1, 0);
  for (int i = 0; i < points; ++i) ++s.begin[int(s.guess[i]) + 1];
  for (int k = 0; k < components; ++k) s.begin[k + 1] += s.begin[k];
  for (int i = 0; i < points; ++i) s.order[s.begin[int(s.guess[i])]++] = i;
}

template <class T>
HWY_INLINE Vec<T> Gather(const T* from, const Index<T>* order) {
  return hn::GatherIndex(Tag<T>(), from, hn::Load(hn::RebindToSigned<Tag<T>>(), order));
}

template <class T>
void Rearrange(T* row, int points, const Index<T>* order, T* spare) {
  std::copy_n(row, points, spare);
  for (int i = 0; i < points; i += kLanes<T>) hn::Store(Gather(spare, order + i), Tag<T>(), row + i);
}

// Logits of one tile of the new order, -infinity for those far below the largest.
template <class T, int tail>
HWY_NOINLINE void FinishFull(const TileParameters<T>& p, const Screen<T>& screen, int first, T* r, std::int64_t stride,
                             Vec<T> (&largest)[kVectors]) {
  const Tag<T> d;
  const int features = p.features, left = features - kRows;
  const std::int64_t size = std::int64_t(features) * (features + 1) / 2, skip = FirstRows(features);
  const auto* order = screen.order + first;
  const T* x = screen.tile + kRows * kTile<T>;
  T *z = screen.z + kRows * kTile<T>, *square = screen.z + features * kTile<T>;
  const auto bound = [&](int k, int v) HWY_ATTR { return Gather(screen.bound + k * stride, order + v * kLanes<T>); };
  const auto finish = [&](int k) HWY_ATTR {
    SquareFull<T, tail>(p.root + k * size + skip, left, p.centre + std::int64_t(k) * features + kRows, x, z, square);
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      const auto logit = hn::Sub(bound(k, v), Load(square + v * kLanes<T>));
      hn::Store(logit, d, r + k * stride + v * kLanes<T>);
      largest[v] = hn::Max(largest[v], logit);
    }
  };
  int guessed[kTile<T>], guesses = 0;  // ascending
  for (int i = 0; i < kTile<T>; ++i) {
    const int k = int(screen.guess[first + i]);
    if (guesses > 0 && guessed[guesses - 1] == k) continue;
    guessed[guesses++] = k;
    finish(k);
  }
  for (int k = 0, next = 0; k < p.components; ++k) {
    if (next < guesses && guessed[next] == k) {
      ++next;
      continue;
    }
    bool far = true;
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      far = far && hn::AllTrue(d, hn::Lt(bound(k, v), hn::Sub(largest[v], Set(kFar<T>))));
    }
    if (!far) {
      finish(k);
      continue;
    }
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      hn::Store(Set(-std::numeric_limits<T>::infinity()), d, r + k * stride + v * kLanes<T>);
    }
  }
}

template <class T>
double RespondScreened(const TileParameters<T>& p, const TileBlock<T>& block) {
  const Screen<T> screen(p, block);
  const std::int64_t stride = block.stride;
  Ahead ahead(block, p.components);
  for (int i = 0; i < block.points; i += kTile<T>) {
    CopyTile(block.x + i, stride, screen.tile, kTile<T>, p.features);
    ScreenFull(p, screen.tile, screen.bound + i, stride, screen.z, screen.guess + i, ahead);
  }
  SortByGuess(screen, block.points, p.components);
  const auto rearrange = [&](T* row) { Rearrange(row, block.points, screen.order, screen.spare); };
  for (int f = 0; f < p.features; ++f) rearrange(block.x + f * stride);
  rearrange(block.weight);
  rearrange(screen.guess);
  auto lse = hn::Zero(Tag<double>());
  for (int i = 0; i < block.points; i += kTile<T>) {
    CopyTile(block.x + i, stride, screen.tile, kTile<T>, p.features);
    Vec<T> largest[kVectors];
    for (int v = 0; v < kVectors; ++v) largest[v] = Set(-std::numeric_limits<T>::max());
    WithTail(p.features, [&](auto tail) { FinishFull<T, tail()>(p, screen, i, block.r + i, stride, largest); });
    Normalise<T, true>(p.components, block.weight + i, stride, block.r + i, largest, lse);
  }
  return hn::GetLane(hn::SumOfLanes(Tag<double>(), lse));
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
