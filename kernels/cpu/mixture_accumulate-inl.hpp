// SPDX-License-Identifier: Apache-2.0
// Moments of a block about the components' own means, one component after the other. A vector of points in which a
// component has no responsibility that matters costs it nothing.
//
//   full   the rows sqrt(r) (x - m) are made once, packed, and their Gram matrix is taken in sums over the points, four
//          rows by a few columns at a time, and added to 4 x 4 cells
//   axes   four features at a time, so that a few rows of x stay close while all components pass over them
//   plain  rows of t(x) instead, for a few components at once
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

// Numbers the vectors of points that matter to one of n components, whose r are `stride` apart, counts the pairs that
// matter, and adds up responsibilities.
template <class T, bool root, int n>
HWY_NOINLINE int Survey(const T* r, std::int64_t stride, int points, std::int32_t* live, std::int64_t& pairs,
                        double* count) {
  const Tag<T> d;
  const auto threshold = Set(T(TwoToMinus(kNegligibleBits<T> / (root ? 2 : 1))));
  Vec<T> sum[n][kVectors];
  CAVI_UNROLL for (int c = 0; c < n; ++c) { CAVI_UNROLL for (int v = 0; v < kVectors; ++v) sum[c][v] = hn::Zero(d); }
  int lives = 0;
  for (int tile = 0; tile < points; tile += kTile<T>) {
    CAVI_UNROLL for (int v = 0; v < kVectors; ++v) {
      const int i = tile + v * kLanes<T>;
      std::size_t matter = 0;
      CAVI_UNROLL for (int c = 0; c < n; ++c) {
        const auto at = Load(r + c * stride + i);
        sum[c][v] = root ? hn::MulAdd(at, at, sum[c][v]) : hn::Add(sum[c][v], at);
        matter += hn::CountTrue(d, hn::Ge(at, threshold));
      }
      live[lives] = i;
      lives += matter > 0;
      pairs += std::int64_t(matter);
    }
  }
  for (int c = 0; c < n; ++c) {
    const auto all = hn::Add(Widen(sum[c][0]), hn::Add(Widen(sum[c][1]), Widen(sum[c][2])));
    count[c] += hn::GetLane(hn::SumOfLanes(Tag<double>(), all));
  }
  return lives;
}

// packed[f] = root r (x[f] - centre[f]) for the `rows` features of a cell on the diagonal, whose products come on the
// way: the stores of the one hide behind the arithmetic of the other. alone: there is no other cell, so all points are
// taken as they come, and instead of being packed they are counted and have their first moments taken.
template <class T, int rows, bool alone>
HWY_INLINE void PackRows(const T* HWY_RESTRICT x, std::int64_t stride, const T* HWY_RESTRICT r,
                         const T* HWY_RESTRICT centre, const std::int32_t* HWY_RESTRICT live, int lives,
                         T* HWY_RESTRICT packed, double* count, double* first, double* cell) {
  // Where the lower triangle of the cell would be.
  constexpr int kFirst[kCell] = {1, 2, 3, 6}, kCount = 7;
  const Tag<T> d;
  Vec<T> sum[kCell * kCell];
  CAVI_UNROLL for (int i = 0; i < kCell * kCell; ++i) sum[i] = hn::Zero(d);
  for (int n = 0; n < lives; ++n) {
    const int at = alone ? n * kLanes<T> : live[n];
    const auto h = Load(r + at);
    if (alone) sum[kCount] = hn::MulAdd(h, h, sum[kCount]);
    Vec<T> z[rows];
    CAVI_UNROLL for (int i = 0; i < rows; ++i) {
      z[i] = hn::Mul(h, hn::Sub(Load(x + i * stride + at), Set(centre[i])));
      if (alone)
        sum[kFirst[i]] = hn::MulAdd(h, z[i], sum[kFirst[i]]);
      else
        hn::Store(z[i], d, packed + i * stride + n * kLanes<T>);
    }
    CAVI_UNROLL for (int j = 0; j < rows; ++j) {
      CAVI_UNROLL for (int i = 0; i <= j; ++i) sum[j * kCell + i] = hn::MulAdd(z[i], z[j], sum[j * kCell + i]);
    }
  }
  HWY_ALIGN double sums[kCell * kCell] = {};
  AddSums<T>(sum, sums);
  if (alone) *count += sums[kCount];
  for (int j = 0; j < rows; ++j) {
    if (alone) first[j] += sums[kFirst[j]];
    for (int i = 0; i <= j; ++i) cell[j * kCell + i] += sums[j * kCell + i];
  }
}

template <class T, bool alone>
HWY_NOINLINE void PackCell(const T* x, std::int64_t stride, const T* r, const T* centre, int rows,
                           const std::int32_t* live, int lives, T* packed, double* count, double* first, double* cell) {
  switch (rows) {
    case 1: return PackRows<T, 1, alone>(x, stride, r, centre, live, lives, packed, count, first, cell);
    case 2: return PackRows<T, 2, alone>(x, stride, r, centre, live, lives, packed, count, first, cell);
    case 3: return PackRows<T, 3, alone>(x, stride, r, centre, live, lives, packed, count, first, cell);
    case 4: return PackRows<T, 4, alone>(x, stride, r, centre, live, lives, packed, count, first, cell);
  }
}

constexpr int kColumns = kManyRegisters ? 4 : 3;  // of cells, multiplied by four rows at once

// Products of four rows with `columns` others of packed points, added to as many columns of their cells. A strip that
// is short of columns adds zeros to what follows, which is the next cell on the diagonal.
template <class T, int columns>
HWY_INLINE void Gram(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, std::int64_t stride, int points, double* cell) {
  Vec<T> sum[kCell * kColumns];
  CAVI_UNROLL for (int i = 0; i < kCell * kColumns; ++i) sum[i] = hn::Zero(Tag<T>());
  for (int n = 0; n < points; n += kLanes<T>) {
    Vec<T> column[columns];
    CAVI_UNROLL for (int j = 0; j < columns; ++j) column[j] = Load(b + j * stride + n);
    CAVI_UNROLL for (int i = 0; i < kCell; ++i) {
      const auto row = Load(a + i * stride + n);
      CAVI_UNROLL for (int j = 0; j < columns; ++j) sum[j * kCell + i] = hn::MulAdd(row, column[j], sum[j * kCell + i]);
    }
  }
  AddSums<T>(sum, cell);
}

template <class T>
HWY_NOINLINE void GramStrip(const T* a, const T* b, int columns, std::int64_t stride, int points, double* cell) {
  switch (columns) {
    case 1: return Gram<T, 1>(a, b, stride, points, cell);
    case 2: return Gram<T, 2>(a, b, stride, points, cell);
    case 3: return Gram<T, 3>(a, b, stride, points, cell);
    case 4: return Gram<T, kColumns>(a, b, stride, points, cell);
  }
}

// All columns to the right of the cells on the diagonal.
template <class T>
void GramOffDiagonal(const T* packed, int features, std::int64_t stride, int points, double* cells) {
  for (int i = 0; i < features; i += kCell)
    for (int j = i + kCell; j < features; j += kColumns)
      GramStrip(packed + i * stride, packed + j * stride, std::min(kColumns, features - j), stride, points,
                cells + cells_before(features, i) + (j - i) * kCell);
}

// Sums of `rows` packed rows, weighted by root r once more.
template <class T, int rows>
HWY_NOINLINE void FirstMoments(const T* HWY_RESTRICT packed, std::int64_t stride, const T* HWY_RESTRICT r,
                               const std::int32_t* live, int lives, double* first) {
  Vec<T> sum[kCell * kColumns];
  CAVI_UNROLL for (int j = 0; j < kCell * kColumns; ++j) sum[j] = hn::Zero(Tag<T>());
  for (int n = 0; n < lives; ++n) {
    const auto h = Load(r + live[n]);
    CAVI_UNROLL for (int j = 0; j < rows; ++j) sum[j] =
        hn::MulAdd(h, Load(packed + j * stride + n * kLanes<T>), sum[j]);
  }
  HWY_ALIGN double sums[kCell * kColumns] = {};
  AddSums<T>(sum, sums);
  for (int j = 0; j < rows; ++j) first[j] += sums[j];
}

template <class T>
std::int64_t AccumulateFull(const TileParameters<T>& p, const TileBlock<T>& block, const TileSums& sums) {
  const int features = p.features;
  std::int64_t pairs = 0;
  const std::int64_t stride = block.stride;
  T* packed = block.scratch;
  auto* live = reinterpret_cast<std::int32_t*>(packed + features * stride);
  for (int k = 0; k < p.components; ++k) {
    const T* r = block.r + k * stride;
    const T* centre = p.centre + std::int64_t(k) * features;
    double* first = sums.first + std::int64_t(k) * features;
    double* cell = sums.second + k * cells_size(features);
    if (features <= kCell) {
      PackCell<T, true>(block.x, stride, r, centre, features, nullptr, block.points / kLanes<T>, nullptr,
                        sums.count + k, first, cell);
      pairs += block.points;
      continue;
    }
    const int lives = Survey<T, true, 1>(r, stride, block.points, live, pairs, sums.count + k);
    if (lives == 0) continue;
    for (int i = 0; i < features; i += kCell)
      PackCell<T, false>(block.x + i * stride, stride, r, centre + i, std::min(kCell, features - i), live, lives,
                         packed + i * stride, nullptr, nullptr, cell + cells_before(features, i));
    int f = 0;
    for (; f + kCell * kColumns <= features; f += kCell * kColumns)
      FirstMoments<T, kCell * kColumns>(packed + f * stride, stride, r, live, lives, first + f);
    for (; f + kCell <= features; f += kCell)
      FirstMoments<T, kCell>(packed + f * stride, stride, r, live, lives, first + f);
    for (; f < features; ++f) FirstMoments<T, 1>(packed + f * stride, stride, r, live, lives, first + f);
    GramOffDiagonal(packed, features, stride, lives * kLanes<T>, cell);
  }
  return pairs;
}

template <class T, Component family, int n>
HWY_INLINE void AccumulateAxesOf(const TileParameters<T>& p, const TileBlock<T>& block, const std::int32_t* live,
                                 int lives, int k, int f, const TileSums& sums) {
  constexpr int kSecond = 8;
  const Tag<T> d;
  const std::int64_t at = std::int64_t(k) * p.features + f, stride = block.stride;
  const T* HWY_RESTRICT x = block.x + f * stride;
  const T* HWY_RESTRICT r = block.r + k * stride;
  [[maybe_unused]] const T* centre = p.centre + at;
  [[maybe_unused]] const T* root = family == Component::diag ? p.root + at : centre;
  Vec<T> sum[16];  // eight first moments, eight second
  CAVI_UNROLL for (int j = 0; j < 16; ++j) sum[j] = hn::Zero(d);
  for (int i = 0; i < lives; ++i) {
    const auto weight = Load(r + live[i]);
    CAVI_UNROLL for (int j = 0; j < n; ++j) {
      const auto in = Load(x + j * stride + live[i]);
      if constexpr (family == Component::linear) {
        sum[j] = hn::MulAdd(weight, in, sum[j]);
      } else if constexpr (family == Component::tied) {
        sum[j] = hn::MulAdd(weight, Residual<family, T>(in, Set(root[j]), Set(centre[j])), sum[j]);
      } else {
        const auto z = Residual<family, T>(in, Set(root[j]), Set(centre[j]));
        const auto weighted = hn::Mul(weight, z);
        sum[j] = hn::Add(sum[j], weighted);
        sum[kSecond + j] = hn::MulAdd(weighted, z, sum[kSecond + j]);
      }
    }
  }
  HWY_ALIGN double total[16] = {};
  AddSums<T>(sum, total);
  for (int j = 0; j < n; ++j) {
    sums.first[at + j] += total[j];
    if (family == Component::diag) sums.second[at + j] += total[kSecond + j];
    if (family == Component::spherical) sums.second[k] += total[kSecond + j];
  }
}

template <class T, Component family>
std::int64_t AccumulateAxes(const TileParameters<T>& p, const TileBlock<T>& block, const TileSums& sums) {
  std::int64_t pairs = 0;
  const int vectors = block.points / kLanes<T>;
  auto* live = reinterpret_cast<std::int32_t*>(block.scratch);
  std::int32_t* lives = live + std::int64_t(p.components) * vectors;
  for (int k = 0; k < p.components; ++k)
    lives[k] = Survey<T, false, 1>(block.r + k * block.stride, block.stride, block.points, live + k * vectors, pairs,
                                   sums.count + k);
  int f = 0;
  if constexpr (kManyRegisters) {
    for (; f + 8 <= p.features; f += 8)
      for (int k = 0; k < p.components; ++k)
        AccumulateAxesOf<T, family, 8>(p, block, live + k * vectors, lives[k], k, f, sums);
  }
  for (; f + 4 <= p.features; f += 4)
    for (int k = 0; k < p.components; ++k)
      AccumulateAxesOf<T, family, 4>(p, block, live + k * vectors, lives[k], k, f, sums);
  for (; f < p.features; ++f)
    for (int k = 0; k < p.components; ++k)
      AccumulateAxesOf<T, family, 1>(p, block, live + k * vectors, lives[k], k, f, sums);
  return pairs;
}

constexpr int kGroup = kManyRegisters ? 2 : 3;    // components whose moments are taken together
constexpr int kMoments = kManyRegisters ? 8 : 4;  // of each

// Sums of `rows` rows of t(x), `stride` apart, for n components, whose r are.
template <class T, int n, int rows>
HWY_INLINE void MomentsOf(const T* HWY_RESTRICT x, const T* HWY_RESTRICT r, std::int64_t stride,
                          const std::int32_t* live, int lives, double* total) {
  Vec<T> sum[kGroup * kMoments];
  CAVI_UNROLL for (int j = 0; j < kGroup * kMoments; ++j) sum[j] = hn::Zero(Tag<T>());
  for (int i = 0; i < lives; ++i) {
    const std::int32_t at = live[i];
    Vec<T> weight[n];
    CAVI_UNROLL for (int c = 0; c < n; ++c) weight[c] = Load(r + c * stride + at);
    CAVI_UNROLL for (int j = 0; j < rows; ++j) {
      const auto in = Load(x + j * stride + at);
      CAVI_UNROLL for (int c = 0; c < n; ++c) {
        sum[c * kMoments + j] = hn::MulAdd(weight[c], in, sum[c * kMoments + j]);
      }
    }
  }
  AddSums<T>(sum, total);
}

template <class T, int n>
HWY_NOINLINE void Moments(const T* x, int rows, const T* r, std::int64_t stride, const std::int32_t* live, int lives,
                          double* total) {
  switch (rows) {
    case 1: return MomentsOf<T, n, 1>(x, r, stride, live, lives, total);
    case 2: return MomentsOf<T, n, 2>(x, r, stride, live, lives, total);
    case 3: return MomentsOf<T, n, 3>(x, r, stride, live, lives, total);
    case 4: return MomentsOf<T, n, 4>(x, r, stride, live, lives, total);
    case 5: return MomentsOf<T, n, 5 % (kMoments + 1)>(x, r, stride, live, lives, total);
    case 6: return MomentsOf<T, n, 6 % (kMoments + 1)>(x, r, stride, live, lives, total);
    case 7: return MomentsOf<T, n, 7 % (kMoments + 1)>(x, r, stride, live, lives, total);
    case 8: return MomentsOf<T, n, 8 % (kMoments + 1)>(x, r, stride, live, lives, total);
  }
}

// visit(std::integral_constant<int, n>)
template <class Visit>
HWY_INLINE void WithGroup(int n, Visit visit) {
  switch (n) {
    case 1: return visit(std::integral_constant<int, 1>());
    case 2: return visit(std::integral_constant<int, 2>());
    default: return visit(std::integral_constant<int, kGroup>());
  }
}

template <class T>
std::int64_t AccumulatePlain(const TileParameters<T>& p, const TileBlock<T>& block, const TileSums& sums) {
  const int vectors = block.points / kLanes<T>, groups = (p.components + kGroup - 1) / kGroup;
  const std::int64_t stride = block.stride;
  auto* live = reinterpret_cast<std::int32_t*>(AfterSquares(p, block));
  std::int32_t* lives = live + std::int64_t(groups) * vectors;
  const auto begin = [&](int group) { return int(std::int64_t(group) * p.components / groups); };
  std::int64_t matter = 0;
  for (int g = 0; g < groups; ++g) {
    const int k = begin(g);
    WithGroup(begin(g + 1) - k, [&](auto n) HWY_ATTR {
      lives[g] = Survey<T, false, n()>(block.r + k * stride, stride, block.points, live + std::int64_t(g) * vectors,
                                       matter, sums.count + k);
    });
  }
  // Rows one after the other, so that a few of them stay close while all components pass over them.
  const auto moments = [&](const T* rows, int count, double* out, std::int64_t of_component) {
    for (int first = 0; first < count; first += kMoments) {
      const int here = std::min(kMoments, count - first);
      for (int g = 0; g < groups; ++g) {
        const int k = begin(g), end = begin(g + 1);
        HWY_ALIGN double total[kGroup * kMoments] = {};
        WithGroup(end - k, [&](auto n) HWY_ATTR {
          Moments<T, n()>(rows + first * stride, here, block.r + k * stride, stride, live + std::int64_t(g) * vectors,
                          lives[g], total);
        });
        for (int c = 0; k + c < end; ++c)
          for (int j = 0; j < here; ++j) out[(k + c) * of_component + first + j] += total[c * kMoments + j];
      }
    }
  };
  moments(block.x, p.features, sums.first, p.features);
  const int squares = plain_numbers(p.family, p.features) - p.features;
  if (p.family != Component::tied) moments(block.scratch, squares, sums.second, squares);
  return matter;
}

template <class T>
std::int64_t AccumulateScratch(int components, int features, int points) {
  const std::int64_t vectors = points / kLanes<T>;
  const std::int64_t packed = features * (points + 2 * 64 / std::int64_t(sizeof(T))) + vectors + 16;
  const std::int64_t lists = components * (vectors + 1) + 16;  // of 32 bits, which no T is smaller than
  return std::max(packed, lists);
}

template <class T>
std::int64_t PlainScratch(int components, int features, int points) {
  const std::int64_t squares = features * (points + 2 * 64 / std::int64_t(sizeof(T)));
  const std::int64_t lists = (components / kGroup + 1) * (std::int64_t(points) / kLanes<T> + 1);
  return squares + std::max(RespondScratch<T>(features), lists);
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
