// SPDX-License-Identifier: Apache-2.0
// Logits that are linear in the row, in float64 whatever the precision of the block: a count of a million times a
// logarithm is known to a nat in float32, and what decides is a difference of two such numbers. Only that difference,
// the logit below the row's largest, is rounded.
#if defined(CAVI_MIXTURE_LINEAR_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_LINEAR_INL
#undef CAVI_MIXTURE_LINEAR_INL
#else
#define CAVI_MIXTURE_LINEAR_INL
#endif

#include "kernels/cpu/mixture_simd-inl.hpp"
#include "kernels/cpu/mixture_tiles.hpp"

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

using Wide = Vec<double>;

// Logits of components [k, k + n) for the points of x [D x kTile<double>].
template <int n>
HWY_INLINE void LinearLogits(const double* centre, const double* offset, int features, const double* x, int k,
                             double* logits, Wide (&largest)[kVectors]) {
  constexpr int kStep = kLanes<double>;
  const Tag<double> d;
  centre += std::int64_t(k) * features;
  Wide sum[n][kVectors];
  CAVI_UNROLL for (int j = 0; j < n; ++j) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) sum[j][v] = Set(offset[k + j]);
  }
  for (int f = 0; f < features; ++f, x += kTile<double>) {
    Wide in[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) in[v] = Load(x + v * kStep);
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      const auto c = Set(centre[std::int64_t(j) * features + f]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) sum[j][v] = hn::MulAdd(c, in[v], sum[j][v]);
    }
  }
  CAVI_UNROLL for (int j = 0; j < n; ++j) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      hn::Store(sum[j][v], d, logits + (k + j) * kTile<double> + v * kStep);
      largest[v] = hn::Max(largest[v], sum[j][v]);
    }
  }
}

// For the tile from point i on: r = logit - the row's largest. Returns the weighted sum of the latter, in nats.
template <class T>
HWY_NOINLINE Wide ScoreLinear(const TileParameters<T>& p, const TileBlock<T>& block, int i) {
  constexpr int kPart = kTile<double>;
  const Tag<double> d;
  auto* x = reinterpret_cast<double*>(block.scratch);
  double *logits = x + std::int64_t(p.features) * kPart, *weight = logits + std::int64_t(p.components) * kPart,
         *top = weight + kPart;
  auto total = hn::Zero(d);
  for (int part = i; part < i + kTile<T>; part += kPart) {
    for (int f = 0; f < p.features; ++f)
      for (int q = 0; q < kPart; ++q) x[f * kPart + q] = double(block.x[f * block.stride + part + q]);
    for (int q = 0; q < kPart; ++q) weight[q] = double(block.weight[part + q]);

    Wide largest[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) largest[v] = Set(-std::numeric_limits<double>::max());
    int k = 0;
    for (; k + kProducts <= p.components; k += kProducts)
      LinearLogits<kProducts>(p.exact_centre, p.exact_offset, p.features, x, k, logits, largest);
    for (; k < p.components; ++k) LinearLogits<1>(p.exact_centre, p.exact_offset, p.features, x, k, logits, largest);

    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      hn::Store(largest[v], d, top + v * kLanes<double>);
      total = hn::MulAdd(Load(weight + v * kLanes<double>), largest[v], total);
    }
    for (k = 0; k < p.components; ++k)
      for (int q = 0; q < kPart; ++q) block.r[k * block.stride + part + q] = T(logits[k * kPart + q] - top[q]);
  }
  return hn::Mul(total, Set(0.69314718055994530942));
}

// Numbers of scratch that a tile wants.
template <class T>
constexpr std::int64_t LinearScratch(int components, int features) {
  return (components + std::int64_t(features) + 2) * kTile<double> * std::int64_t(8 / sizeof(T));
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
