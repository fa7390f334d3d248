// SPDX-License-Identifier: Apache-2.0
/// \file
/// Cutting work into slabs and adding up in an order that depends on the problem alone.
#pragma once

#include <cstdint>

namespace cavi::kernels::cpu {

/// Range s of `slabs` nearly equal ranges of [0, count).
struct Range {
  std::int64_t begin = 0, end = 0;
};
inline Range slab_range(std::int64_t count, std::int64_t slabs, std::int64_t s) {
  const std::int64_t size = count / slabs, rest = count % slabs;
  const std::int64_t begin = s * size + (s < rest ? s : rest);
  return {begin, begin + size + (s < rest)};
}

/// A sum over a stream by the pairwise tree of its positions: rounding grows with the logarithm of the count.
/// partial_[l] holds the sum of 2^l numbers whenever bit l of count_ is set.
class PairwiseSum {
 public:
  void add(double x) {
    int level = 0;
    for (std::uint64_t full = count_; full & 1; full >>= 1) x += partial_[level++];
    partial_[level] = x;
    ++count_;
  }
  double total() const {
    double sum = 0;
    for (int level = 0; count_ >> level != 0; ++level)
      if (count_ >> level & 1) sum += partial_[level];
    return sum;
  }

 private:
  double partial_[64];
  std::uint64_t count_ = 0;
};

}  // namespace cavi::kernels::cpu
