// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture_start.hpp"

#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/components/families.hpp"
#include "kernels/math/random.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace cavi::kernels::cpu {
namespace {

[[noreturn]] void reject(std::int64_t row, const std::string& complaint) {
  throw ShapeError("first responsibilities: row " + std::to_string(row) + " " + complaint);
}

void from_labels(const std::int32_t* labels, std::int64_t row, std::int64_t count, int components, double* r,
                 std::int64_t stride) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (labels[i] < 0 || labels[i] >= components)
      reject(row + i,
             "has label " + std::to_string(labels[i]) + ", which is not in [0, " + std::to_string(components) + ")");
    for (int k = 0; k < components; ++k) r[k * stride + i] = k == labels[i];
  }
}

// r holds the numbers as they were given.
void normalise_dense(double tolerance, std::int64_t row, std::int64_t count, int components, double* r,
                     std::int64_t stride) {
  for (std::int64_t i = 0; i < count; ++i) {
    double sum = 0;
    for (int k = 0; k < components; ++k) {
      const double value = r[k * stride + i];
      if (!(value >= 0) || !std::isfinite(value))
        reject(row + i, "gives component " + std::to_string(k) + " the responsibility " + std::to_string(value));
      sum += value;
    }
    if (!(std::abs(sum - 1) <= tolerance)) reject(row + i, "sums to " + std::to_string(sum) + ", not to one");
    for (int k = 0; k < components; ++k) r[k * stride + i] /= sum;
  }
}

void at_random(std::uint64_t seed, std::int64_t row, std::int64_t count, int components, double* r,
               std::int64_t stride) {
  for (std::int64_t i = 0; i < count; ++i) {
    double sum = 0;
    for (int k = 0; k < components; ++k) sum += r[k * stride + i] = random::start_responsibility(seed, row + i, k);
    for (int k = 0; k < components; ++k) r[k * stride + i] /= sum;
  }
}

}  // namespace

void given_responsibilities(const Responsibilities& given, std::int64_t first_row, std::int64_t first,
                            std::int64_t count, int components, double* raw, double* r, std::int64_t stride) {
  const std::int64_t row = first_row + first;
  if (!given.labels.empty()) {
    if (row + count > std::int64_t(given.labels.size()))
      throw ShapeError("first responsibilities: " + std::to_string(given.labels.size()) + " labels for more rows");
    from_labels(given.labels.data() + row, row, count, components, r, stride);
  } else if (given.dense.rows() > 0) {
    if (given.dense.cols() != components || row + count > given.dense.rows())
      throw ShapeError("first responsibilities: " + std::to_string(given.dense.rows()) + " x " +
                       std::to_string(given.dense.cols()) + " numbers for more rows or for " +
                       std::to_string(components) + " components");
    load_features({given.dense.source().get(), 0, given.dense.rows(), nullptr}, row, count, raw, r, stride);
    const double tolerance = given.dense.scalar() == Scalar::float64 ? 1e-6 : 1e-5;
    normalise_dense(tolerance, row, count, components, r, stride);
  } else {
    at_random(given.seed, first, count, components, r, stride);
  }
}

namespace {

struct Block {
  double *raw, *x, *z, *rz, *r;
  Block(Arena& arena, int k, int d) {
    raw = arena.take<double>(std::int64_t(std::max(k, d)) * kBlock);
    x = arena.take<double>(std::int64_t(d) * kBlock);
    z = arena.take<double>(std::int64_t(d) * kBlock);
    rz = arena.take<double>(std::int64_t(d) * kBlock);
    r = arena.take<double>(std::int64_t(k) * kBlock);
  }
};

double negative_entropy(const double* r, int components) {
  double sum = 0;
  for (int k = 0; k < components; ++k)
    if (const double p = r[k * kBlock]; p > 0) sum += p * std::log(p);
  return sum;
}

// Rows are seen as the sweeps will see them, rounded to their precision: the tied moment, which is computed here alone,
// has to agree with what the sweeps accumulate.
void round_to(Scalar precision, double* x, std::int64_t n) {
  if (precision == Scalar::float32) std::transform(x, x + n, x, [](double v) { return double(float(v)); });
}

template <class F>
void start(const MixtureStart& op, const Responsibilities& given, const Problem& problem, ThreadPool& pool) {
  const MixtureShape& shape = op.shape;
  const Rows& rows = problem.rows[shape.source];
  const int k = shape.components, d = shape.features;
  const std::int64_t second = quadratic_size(F::kind, k, d);
  const std::int64_t size = k + std::int64_t(k) * d + second + 1, stride = (size + 7) / 8 * 8;
  const Slabs slabs = cut_slabs(rows.count, kBlock, stride * sizeof(double));

  Arena measure;
  Frame<F, double>(measure, k, d);
  measure.take<double>(stride * slabs.count);
  Arena arena(pool.scratch(pool.worker(), measure.used(), 0));
  Frame<F, double> frame(arena, k, d);
  double* parts = arena.take<double>(stride * slabs.count);
  std::fill_n(frame.mean_t, std::int64_t(k) * d, 0.0);
  const double* weight = shape.weight == kNoBuffer ? nullptr : problem[shape.weight];

  pool.run(slabs.count, [&](std::int64_t s, int worker) {
    Arena sizes;
    Block(sizes, k, d);
    Arena memory(pool.scratch(worker, sizes.used(), 1));
    const Block b(memory, k, d);
    double* sums = parts + s * stride;
    std::fill_n(sums, size, 0.0);
    for (std::int64_t first = slabs.begin(s); first < slabs.end(s); first += kBlock) {
      const std::int64_t count = std::min<std::int64_t>(kBlock, slabs.end(s) - first);
      std::fill_n(b.x, std::int64_t(d) * kBlock, 0.0);
      std::fill_n(b.r, std::int64_t(k) * kBlock, 0.0);
      load_features(rows, first, count, b.raw, b.x, kBlock);
      round_to(shape.precision, b.x, std::int64_t(d) * kBlock);
      given_responsibilities(given, problem.first_row, first, count, k, b.raw, b.r, kBlock);
      for (std::int64_t i = 0; i < count; ++i) {
        const double w = weight ? weight[first + i] : 1;
        sums[size - 1] -= w * negative_entropy(b.r + i, k);
        for (int j = 0; j < k; ++j) b.r[j * kBlock + i] *= w;
      }
      double* out = sums + k + std::int64_t(k) * d;
      accumulate(frame, b.x, b.r, b.z, b.rz, sums, sums + k, out);
      if constexpr (F::shared_root) {
        for (int j = 0; j < d; ++j)
          for (int i = 0; i < kBlock; ++i)
            b.rz[j * kBlock + i] = i < count ? (weight ? weight[first + i] : 1) * b.x[j * kBlock + i] : 0;
        second_moment(components::Full{}, b.rz, b.x, d, out);
      }
    }
  });
  tree_sum(parts, slabs.count, size, stride, pool);

  std::copy_n(parts, k, problem[shape.count]);
  std::copy_n(parts + k, std::int64_t(k) * d, problem[shape.first]);
  double* moments = parts + k + std::int64_t(k) * d;
  const components::Full mirror;
  if constexpr (F::kind == Component::full || F::kind == Component::tied)
    for (std::int64_t at = 0; at < second; at += std::int64_t(d) * d)
      mirror.to_origin(0, frame.mean_t, frame.mean_t, d, moments + at);
  std::copy_n(moments, second, problem[shape.second]);
  *problem[shape.entropy] = parts[size - 1];
}

}  // namespace

void mixture_start(const MixtureStart& op, const Responsibilities& given, const Problem& problem, ThreadPool& pool) {
  components::with_family(op.shape.component, [&]<class F>(F) { start<F>(op, given, problem, pool); });
}

}  // namespace cavi::kernels::cpu
