// SPDX-License-Identifier: Apache-2.0
/// \file
/// The inner loops of a mixture sweep, points along the lanes: x[d * kBlock + i] is feature d of point i of a block.
#pragma once

#include "kernels/cpu/mixture_frame.hpp"
#include "kernels/math/components/families.hpp"

#include <algorithm>
#include <cmath>

namespace cavi::kernels::cpu {

inline constexpr int kBlock = 256;  // points

// Sum over the points in a fixed order of 16 interleaved partial sums.
template <class T>
T dot(const T* a, const T* b) {
  constexpr int kLanes = 16;
  T lane[kLanes] = {};
  for (int i = 0; i < kBlock; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] += a[i + l] * b[i + l];
  for (int step = kLanes / 2; step > 0; step /= 2)
    for (int l = 0; l < step; ++l) lane[l] += lane[l + step];
  return lane[0];
}

// z = x - mean
template <class T>
void centre(const T* x, const T* mean, int features, T* z) {
  for (int d = 0; d < features; ++d)
    for (int i = 0; i < kBlock; ++i) z[d * kBlock + i] = x[d * kBlock + i] - mean[d];
}

// q = |root z|^2, with a row of scratch behind z.
template <class T>
void square_norm(components::Full, const T* root, const T* z, int features, T* y, T* q) {
  std::fill_n(q, kBlock, T(0));
  for (int j = 0; j < features; ++j) {
    std::fill_n(y, kBlock, T(0));
    for (int d = j; d < features; ++d)
      for (int i = 0; i < kBlock; ++i) y[i] += root[j * features + d] * z[d * kBlock + i];
    for (int i = 0; i < kBlock; ++i) q[i] += y[i] * y[i];
  }
}
template <class T>
void square_norm(components::Diag, const T* root, const T* z, int features, T*, T* q) {
  std::fill_n(q, kBlock, T(0));
  for (int d = 0; d < features; ++d)
    for (int i = 0; i < kBlock; ++i) {
      const T y = root[d] * z[d * kBlock + i];
      q[i] += y * y;
    }
}
template <class T>
void square_norm(components::Spherical, const T* root, const T* z, int features, T*, T* q) {
  std::fill_n(q, kBlock, T(0));
  for (int d = 0; d < features; ++d)
    for (int i = 0; i < kBlock; ++i) q[i] += z[d * kBlock + i] * z[d * kBlock + i];
  for (int i = 0; i < kBlock; ++i) q[i] *= *root * *root;
}

// second += sum over the points of rz z', upper triangle.
template <class T>
void second_moment(components::Full, const T* rz, const T* z, int features, double* second) {
  for (int i = 0; i < features; ++i)
    for (int j = i; j < features; ++j) second[i * features + j] += double(dot(rz + i * kBlock, z + j * kBlock));
}
template <class T>
void second_moment(components::Tied, const T*, const T*, int, double*) {}
template <class T>
void second_moment(components::Diag, const T* rz, const T* z, int features, double* second) {
  for (int d = 0; d < features; ++d) second[d] += double(dot(rz + d * kBlock, z + d * kBlock));
}
template <class T>
void second_moment(components::Spherical, const T* rz, const T* z, int features, double* second) {
  for (int d = 0; d < features; ++d) *second += double(dot(rz + d * kBlock, z + d * kBlock));
}

// logits [components x kBlock] of a block of points.
template <class F, class T>
void score(const Frame<F, T>& frame, const T* x, T* z, T* y, T* logits) {
  for (int k = 0; k < frame.components; ++k) {
    T* q = logits + k * kBlock;
    centre(x, frame.mean_t + k * frame.features, frame.features, z);
    square_norm(F{}, frame.root_t_of(k), z, frame.features, y, q);
    for (int i = 0; i < kBlock; ++i) q[i] = frame.offset_t[k] - q[i] / 2;
  }
}

// logits become responsibilities, lse[i] the logarithm of the normaliser.
template <class T>
void assign(int components, T* logits, T* lse) {
  T largest[kBlock], sum[kBlock] = {};
  std::copy_n(logits, kBlock, largest);
  for (int k = 1; k < components; ++k)
    for (int i = 0; i < kBlock; ++i) largest[i] = std::max(largest[i], logits[k * kBlock + i]);
  for (int k = 0; k < components; ++k)
    for (int i = 0; i < kBlock; ++i) sum[i] += logits[k * kBlock + i] = std::exp(logits[k * kBlock + i] - largest[i]);
  for (int i = 0; i < kBlock; ++i) {
    lse[i] = largest[i] + std::log(sum[i]);
    sum[i] = 1 / sum[i];
  }
  for (int k = 0; k < components; ++k)
    for (int i = 0; i < kBlock; ++i) logits[k * kBlock + i] *= sum[i];
}

// Adds the moments of a block about the components' means.
template <class F, class T>
void accumulate(const Frame<F, T>& frame, const T* x, const T* r, T* z, T* rz, double* count, double* first,
                double* second) {
  const int features = frame.features;
  for (int k = 0; k < frame.components; ++k, r += kBlock) {
    T ones[kBlock];
    std::fill_n(ones, kBlock, T(1));
    centre(x, frame.mean_t + k * features, features, z);
    for (int d = 0; d < features; ++d)
      for (int i = 0; i < kBlock; ++i) rz[d * kBlock + i] = r[i] * z[d * kBlock + i];
    count[k] += double(dot(r, ones));
    for (int d = 0; d < features; ++d) first[k * features + d] += double(dot(rz + d * kBlock, ones));
    second_moment(F{}, rz, z, features, second + k * F::second_size(features));
  }
}

}  // namespace cavi::kernels::cpu
