// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_frame.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/components/families.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <tuple>

namespace cavi::kernels::cpu {
namespace {

// Moves the moments of a component to the origin; returns what its rows add to <statistics, parameters>, in nats.
template <class F, class T>
double finish(const Frame<F, T>& frame, const SlabSums& sums, int k, const MixtureShape& shape, const Problem& problem,
              double* work) {
  const int d = frame.features();
  const double count = sums.tile.count[k];
  double* first = problem[shape.first] + std::int64_t(k) * d;
  double* second = F::shared ? nullptr : problem[shape.second] + k * F::second_size(d);
  std::copy_n(sums.tile.first + std::int64_t(k) * d, d, first);
  if constexpr (F::kind == Component::full)
    unpack_cells(sums.tile.second + k * cells_size(d), d, second);
  else if constexpr (!F::shared)
    std::copy_n(sums.tile.second + k * F::second_size(d), F::second_size(d), second);

  problem[shape.count][k] = count;
  double product = 0;
  if (frame.is_plain()) {
    if (count > 0) product = frame.plain_product(k, count, first, second);
    if constexpr (F::shared) F::unwhiten(frame.root_of(k), d, first);
    return product / logit_scale(F::kind);
  }
  product = -F::shortfall(frame.root_of(k), frame.centre_of(k), count, first, second, d, work);
  if (count > 0) product += frame.offset[k] * count;  // the offset is -infinity when the component is switched off
  F::to_origin(frame.root_of(k), frame.centre_of(k), count, first, second, d);
  return product / logit_scale(F::kind);
}

/// Whether the next block of a slab is screened: when few components mattered to the points of the one before. A slab
/// begins with a short block to find out.
class Screening {
 public:
  Screening(Component family, int components, int features, int points)
      : possible_(family == Component::full && components >= kComponents && features >= kScreenedFeatures),
        components_(components),
        points_(points),
        next_(possible_ ? std::min(points, kProbe) : points) {}

  bool pays() const { return pays_; }
  int points() const { return next_; }
  void note(std::int64_t points, std::int64_t pairs) {
    pays_ = possible_ && double(pairs) < kSparse * double(points) * components_;
    next_ = points_;
  }

 private:
  static constexpr int kComponents = 8, kProbe = 192;
  static constexpr double kSparse = 0.25;
  bool possible_, pays_ = false;
  int components_, points_, next_;
};

template <class F, class T>
SweepShares sweep(const MixtureSweep& op, const Problem& problem, ThreadPool& pool) {
  const MixtureShape& shape = op.shape;
  const Rows& rows = problem.rows[shape.source];
  const int k = shape.components, d = shape.features;
  const int points = RowBlock<T>::points(k, d);
  const std::int64_t size = SlabSums::size(F::kind, k, d);
  const Slabs slabs = cut_slabs(rows.count, points, size * sizeof(double));

  const auto lay_out = [&](Arena& arena) {
    return std::tuple(Frame<F, T>(arena, k, d), arena.take<double>(size * slabs.count), arena.take<double>(k));
  };
  Arena measure;
  lay_out(measure);
  Arena arena(pool.scratch(pool.worker(), measure.used(), 0));
  auto [frame, parts, products] = lay_out(arena);
  frame.set(op, problem, pool);

  const double* weight = shape.weight == kNoBuffer ? nullptr : problem[shape.weight];
  std::atomic<std::int64_t> matter = 0;
  const auto sweep_slab = [&, frame = &frame, parts = parts](std::int64_t s, int worker) {
    std::fill_n(parts + s * size, size, 0.0);
    const SlabSums sums(parts + s * size, F::kind, k, d);
    RowBlock<T> block(pool, worker, rows, k);
    Screening screening(F::kind, k, d, points);
    for (std::int64_t first = slabs.begin(s), count; first < slabs.end(s); first += count) {
      count = std::min<std::int64_t>(screening.points(), slabs.end(s) - first);
      const auto& b = block.load(first, count, weight);
      *sums.scalar += (screening.pays() ? tiles<T>().respond_screened : tiles<T>().respond)(frame->parameters(), b);
      const std::int64_t pairs = tiles<T>().accumulate(frame->parameters(), b, sums.tile);
      screening.note(count, pairs);
      matter += pairs;
    }
  };
  pool.run(slabs.count, std::cref(sweep_slab));
  tree_sum(parts, slabs.count, size, size, pool);

  const SlabSums sums(parts, F::kind, k, d);
  const auto work = [&](int worker) { return static_cast<double*>(pool.scratch(worker, sizeof(double) * d, 1)); };
  for_components(pool, k, F::root_size(d) * d, [&, frame = &frame, products = products](int j, int worker) {
    products[j] = finish(*frame, sums, j, shape, problem, work(worker));
  });
  double entropy = *sums.scalar;
  if constexpr (F::shared)
    entropy += F::product(frame.root, problem[shape.second], d, work(pool.worker())) / logit_scale(F::kind);
  for (int j = 0; j < k; ++j) entropy -= products[j];
  *problem[shape.entropy] = entropy;
  const bool counted = rows.count > 0 && (F::kind != Component::full || d > kCell);
  return {counted ? 1 - double(matter) / (double(rows.count) * k) : std::numeric_limits<double>::quiet_NaN(),
          frame.near()};
}

template <class F>
void responsibilities(const MixtureSweep& op, const Problem& problem, double* r, ThreadPool& pool) {
  const Rows& rows = problem.rows[op.shape.source];
  const int k = op.shape.components, d = op.shape.features;
  Arena measure;
  Frame<F, double>(measure, k, d);
  Arena arena(pool.scratch(pool.worker(), measure.used(), 0));
  Frame<F, double> frame(arena, k, d);
  frame.set(op, problem, pool);
  const int points = RowBlock<double>::points(k, d);
  pool.run((rows.count + points - 1) / points, [&](std::int64_t n, int worker) {
    RowBlock<double> block(pool, worker, rows, k);
    const std::int64_t first = n * points, count = std::min<std::int64_t>(points, rows.count - first);
    const auto& b = block.load(first, count, nullptr);
    tiles<double>().respond(frame.parameters(), b);
    for (std::int64_t i = 0; i < count; ++i)
      for (int j = 0; j < k; ++j) {
        const double value = b.r[j * b.stride + i];
        r[(first + i) * k + j] = F::kind == Component::full ? value * value : value;
      }
  });
}

}  // namespace

SweepShares mixture_sweep(const MixtureSweep& op, const Problem& problem, ThreadPool& pool) {
  return components::with_family(op.shape.component, [&]<class F>(F) {
    return (op.shape.precision == Scalar::float32 ? sweep<F, float> : sweep<F, double>)(op, problem, pool);
  });
}

void mixture_responsibilities(const MixtureSweep& op, const Problem& problem, double* r, ThreadPool& pool) {
  components::with_family(op.shape.component, [&]<class F>(F) { responsibilities<F>(op, problem, r, pool); });
}

}  // namespace cavi::kernels::cpu
