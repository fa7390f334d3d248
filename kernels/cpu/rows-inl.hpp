// SPDX-License-Identifier: Apache-2.0
// Rows of numbers to feature-major blocks.
#if defined(CAVI_ROWS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_ROWS_INL
#undef CAVI_ROWS_INL
#else
#define CAVI_ROWS_INL
#endif

#include "kernels/cpu/mixture_simd-inl.hpp"

#include <cstdint>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR
// Blocks of 128 bits: 4 points x 4 features, or 2 x 2.
HWY_INLINE void TransposeBlock(const float* from, std::int64_t row_stride, float* to, std::int64_t stride) {
  const hn::FixedTag<float, 4> d;
  const hn::FixedTag<double, 2> pairs;
  const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + row_stride);
  const auto c = hn::LoadU(d, from + 2 * row_stride), e = hn::LoadU(d, from + 3 * row_stride);
  const auto ab0 = hn::BitCast(pairs, hn::InterleaveLower(d, a, b)),
             ab1 = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
  const auto ce0 = hn::BitCast(pairs, hn::InterleaveLower(d, c, e)),
             ce1 = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab0, ce0)), d, to);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab0, ce0)), d, to + stride);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab1, ce1)), d, to + 2 * stride);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab1, ce1)), d, to + 3 * stride);
}
HWY_INLINE void TransposeBlock(const double* from, std::int64_t row_stride, double* to, std::int64_t stride) {
  const hn::FixedTag<double, 2> d;
  const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + row_stride);
  hn::Store(hn::InterleaveLower(d, a, b), d, to);
  hn::Store(hn::InterleaveUpper(d, a, b), d, to + stride);
}
#endif

template <class T>
void Transpose(const T* from, std::int64_t row_stride, int count, int features, T* x, std::int64_t stride) {
  int done = 0;
#if HWY_TARGET != HWY_SCALAR
  const Tag<T> d;
  if (features == 2 && row_stride == 2) {
    for (; done + kLanes<T> <= count; done += kLanes<T>) {
      Vec<T> a, b;
      hn::LoadInterleaved2(d, from + done * 2, a, b);
      hn::StoreU(a, d, x + done);
      hn::StoreU(b, d, x + stride + done);
    }
  }
  if (features == 3 && row_stride == 3) {
    for (; done + kLanes<T> <= count; done += kLanes<T>) {
      Vec<T> a, b, c;
      hn::LoadInterleaved3(d, from + done * 3, a, b, c);
      hn::StoreU(a, d, x + done);
      hn::StoreU(b, d, x + stride + done);
      hn::StoreU(c, d, x + 2 * stride + done);
    }
  }
  constexpr int kBlock = 16 / sizeof(T);
  if (features >= kBlock) {
    for (; done + kBlock <= count; done += kBlock) {
      const T* row = from + done * row_stride;
      int f = 0;
      for (; f + kBlock <= features; f += kBlock) TransposeBlock(row + f, row_stride, x + f * stride + done, stride);
      if (f < features) {  // the last features once more, together with some of those before
        f = features - kBlock;
        TransposeBlock(row + f, row_stride, x + f * stride + done, stride);
      }
    }
  }
#endif
  for (int f = 0; f < features; ++f)
    for (int i = done; i < count; ++i) x[f * stride + i] = from[i * row_stride + f];
}

template <class T, class In>
void LoadRows(const In* from, std::int64_t row_stride, const double* origin, int count, int features, T* rows, T* x,
              std::int64_t stride) {
  if constexpr (std::is_same_v<T, In>)
    if (!origin) return Transpose(from, row_stride, count, features, x, stride);
  for (int i = 0; i < count; ++i) {
    const In* row = from + i * row_stride;
    T* out = rows + std::int64_t(i) * features;
    if (origin)
      for (int f = 0; f < features; ++f) out[f] = T(double(row[f]) - origin[f]);
    else
      for (int f = 0; f < features; ++f) out[f] = T(row[f]);
  }
  Transpose<T>(rows, features, count, features, x, stride);
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
