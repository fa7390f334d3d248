// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_frame.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/components/families.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

// Weight and moments of all rows: those of the one component of a family, whose responsibilities are the weights.
template <class F>
std::vector<double> sum_rows(const Rows& rows, const double* weight, ThreadPool& pool) {
  const int d = rows.source->cols(), points = RowBlock<double>::points(1, d);
  const std::int64_t size = SlabSums::size(F::kind, 1, d);
  const Slabs slabs = cut_slabs(rows.count, points, size * sizeof(double));
  Arena measure;
  Frame<F, double>(measure, 1, d);
  Arena arena(pool.scratch(pool.worker(), measure.used(), 0));
  Frame<F, double> frame(arena, 1, d);
  frame.set_plain();

  std::vector<double> parts(size * slabs.count);
  pool.run(slabs.count, [&](std::int64_t s, int worker) {
    const SlabSums sums(parts.data() + s * size, F::kind, 1, d);
    RowBlock<double> block(pool, worker, rows, 1);
    for (std::int64_t first = slabs.begin(s); first < slabs.end(s); first += points) {
      const auto& b = block.load(first, std::min<std::int64_t>(points, slabs.end(s) - first), weight);
      std::transform(b.weight, b.weight + b.points, b.r,
                     [](double w) { return F::kind == Component::full ? std::sqrt(w) : w; });
      tiles<double>().accumulate(frame.parameters(), b, sums.tile);
    }
  });
  tree_sum(parts.data(), slabs.count, size, size, pool);
  return parts;
}

}  // namespace

RowMoments row_moments(const Rows& rows, const double* weight, bool with_covariance, ThreadPool& pool) {
  const int d = rows.source->cols();
  if (rows.count == 0) throw ShapeError(rows.source->name() + ": there are no rows to take the mean of");
  RowMoments out;
  {
    std::vector<double> parts = sum_rows<components::Tied>(rows, weight, pool);
    const SlabSums sums(parts.data(), Component::tied, 1, d);
    out.weight = *sums.tile.count;
    if (!(out.weight > 0)) throw ShapeError(rows.source->name() + ": the weights of the rows sum to zero");
    out.mean.assign(sums.tile.first, sums.tile.first + d);
    for (double& m : out.mean) m /= out.weight;
  }
  if (!with_covariance) return out;

  std::vector<double> origin = out.mean;
  for (int j = 0; j < d; ++j) origin[j] += rows.origin ? rows.origin[j] : 0;
  Rows centred = rows;
  centred.origin = origin.data();
  std::vector<double> parts = sum_rows<components::Full>(centred, weight, pool);
  out.covariance.resize(std::int64_t(d) * d);
  unpack_symmetric(SlabSums(parts.data(), Component::full, 1, d).tile.second, d, out.covariance.data());
  for (double& c : out.covariance) c /= out.weight;
  return out;
}

}  // namespace cavi::kernels::cpu
