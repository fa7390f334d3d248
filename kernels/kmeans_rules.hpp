// SPDX-License-Identifier: Apache-2.0
/// \file
/// What k-means of every backend has in common: how seeds are drawn, and when Lloyd's algorithm ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace cavi::kernels {

/// Lloyd's iterations end when the inertia falls by less than this part of itself.
class LloydRule {
 public:
  static constexpr int kMostIterations = 100;
  bool ends(double inertia) {
    const bool little = started_ && before_ - inertia <= kTolerance * before_;
    started_ = true;
    before_ = inertia;
    return little;
  }

 private:
  static constexpr double kTolerance = 1e-4;
  double before_ = 0;
  bool started_ = false;
};

/// Goes along rows [begin, end) until their running mass passes `rest`, which it leaves that much smaller. Returns
/// whether it did; `last` becomes the last row on the way that has mass.
template <class Mass>
bool walk(std::int64_t begin, std::int64_t end, Mass mass, double& rest, std::int64_t& last) {
  for (std::int64_t n = begin; n < end; ++n)
    if (const double m = mass(n); m > 0) {
      last = n;
      if ((rest -= m) <= 0) return true;
    }
  return false;
}

/// Finds the slab in which the running mass passes the u-th part of its total: calls walk_slab(slab, rest) for it, and
/// for those after it until one returns a row. -1 when none does, or when there is no mass.
template <class WalkSlab>
std::int64_t draw_in_slabs(double u, const std::vector<double>& sums, WalkSlab walk_slab) {
  std::size_t end = sums.size();  // the last slab with mass is walked to its end, whatever rounding left over
  while (end > 0 && !(sums[end - 1] > 0)) --end;
  double rest = u * std::accumulate(sums.begin(), sums.end(), 0.0);
  for (std::size_t s = 0; s < end; ++s) {
    if (rest > sums[s] && s + 1 < end)
      rest -= sums[s];
    else if (const std::int64_t row = walk_slab(std::int64_t(s), rest); row >= 0)
      return row;
  }
  return -1;
}

}  // namespace cavi::kernels
