// SPDX-License-Identifier: Apache-2.0
// Vectors of one instruction set: sizes, 2^x, sums into float64.
#if defined(CAVI_MIXTURE_SIMD_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_MIXTURE_SIMD_INL
#undef CAVI_MIXTURE_SIMD_INL
#else
#define CAVI_MIXTURE_SIMD_INL
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#if HWY_COMPILER_CLANG
#define CAVI_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CAVI_UNROLL _Pragma("GCC unroll 8")
#endif

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vec = hn::Vec<Tag<T>>;

// Vectors of fixed size, so that arrays of them live in registers.
template <class T>
constexpr int kLanes = HWY_TARGET == HWY_SCALAR ? 1 : HWY_MAX_BYTES / sizeof(T);
constexpr bool kManyRegisters = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;  // 32, else 16
constexpr int kVectors = 3;                                                        // of points in a tile
// Components scored at once: as many sums in registers as hide each other's latency, and what they are made of.
constexpr int kProducts = 4, kDifferences = kManyRegisters ? 4 : 2;
template <class T>
constexpr int kTile = kVectors* kLanes<T>;

// A responsibility below 2^-kNegligibleBits is far below what rounding leaves of others.
template <class T>
constexpr int kNegligibleBits = sizeof(T) == 4 ? 40 : 80;
constexpr double TwoToMinus(int bits) { return bits == 0 ? 1 : TwoToMinus(bits - 1) / 2; }

template <class T>
HWY_INLINE Vec<T> Load(const T* p) {
  return hn::Load(Tag<T>(), p);
}
template <class T>
HWY_INLINE Vec<T> Set(T value) {
  return hn::Set(Tag<T>(), value);
}

// 2^x for x <= 0: exactly 1 at 0, exactly 0 below the smallest normal number and at -infinity. The fraction in
// [-1/2, 1/2] goes through a minimax polynomial whose constant is fixed at one; the integer part, added to a large
// number, lands in its low bits and is shifted to where the exponent is.
HWY_INLINE Vec<float> Exp2(Vec<float> x) {
  const Tag<float> d;
  const hn::RebindToUnsigned<Tag<float>> bits;
  x = hn::Max(x, Set(-127.0f));
  const auto shifted = hn::Add(x, Set(0x1.8p23f + 127));
  const auto r = hn::Sub(x, hn::Sub(shifted, Set(0x1.8p23f + 127)));
  const auto r2 = hn::Mul(r, r);
  auto p = hn::MulAdd(Set(1.5594678e-4f), r, Set(1.3406644e-3f));
  p = hn::MulAdd(p, r2, hn::MulAdd(Set(9.6176930e-3f), r, Set(5.5503106e-2f)));
  p = hn::MulAdd(p, r2, hn::MulAdd(Set(2.4022653e-1f), r, Set(6.9314721e-1f)));
  p = hn::MulAdd(p, r, Set(1.0f));
  return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(bits, shifted))));
}

HWY_INLINE Vec<double> Exp2(Vec<double> x) {
  const Tag<double> d;
  const hn::RebindToUnsigned<Tag<double>> bits;
  x = hn::Max(x, Set(-1023.0));
  const auto shifted = hn::Add(x, Set(0x1.8p52 + 1023));
  const auto r = hn::Sub(x, hn::Sub(shifted, Set(0x1.8p52 + 1023)));
  const auto r2 = hn::Mul(r, r);
  auto p = hn::MulAdd(Set(4.078071929588336665e-10), r, Set(7.0725704128144235096e-9));
  p = hn::MulAdd(p, r2, hn::MulAdd(Set(1.0180647659234138888e-7), r, Set(1.3215442675329822143e-6)));
  p = hn::MulAdd(p, r2, hn::MulAdd(Set(1.5252727385193868197e-5), r, Set(1.540353044157213033e-4)));
  p = hn::MulAdd(p, r2, hn::MulAdd(Set(1.3333558153439964747e-3), r, Set(9.6181291076070023796e-3)));
  p = hn::MulAdd(p, r2, hn::MulAdd(Set(5.5504108664790394552e-2), r, Set(2.4022650695910098007e-1)));
  p = hn::MulAdd(p, r, Set(6.9314718055994569675e-1));
  p = hn::MulAdd(p, r, Set(1.0));
  return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<52>(hn::BitCast(bits, shifted))));
}

// The lanes as float64 in half as many lanes: the two halves added.
HWY_INLINE Vec<double> Widen(Vec<double> v) { return v; }
HWY_INLINE Vec<double> Widen(Vec<float> v) {
#if HWY_TARGET == HWY_SCALAR
  return hn::PromoteTo(Tag<double>(), v);
#else
  const hn::Half<Tag<float>> half;
  const Tag<double> d;
  return hn::Add(hn::PromoteTo(d, hn::LowerHalf(half, v)), hn::PromoteTo(d, hn::UpperHalf(half, v)));
#endif
}

#if HWY_TARGET != HWY_SCALAR
// Sums over 128-bit blocks of two vectors of float64, or of four of float32, side by side in every block.
HWY_INLINE Vec<double> SumInBlocks(const Vec<double>* v) {
  const Tag<double> d;
  return hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1]));
}
HWY_INLINE Vec<float> SumInBlocks(const Vec<float>* v) {
  const Tag<float> d;
  const Tag<double> pairs;
  const auto a = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1])));
  const auto b = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3])));
  return hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, a, b)), hn::BitCast(d, hn::InterleaveUpper(pairs, a, b)));
}
#endif

// sums[i] += v[i] summed over its lanes, for n vectors: 12 or 16, the latter only where there are many registers.
template <class T, int n>
HWY_INLINE void AddSums(const Vec<T> (&v)[n], double* sums) {
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < n; ++i) sums[i] += double(hn::GetLane(v[i]));
#else
  constexpr int kPerBlock = 16 / sizeof(T);
  constexpr int kBlocks = kLanes<T> / kPerBlock;
  constexpr int kDone = (n + kLanes<T> - 1) / kLanes<T>;
  const Tag<T> d;
  const Tag<double> wide;
  Vec<T> in_blocks[kDone * kBlocks];
  CAVI_UNROLL for (int i = 0; i < n / kPerBlock; ++i) in_blocks[i] = SumInBlocks(v + i * kPerBlock);
  CAVI_UNROLL for (int i = n / kPerBlock; i < kDone * kBlocks; ++i) in_blocks[i] = hn::Zero(d);
  // Vectors pair up until each holds the sums of kLanes of the n.
  Vec<T> done[kDone];
  CAVI_UNROLL for (int i = 0; i < kDone; ++i) {
    const Vec<T>* from = in_blocks + i * kBlocks;
    if constexpr (kBlocks == 1) {
      done[i] = from[0];
    } else {
      Vec<T> pair[kBlocks / 2];
      CAVI_UNROLL for (int j = 0; j < kBlocks / 2; ++j) {
        const auto even = hn::OddEvenBlocks(from[2 * j + 1], from[2 * j]);
        const auto odd = hn::OddEvenBlocks(from[2 * j], from[2 * j + 1]);
        pair[j] = hn::Add(even, hn::SwapAdjacentBlocks(odd));
      }
      if constexpr (kBlocks == 2) {
        done[i] = pair[0];
      } else {
        done[i] = hn::Add(hn::ConcatLowerLower(d, pair[1], pair[0]), hn::ConcatUpperUpper(d, pair[1], pair[0]));
      }
    }
  }
  const auto add = [&](Vec<double> sum, int at) HWY_ATTR {
    if (at < n) hn::StoreU(hn::Add(hn::LoadU(wide, sums + at), sum), wide, sums + at);
  };
  CAVI_UNROLL for (int i = 0; i < kDone; ++i) {
    if constexpr (sizeof(T) == 8) {
      add(hn::BitCast(wide, done[i]), i * kLanes<T>);
    } else {
      const hn::Half<Tag<T>> half;
      add(hn::PromoteTo(wide, hn::LowerHalf(half, done[i])), i * kLanes<T>);
      add(hn::PromoteTo(wide, hn::UpperHalf(half, done[i])), i * kLanes<T> + kLanes<T> / 2);
    }
  }
#endif
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
