// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

// Sums over rows of what `add(x, w, sums)` adds for a block; points beyond the rows have weight 0.
template <class Add>
std::vector<double> sum_rows(const Rows& rows, const double* weight, std::int64_t size, ThreadPool& pool, Add add) {
  const int d = rows.source->cols();
  const std::int64_t stride = (size + 7) / 8 * 8;
  const Slabs slabs = cut_slabs(rows.count, kBlock, stride * sizeof(double));
  std::vector<double> parts(stride * slabs.count);
  pool.run(slabs.count, [&](std::int64_t s, int worker) {
    auto take = [&](Arena arena) {
      double* raw = arena.take<double>(raw_size(rows, kBlock));
      double* x = arena.take<double>(std::int64_t(d) * kBlock);
      double* wx = arena.take<double>(std::int64_t(d) * kBlock);
      return std::tuple(raw, x, wx, arena.used());
    };
    const auto [raw, x, wx, bytes] = take(Arena(pool.scratch(worker, std::get<3>(take(Arena())), 1)));
    for (std::int64_t first = slabs.begin(s); first < slabs.end(s); first += kBlock) {
      const std::int64_t count = std::min<std::int64_t>(kBlock, slabs.end(s) - first);
      std::fill_n(x, std::int64_t(d) * kBlock, 0.0);
      load_features(rows, first, count, raw, x, kBlock);
      double w[kBlock] = {};
      for (std::int64_t i = 0; i < count; ++i) w[i] = weight ? weight[first + i] : 1;
      for (int j = 0; j < d; ++j)
        for (int i = 0; i < kBlock; ++i) wx[j * kBlock + i] = w[i] * x[j * kBlock + i];
      add(x, wx, w, parts.data() + s * stride);
    }
  });
  tree_sum(parts.data(), slabs.count, size, stride, pool);
  parts.resize(size);
  return parts;
}

}  // namespace

RowMoments row_moments(const Rows& rows, const double* weight, bool with_covariance, ThreadPool& pool) {
  const int d = rows.source->cols();
  if (rows.count == 0) throw ShapeError(rows.source->name() + ": there are no rows to take the mean of");
  double ones[kBlock];
  std::fill_n(ones, kBlock, 1.0);

  RowMoments out;
  out.mean = sum_rows(rows, weight, d + 1, pool, [&](const double*, const double* wx, const double* w, double* sums) {
    for (int j = 0; j < d; ++j) sums[j] += dot(wx + j * kBlock, ones);
    sums[d] += dot(w, ones);
  });
  out.weight = out.mean.back();
  out.mean.pop_back();
  if (!(out.weight > 0)) throw ShapeError(rows.source->name() + ": the weights of the rows sum to zero");
  for (double& m : out.mean) m /= out.weight;
  if (!with_covariance) return out;

  std::vector<double> centre = out.mean;
  for (int j = 0; j < d; ++j) centre[j] += rows.origin ? rows.origin[j] : 0;
  Rows centred = rows;
  centred.origin = centre.data();
  out.covariance = sum_rows(centred, weight, std::int64_t(d) * d, pool,
                            [&](const double* x, const double* wx, const double*, double* sums) {
                              second_moment(components::Full{}, wx, x, d, sums);
                            });
  for (int i = 0; i < d; ++i)
    for (int j = i; j < d; ++j) {
      const double c = out.covariance[i * std::int64_t(d) + j] / out.weight;
      out.covariance[i * std::int64_t(d) + j] = out.covariance[j * std::int64_t(d) + i] = c;
    }
  return out;
}

}  // namespace cavi::kernels::cpu
