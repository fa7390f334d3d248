// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_frame.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/reduce.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/components/families.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

// The sums of a slab: weight, sum of w z, sum of w z z' with z the row minus the slab's centre.
struct SlabMoments {
  SlabSums sums;
  double* centre;  // [D]

  template <class F>
  static std::int64_t size(int d) {
    return SlabSums::size(F::kind, 1, d) + d;
  }
  template <class F>
  static SlabMoments at(double* parts, std::int64_t slab, int d) {
    double* p = parts + slab * size<F>(d);
    return {SlabSums(p, F::kind, 1, d), p + SlabSums::size(F::kind, 1, d)};
  }
};

double mean_of(const double* x, std::int64_t count) {
  PairwiseSum sum;
  for (std::int64_t i = 0; i < count; ++i) sum.add(x[i]);
  return sum.total() / double(count);
}

// One pass over the rows, each slab about the mean of its first block: near enough for the sums of squares to keep
// their digits, wherever the rows lie. A column with a number that is not finite has a first moment that is none.
template <class F>
std::vector<double> sum_rows(const Rows& rows, const double* weight, const Slabs& slabs, ThreadPool& pool) {
  const int d = rows.source->cols(), points = int(slabs.grain);
  const std::int64_t size = SlabMoments::size<F>(d);
  Arena measure;
  Frame<F, double>(measure, 1, d);
  Arena arena(pool.scratch(pool.worker(), measure.used(), 0));
  Frame<F, double> frame(arena, 1, d);
  frame.set_plain();

  std::vector<double> parts(size * slabs.count);
  pool.run(slabs.count, [&](std::int64_t s, int worker) {
    const auto [sums, centre] = SlabMoments::at<F>(parts.data(), s, d);
    Rows centred = rows;
    RowBlock<double> block(pool, worker, centred, 1);
    for (std::int64_t first = slabs.begin(s); first < slabs.end(s); first += points) {
      const std::int64_t count = std::min<std::int64_t>(points, slabs.end(s) - first);
      if (first == slabs.begin(s)) {
        const auto& b = block.load(first, count, nullptr);
        for (int f = 0; f < d; ++f) centre[f] = (rows.origin ? rows.origin[f] : 0) + mean_of(b.x + f * b.stride, count);
        centred.origin = centre;
      }
      const auto& b = block.load(first, count, weight);
      for (int f = 0; f < d; ++f) {
        const double* x = b.x + f * b.stride;
        if (!std::all_of(x, x + count, [](double v) { return std::isfinite(v); }))
          sums.tile.first[f] = std::numeric_limits<double>::quiet_NaN();
      }
      std::transform(b.weight, b.weight + b.points, b.r,
                     [](double w) { return F::kind == Component::full ? std::sqrt(w) : w; });
      tiles<double>().accumulate(frame.parameters(), b, sums.tile);
    }
  });
  return parts;
}

// Chan, Golub and LeVeque, The American Statistician 37 (1983): moments of parts about their own centres.
template <class F>
RowMoments combine(std::vector<double> parts, const Rows& rows, const Slabs& slabs) {
  const int d = rows.source->cols();
  const auto slab = [&](std::int64_t s) { return SlabMoments::at<F>(parts.data(), s, d); };
  RowMoments out;
  const auto total = [&](auto term) {
    PairwiseSum sum;
    for (int s = 0; s < slabs.count; ++s) sum.add(term(slab(s)));
    return sum.total();
  };
  out.weight = total([](const SlabMoments& m) { return *m.sums.tile.count; });
  if (!(out.weight > 0)) throw ShapeError(rows.source->name() + ": the weights of the rows sum to zero");
  // Centres and means are taken about the first centre, so that a distant origin costs nothing.
  const std::vector<double> near(slab(0).centre, slab(0).centre + d);
  out.mean.resize(d);
  for (int f = 0; f < d; ++f)
    out.mean[f] = total([&](const SlabMoments& m) {
                    return m.sums.tile.first[f] + *m.sums.tile.count * (m.centre[f] - near[f]);
                  }) /
                  out.weight;
  if constexpr (F::kind == Component::full) {
    const std::int64_t n = std::int64_t(d) * d;
    std::vector<double> squares(n * slabs.count);
    for (int s = 0; s < slabs.count; ++s) unpack_symmetric(slab(s).sums.tile.second, d, squares.data() + s * n);
    out.covariance.resize(n);
    for (int f = 0; f < d; ++f)
      for (int g = 0; g < d; ++g) {
        PairwiseSum sum;
        for (int s = 0; s < slabs.count; ++s) {
          const auto [sums, centre] = slab(s);
          const double a = centre[f] - near[f] - out.mean[f], b = centre[g] - near[g] - out.mean[g];
          sum.add(squares[s * n + std::int64_t(f) * d + g] + a * sums.tile.first[g] + b * sums.tile.first[f] +
                  a * b * *sums.tile.count);
        }
        out.covariance[std::int64_t(f) * d + g] = sum.total() / out.weight;
      }
  }
  for (int f = 0; f < d; ++f) out.mean[f] += near[f] - (rows.origin ? rows.origin[f] : 0);
  return out;
}

template <class F>
RowMoments moments(const Rows& rows, const double* weight, ThreadPool& pool) {
  const int d = rows.source->cols();
  const Slabs slabs = cut_slabs(rows.count, RowBlock<double>::points(1, d), SlabMoments::size<F>(d) * sizeof(double));
  return combine<F>(sum_rows<F>(rows, weight, slabs, pool), rows, slabs);
}

}  // namespace

RowMoments row_moments(const Rows& rows, const double* weight, bool with_covariance, ThreadPool& pool) {
  if (rows.count == 0) throw ShapeError(rows.source->name() + ": there are no rows to take the mean of");
  return with_covariance ? moments<components::Full>(rows, weight, pool)
                         : moments<components::Tied>(rows, weight, pool);
}

}  // namespace cavi::kernels::cpu
