// SPDX-License-Identifier: Apache-2.0
// Rows of numbers to feature-major blocks.
#if defined(CAVI_ROWS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef CAVI_ROWS_INL
#undef CAVI_ROWS_INL
#else
#define CAVI_ROWS_INL
#endif

#include "kernels/cpu/mixture_simd-inl.hpp"

#include <algorithm>
#include <cstdint>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR
template <class T>
constexpr int kBlock = 16 / sizeof(T);  // numbers in 128 bits

// 128 bits each of every kBlock-th row.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::VFromD<D> LoadBlocks(D d, const T* from, std::int64_t row_stride) {
  if constexpr (MaxLanes(D()) == kBlock<T>) {
    return hn::LoadU(d, from);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, LoadBlocks(half, from + std::int64_t(MaxLanes(half)) * row_stride, row_stride),
                       LoadBlocks(half, from, row_stride));
  }
}

// kBlock features of a vector of points.
HWY_INLINE void TransposeVector(const float* from, std::int64_t row_stride, float* to, std::int64_t stride) {
  const Tag<float> d;
  const Tag<double> pairs;
  const auto a = LoadBlocks(d, from, row_stride), b = LoadBlocks(d, from + row_stride, row_stride);
  const auto c = LoadBlocks(d, from + 2 * row_stride, row_stride), e = LoadBlocks(d, from + 3 * row_stride, row_stride);
  const auto ab0 = hn::BitCast(pairs, hn::InterleaveLower(d, a, b)),
             ab1 = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
  const auto ce0 = hn::BitCast(pairs, hn::InterleaveLower(d, c, e)),
             ce1 = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab0, ce0)), d, to);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab0, ce0)), d, to + stride);
  hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab1, ce1)), d, to + 2 * stride);
  hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab1, ce1)), d, to + 3 * stride);
}
HWY_INLINE void TransposeVector(const double* from, std::int64_t row_stride, double* to, std::int64_t stride) {
  const Tag<double> d;
  const auto a = LoadBlocks(d, from, row_stride), b = LoadBlocks(d, from + row_stride, row_stride);
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
      hn::Store(a, d, x + done);
      hn::Store(b, d, x + stride + done);
    }
  }
  if (features == 3 && row_stride == 3) {
    for (; done + kLanes<T> <= count; done += kLanes<T>) {
      Vec<T> a, b, c;
      hn::LoadInterleaved3(d, from + done * 3, a, b, c);
      hn::Store(a, d, x + done);
      hn::Store(b, d, x + stride + done);
      hn::Store(c, d, x + 2 * stride + done);
    }
  }
  if (features >= kBlock<T>) {
    for (; done + kLanes<T> <= count; done += kLanes<T>) {
      const T* row = from + done * row_stride;
      int f = 0;
      for (; f + kBlock<T> <= features; f += kBlock<T>)
        TransposeVector(row + f, row_stride, x + f * stride + done, stride);
      if (f < features) {  // the last features once more, together with some of those before
        f = features - kBlock<T>;
        TransposeVector(row + f, row_stride, x + f * stride + done, stride);
      }
    }
  }
#endif
  for (int f = 0; f < features; ++f)
    for (int i = done; i < count; ++i) x[f * stride + i] = from[i * row_stride + f];
}

// x = T(x - origin). The difference of two numbers of type T takes no wider type to be rounded once.
template <class T>
HWY_INLINE void Move(T* x, int n, double origin) {
  if (const T narrow = T(origin); double(narrow) == origin)
    for (int i = 0; i < n; ++i) x[i] -= narrow;
  else
    for (int i = 0; i < n; ++i) x[i] = T(double(x[i]) - origin);
}

template <class T, class In>
void LoadRows(const In* from, std::int64_t row_stride, const double* origin, int count, int features, T* rows, T* x,
              std::int64_t stride) {
  constexpr int kAtOnce = 4 * kTile<T>;  // points that stay close
  for (int done = 0; done < count; done += kAtOnce, from += kAtOnce * row_stride, x += kAtOnce) {
    const int n = std::min(kAtOnce, count - done);
    if constexpr (std::is_same_v<T, In>) {
      Transpose(from, row_stride, n, features, x, stride);
      for (int f = 0; f < features && origin; ++f) Move(x + f * stride, n, origin[f]);
    } else {
      for (int i = 0; i < n; ++i)
        for (int f = 0; f < features; ++f)
          rows[i * features + f] = T(double(from[i * row_stride + f]) - (origin ? origin[f] : 0));
      Transpose<T>(rows, features, n, features, x, stride);
    }
  }
}

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
