// SPDX-License-Identifier: Apache-2.0
// Moments of a block about the components' own means, one component after the other. A vector of points in which a
// component has no responsibility that matters costs it nothing.
//
//   full   the rows sqrt(r) (x - m) are made once, packed, and their Gram matrix is taken in 4 x 4 cells of sums over
//          the points: each row read serves four products
//   axes   four features at a time, so that a few rows of x stay close while all components pass over them
#if defined(CAVI_MIXTURE_ACCUMULATE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_ACCUMULATE_INL
#undef CAVI_MIXTURE_ACCUMULATE_INL
#else
#define CAVI_MIXTURE_ACCUMULATE_INL
#endif

#include "kernels/cpu/mixture_respond-inl.hpp"

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

// Far below what rounding leaves of a responsibility.
template <class T>
constexpr T kNegligible = sizeof(T) == 4 ? T(0x1p-40) : T(0x1p-80);

// Numbers the vectors of points that matter to a component, and adds up its responsibilities.
template <class T, bool root>
HWY_NOINLINE int Survey(const T* r, int points, std::int32_t* live, double* count) {
  const Tag<T> d;
  const auto threshold = Set(root ? T(sizeof(T) == 4 ? 0x1p-20 : 0x1p-40) : kNegligible<T>);
  auto sum = hn::Zero(d);
  int n = 0;
  for (int i = 0; i < points; i += kLanes<T>) {
    const auto at = Load(r + i);
    sum = root ? hn::MulAdd(at, at, sum) : hn::Add(sum, at);
    live[n] = i;
    n += !hn::AllFalse(d, hn::Ge(at, threshold));
  }
  *count += hn::GetLane(hn::SumOfLanes(Tag<double>(), Widen(sum)));
  return n;
}

// packed[f] = root r (x[f] - centre[f]) for n features; first += sum of r (x - centre).
template <class T, int n>
HWY_INLINE void PackRows(const T* x, std::int64_t stride, const T* r, const T* centre, const std::int32_t* live,
                         int lives, T* packed, std::int64_t packed_stride, double* first) {
  const Tag<T> d;
  Vec<T> sum[kCell];
  for (int f = 0; f < kCell; ++f) sum[f] = hn::Zero(d);
  for (int i = 0; i < lives; ++i) {
    const auto h = Load(r + live[i]);
    CAVI_UNROLL for (int f = 0; f < n; ++f) {
      const auto z = hn::Mul(h, hn::Sub(Load(x + f * stride + live[i]), Set(centre[f])));
      hn::Store(z, d, packed + f * packed_stride + i * kLanes<T>);
      sum[f] = hn::MulAdd(h, z, sum[f]);
    }
  }
  AddSums<n>(sum, first);
}

// Products of `rows` rows with `columns` columns of packed points, added to a cell; a cell on the diagonal needs its
// upper triangle only.
template <class T, int rows, int columns, bool diagonal>
HWY_INLINE void Gram(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, std::int64_t stride, int points, double* cell) {
  const Tag<T> d;
  Vec<T> sum[columns][kCell];
  CAVI_UNROLL for (int j = 0; j < columns; ++j) { CAVI_UNROLL for (int i = 0; i < kCell; ++i) sum[j][i] = hn::Zero(d); }
  for (int n = 0; n < points; n += kLanes<T>) {
    Vec<T> row[rows];
    CAVI_UNROLL for (int i = 0; i < rows; ++i) row[i] = Load(a + i * stride + n);
    CAVI_UNROLL for (int j = 0; j < columns; ++j) {
      const auto column = diagonal ? row[j < rows ? j : 0] : Load(b + j * stride + n);
      CAVI_UNROLL for (int i = 0; i < rows; ++i) {
        if (!diagonal || i <= j) sum[j][i] = hn::MulAdd(row[i], column, sum[j][i]);
      }
    }
  }
  CAVI_UNROLL for (int j = 0; j < columns; ++j) AddSums<kCell>(sum[j], cell + j * kCell);
}

template <class T>
HWY_NOINLINE void GramCell(const T* a, const T* b, int columns, std::int64_t stride, int points, double* cell) {
  if (columns == 4) {
    if constexpr (kManyRegisters) return Gram<T, 4, 4, false>(a, b, stride, points, cell);
    Gram<T, 4, 2, false>(a, b, stride, points, cell);
    return Gram<T, 4, 2, false>(a, b + 2 * stride, stride, points, cell + 2 * kCell);
  }
  if (columns == 3) return Gram<T, 4, 3, false>(a, b, stride, points, cell);
  if (columns == 2) return Gram<T, 4, 2, false>(a, b, stride, points, cell);
  return Gram<T, 4, 1, false>(a, b, stride, points, cell);
}

template <class T>
HWY_NOINLINE void GramDiagonal(const T* a, int rows, std::int64_t stride, int points, double* cell) {
  if (rows == 4) return Gram<T, 4, 4, true>(a, a, stride, points, cell);
  if (rows == 3) return Gram<T, 3, 3, true>(a, a, stride, points, cell);
  if (rows == 2) return Gram<T, 2, 2, true>(a, a, stride, points, cell);
  return Gram<T, 1, 1, true>(a, a, stride, points, cell);
}

template <class T>
void AccumulateFull(const TileParameters<T>& p, const TileBlock<T>& block, const TileSums& sums) {
  const int features = p.features;
  const std::int64_t stride = block.stride;
  T* packed = block.scratch;
  auto* live = reinterpret_cast<std::int32_t*>(packed + features * stride);
  for (int k = 0; k < p.components; ++k) {
    const T* r = block.r + k * stride;
    const T* centre = p.centre + std::int64_t(k) * features;
    const int lives = Survey<T, true>(r, block.points, live, sums.count + k);
    if (lives == 0) continue;
    double* first = sums.first + std::int64_t(k) * features;
    int f = 0;
    for (; f + 4 <= features; f += 4)
      PackRows<T, 4>(block.x + f * stride, stride, r, centre + f, live, lives, packed + f * stride, stride, first + f);
    for (; f < features; ++f)
      PackRows<T, 1>(block.x + f * stride, stride, r, centre + f, live, lives, packed + f * stride, stride, first + f);
    double* cell = sums.second + k * cells_size(features);
    const int points = lives * kLanes<T>;
    for (int i = 0; i < features; i += kCell) {
      GramDiagonal(packed + i * stride, std::min(kCell, features - i), stride, points, cell);
      cell += kCell * kCell;
      for (int j = i + kCell; j < features; j += kCell, cell += kCell * kCell)
        GramCell(packed + i * stride, packed + j * stride, std::min(kCell, features - j), stride, points, cell);
    }
  }
}

template <class T, Component family, int n>
HWY_INLINE void AccumulateAxesOf(const TileParameters<T>& p, const TileBlock<T>& block, const std::int32_t* live,
                                 int lives, int k, int f, const TileSums& sums) {
  const Tag<T> d;
  const std::int64_t at = std::int64_t(k) * p.features + f;
  const T* HWY_RESTRICT x = block.x + f * block.stride;
  const T* HWY_RESTRICT r = block.r + k * block.stride;
  Vec<T> root[n], centre[n], first[kCell], second[kCell];
  CAVI_UNROLL for (int j = 0; j < kCell; ++j) first[j] = second[j] = hn::Zero(d);
  CAVI_UNROLL for (int j = 0; j < n; ++j) {
    centre[j] = Set(p.centre[at + j]);
    root[j] = family == Component::diag ? Set(p.root[at + j]) : centre[j];
  }
  for (int i = 0; i < lives; ++i) {
    const auto weight = Load(r + live[i]);
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      const auto z = Residual<family, T>(Load(x + j * block.stride + live[i]), root[j], centre[j]);
      if constexpr (family == Component::tied) {
        first[j] = hn::MulAdd(weight, z, first[j]);
      } else {
        const auto weighted = hn::Mul(weight, z);
        first[j] = hn::Add(first[j], weighted);
        second[j] = hn::MulAdd(weighted, z, second[j]);
      }
    }
  }
  AddSums<n>(first, sums.first + at);
  if constexpr (family == Component::diag) AddSums<n>(second, sums.second + at);
  if constexpr (family == Component::spherical) {
    second[0] = hn::Add(hn::Add(second[0], second[1]), hn::Add(second[2], second[3]));
    AddSums<1>(second, sums.second + k);
  }
}

template <class T, Component family>
void AccumulateAxes(const TileParameters<T>& p, const TileBlock<T>& block, const TileSums& sums) {
  const int vectors = block.points / kLanes<T>;
  auto* live = reinterpret_cast<std::int32_t*>(block.scratch);
  std::int32_t* lives = live + std::int64_t(p.components) * vectors;
  for (int k = 0; k < p.components; ++k)
    lives[k] = Survey<T, false>(block.r + k * block.stride, block.points, live + k * vectors, sums.count + k);
  int f = 0;
  for (; f + 4 <= p.features; f += 4)
    for (int k = 0; k < p.components; ++k)
      AccumulateAxesOf<T, family, 4>(p, block, live + k * vectors, lives[k], k, f, sums);
  for (; f < p.features; ++f)
    for (int k = 0; k < p.components; ++k)
      AccumulateAxesOf<T, family, 1>(p, block, live + k * vectors, lives[k], k, f, sums);
}

// Numbers that any of the functions above wants as scratch.
template <class T>
std::int64_t ScratchSize(int components, int features, int points) {
  const std::int64_t vectors = points / kLanes<T>;
  const std::int64_t packed = features * (points + 2 * 64 / std::int64_t(sizeof(T))) + vectors + 16;
  const std::int64_t lists = components * (vectors + 1) + 16;  // of 32 bits, which no T is smaller than
  return std::max({packed, lists, std::int64_t(features) * kTile<T>});
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
