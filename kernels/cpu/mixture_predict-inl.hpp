// SPDX-License-Identifier: Apache-2.0
// What prediction asks of a block, in float64. Log densities under a mixture of Student-t, tile by tile: distances as
// for responsibilities, then one logarithm per point and component, not per feature. And who has the largest
// responsibility.
#if defined(CAVI_MIXTURE_PREDICT_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_PREDICT_INL
#undef CAVI_MIXTURE_PREDICT_INL
#else
#define CAVI_MIXTURE_PREDICT_INL
#endif

#include "kernels/cpu/mixture_respond-inl.hpp"
#include "kernels/mixture_scores.hpp"

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

// r = - sum over features of log(1 + (root x + centre)^2) for n components of one tile: the logarithm of a product,
// kept as its difference to 1, so that small distances lose nothing.
template <int n>
HWY_INLINE void ScoreProductsOf(const TileParameters<double>& p, int k, const double* x, double* r,
                                std::int64_t stride) {
  const Tag<double> d;
  const double* root = p.root + std::int64_t(k) * p.features;
  const double* centre = p.centre + std::int64_t(k) * p.features;
  Vec<double> product[n][kVectors];
  CAVI_UNROLL for (int j = 0; j < n; ++j) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      product[j][v] = hn::Zero(d);
      hn::Store(hn::Zero(d), d, r + (k + j) * stride + v * kLanes<double>);
    }
  }
  const auto put_away = [&](int j, int v) {
    double* at = r + (k + j) * stride + v * kLanes<double>;
    hn::Store(hn::Sub(Load(at), hn::CallLog1p(d, product[j][v])), d, at);
    product[j][v] = hn::Zero(d);
  };
  for (int f = 0; f < p.features; ++f, x += kTile<double>) {
    Vec<double> in[kVectors];
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) in[v] = Load(x + v * kLanes<double>);
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      const auto s = Set(root[j * p.features + f]), c = Set(centre[j * p.features + f]);
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
        const auto z = Residual<Component::diag, double>(in[v], s, c);
        const auto square = hn::Min(hn::Mul(z, z), Set(kFarthest));
        product[j][v] = hn::MulAdd(square, hn::Add(product[j][v], Set(1.0)), product[j][v]);
      }
    }
    if (f % 2 == 0) continue;
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
        if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Gt(product[j][v], Set(kProduct))))) put_away(j, v);
      }
    }
  }
  CAVI_UNROLL for (int j = 0; j < n; ++j) { CAVI_UNROLL for (int v = 0; v < kVectors; ++v) put_away(j, v); }
}

// r = - log(1 + factor q) for one tile.
template <Component family>
HWY_INLINE void ScoreStudent(const TileParameters<double>& p, const double* factor, const TileBlock<double>& block,
                             int i, Ahead& ahead) {
  const Tag<double> d;
  double* r = block.r + i;
  const std::int64_t stride = block.stride;
  if constexpr (family == Component::diag) {
    CopyTile(block.x + i, stride, block.scratch, kTile<double>, p.features);
    Abreast<kDifferences>(p.components, ahead,
                          [&](auto n, int k) HWY_ATTR { ScoreProductsOf<n()>(p, k, block.scratch, r, stride); });
  } else {
    Vec<double> unused[kVectors];
    for (int v = 0; v < kVectors; ++v) unused[v] = hn::Zero(d);
    Score<double, family>(p, block, i, unused, ahead);  // offsets are zero: -q
    for (int k = 0; k < p.components; ++k)
      for (int v = 0; v < kVectors; ++v) {
        double* at = r + k * stride + v * kLanes<double>;
        hn::Store(hn::Neg(hn::CallLog1p(d, hn::Min(hn::Mul(Load(at), Set(-factor[k])), Set(kFarthest)))), d, at);
      }
  }
}

// The first row of r becomes log sum_k exp(constant_k + exponent_k r_k).
template <Component family>
void LogDensityOf(const TileParameters<double>& p, const StudentParameters& student, const TileBlock<double>& block) {
  const Tag<double> d;
  Ahead ahead(block, p.components);
  for (int i = 0; i < block.points; i += kTile<double>) {
    double* r = block.r + i;
    ScoreStudent<family>(p, student.factor, block, i, ahead);
    for (int v = 0; v < kVectors; ++v, r += kLanes<double>) {
      auto largest = Set(-std::numeric_limits<double>::max());
      for (int k = 0; k < p.components; ++k) {
        const auto score = hn::MulAdd(Set(student.exponent[k]), Load(r + k * block.stride), Set(student.constant[k]));
        hn::Store(score, d, r + k * block.stride);
        largest = hn::Max(largest, score);
      }
      auto sum = hn::Zero(d);
      for (int k = 0; k < p.components; ++k)
        sum = hn::Add(sum, Exp2(hn::Mul(hn::Sub(Load(r + k * block.stride), largest), Set(1.4426950408889634074))));
      hn::Store(hn::Add(largest, hn::Log(d, sum)), d, r);
    }
  }
}

void LogDensity(const TileParameters<double>& p, const StudentParameters& student, const TileBlock<double>& block) {
  switch (p.family) {
    case Component::tied: return LogDensityOf<Component::tied>(p, student, block);
    case Component::diag: return LogDensityOf<Component::diag>(p, student, block);
    case Component::spherical: return LogDensityOf<Component::spherical>(p, student, block);
    case Component::linear: return;  // no Student-t
    case Component::full: break;
  }
  LogDensityOf<Component::full>(p, student, block);
}

// A scalar loop would branch on every comparison, and guess wrong.
void LargestResponse(const TileBlock<double>& block, int components) {
  const Tag<double> d;
  for (int i = 0; i < block.points; i += kLanes<double>) {
    const double* r = block.r + i;
    auto largest = Load(r), winner = hn::Zero(d);
    for (int k = 1; k < components; ++k) {
      const auto candidate = Load(r + k * block.stride);
      winner = hn::IfThenElse(hn::Gt(candidate, largest), Set(double(k)), winner);
      largest = hn::Max(candidate, largest);
    }
    hn::Store(winner, d, block.weight + i);
  }
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
