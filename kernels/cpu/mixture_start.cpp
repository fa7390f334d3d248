// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture_start.hpp"

#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_frame.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/components/families.hpp"
#include "kernels/math/random.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

[[noreturn]] void reject(std::int64_t row, const std::string& complaint) {
  throw ShapeError("first responsibilities: row " + std::to_string(row) + " " + complaint);
}

void from_labels(const std::int32_t* labels, std::int64_t row, std::int64_t count, int components, double* r,
                 std::int64_t stride) {
  check_labels(labels, row, count, components);
  for (std::int64_t i = 0; i < count; ++i)
    for (int k = 0; k < components; ++k) r[k * stride + i] = k == labels[i];
}

void load_dense(const MatrixSource& source, std::int64_t row, std::int64_t count, double* raw, double* r,
                std::int64_t stride) {
  source.read(row, count, raw);
  const int components = source.cols();
  const bool narrow = source.scalar() == Scalar::float32;
  for (std::int64_t i = 0; i < count; ++i)
    for (int k = 0; k < components; ++k) {
      const std::int64_t at = i * components + k;
      r[k * stride + i] = narrow ? double(reinterpret_cast<const float*>(raw)[at]) : raw[at];
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

void check_labels(const std::int32_t* labels, std::int64_t row, std::int64_t count, int components) {
  for (std::int64_t i = 0; i < count; ++i)
    if (labels[i] < 0 || labels[i] >= components)
      reject(row + i,
             "has label " + std::to_string(labels[i]) + ", which is not in [0, " + std::to_string(components) + ")");
}

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
    load_dense(*given.dense.source(), row, count, raw, r, stride);
    const double tolerance = given.dense.scalar() == Scalar::float64 ? 1e-6 : 1e-5;
    normalise_dense(tolerance, row, count, components, r, stride);
  } else {
    at_random(given.seed, first, count, components, r, stride);
  }
}

namespace {

double negative_entropy(const double* r, std::int64_t stride, int components) {
  double sum = 0;
  for (int k = 0; k < components; ++k)
    if (const double p = r[k * stride]; p > 0) sum += p * std::log(p);
  return sum;
}

// Rows and weights are seen as the sweeps will see them, rounded to their precision: the tied moment, which is computed
// here alone, has to agree with what the sweeps sum.
void round_block(Scalar precision, const TileBlock<double>& b, int features) {
  if (precision == Scalar::float64) return;
  const auto round = [&](double* values) {
    std::transform(values, values + b.points, values, [](double v) { return double(float(v)); });
  };
  for (int f = 0; f < features; ++f) round(b.x + f * b.stride);
  round(b.weight);
}

// Turns responsibilities into what the tiles of a family take; returns the weighted entropy.
double weigh(bool root, const TileBlock<double>& b, std::int64_t count, int components) {
  double entropy = 0;
  for (std::int64_t i = 0; i < count; ++i) entropy -= b.weight[i] * negative_entropy(b.r + i, b.stride, components);
  for (int k = 0; k < components; ++k) {
    double* r = b.r + k * b.stride;
    std::fill(r + count, r + b.points, 0.0);
    for (std::int64_t i = 0; i < count; ++i) r[i] = root ? std::sqrt(b.weight[i] * r[i]) : b.weight[i] * r[i];
  }
  return entropy;
}

template <class F>
void start(const MixtureStart& op, const Responsibilities& given, const Problem& problem, ThreadPool& pool) {
  const MixtureShape& shape = op.shape;
  const Rows& rows = problem.rows[shape.source];
  const int k = shape.components, d = shape.features;
  const int points = RowBlock<double>::points(k, d);
  // The tied moment is that of one component that has all the rows.
  const std::int64_t own = SlabSums::size(F::kind, k, d);
  const std::int64_t size = own + (F::shared ? SlabSums::size(Component::full, 1, d) : 0);
  const Slabs slabs = cut_slabs(rows.count, points, size * sizeof(double));

  const auto lay_out = [&](Arena& arena) {
    return std::tuple(Frame<F, double>(arena, k, d), Frame<components::Full, double>(arena, 1, d),
                      arena.take<double>(size * slabs.count));
  };
  Arena measure;
  lay_out(measure);
  Arena arena(pool.scratch(pool.worker(), measure.used(), 0));
  auto [frame, whole, parts] = lay_out(arena);
  frame.set_plain();
  whole.set_plain();

  const double* weight = shape.weight == kNoBuffer ? nullptr : problem[shape.weight];
  pool.run(slabs.count, [&, frame = &frame, whole = &whole, parts = parts](std::int64_t s, int worker) {
    std::fill_n(parts + s * size, size, 0.0);
    const SlabSums sums(parts + s * size, F::kind, k, d), all(parts + s * size + own, Component::full, 1, d);
    RowBlock<double> block(pool, worker, rows, k);
    std::vector<double> raw(points * std::int64_t(k));
    for (std::int64_t first = slabs.begin(s); first < slabs.end(s); first += points) {
      const std::int64_t count = std::min<std::int64_t>(points, slabs.end(s) - first);
      const auto& b = block.load(first, count, weight);
      round_block(shape.precision, b, d);
      given_responsibilities(given, problem.first_row, first, count, k, raw.data(), b.r, b.stride);
      *sums.scalar += weigh(F::kind == Component::full, b, count, k);
      tiles<double>().accumulate(frame->parameters(), b, sums.tile);
      if constexpr (F::shared) {
        std::transform(b.weight, b.weight + b.points, b.r, [](double w) { return std::sqrt(w); });
        tiles<double>().accumulate(whole->parameters(), b, all.tile);
      }
    }
  });
  tree_sum(parts, slabs.count, size, size, pool);

  const SlabSums sums(parts, F::kind, k, d), all(parts + own, Component::full, 1, d);
  std::copy_n(sums.tile.count, k, problem[shape.count]);
  std::copy_n(sums.tile.first, std::int64_t(k) * d, problem[shape.first]);
  *problem[shape.entropy] = *sums.scalar;
  double* second = problem[shape.second];
  if constexpr (F::kind == Component::full)
    for (int j = 0; j < k; ++j)
      unpack_symmetric(sums.tile.second + j * cells_size(d), d, second + j * F::second_size(d));
  else if constexpr (F::shared)
    unpack_symmetric(all.tile.second, d, second);
  else
    std::copy_n(sums.tile.second, k * F::second_size(d), second);
}

}  // namespace

void mixture_start(const MixtureStart& op, const Responsibilities& given, const Problem& problem, ThreadPool& pool) {
  components::with_family(op.shape.component, [&]<class F>(F) { start<F>(op, given, problem, pool); });
}

}  // namespace cavi::kernels::cpu
