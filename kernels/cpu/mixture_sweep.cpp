// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_frame.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/components/families.hpp"

#include <algorithm>
#include <cstdint>

namespace cavi::kernels::cpu {
namespace {

// Memory of one worker for one block of points.
template <class T>
struct Workspace {
  double* raw;
  T *x, *z, *rz, *r, *lse;
  Workspace(Arena& arena, const Rows& rows, int components, int features) {
    raw = arena.take<double>(raw_size(rows, kBlock));
    x = arena.take<T>(std::int64_t(features) * kBlock);
    z = arena.take<T>(std::int64_t(features) * kBlock);
    rz = arena.take<T>(std::int64_t(features) * kBlock);
    r = arena.take<T>(std::int64_t(components) * kBlock);
    lse = arena.take<T>(kBlock);
  }
  static Workspace of_worker(ThreadPool& pool, int worker, const Rows& rows, int components, int features) {
    Arena size;
    Workspace(size, rows, components, features);
    Arena arena(pool.scratch(worker, size.used(), 1));
    return Workspace(arena, rows, components, features);
  }
  // Reads a block; points beyond `count` repeat nothing and are zero.
  void load(const Rows& rows, std::int64_t first, std::int64_t count) {
    load_features(rows, first, count, raw, x, kBlock);
    for (int d = 0; d < rows.source->cols(); ++d) std::fill(x + d * kBlock + count, x + (d + 1) * kBlock, T(0));
  }
};

// Sums of one slab: about the means, then about the origin.
template <class F>
struct Sums {
  double *count, *first, *second, *lse;
  Sums(double* at, int k, int d) : count(at), first(at + k), second(first + std::int64_t(k) * d) {
    lse = second + k * F::second_size(d);
  }
  static std::int64_t size(int k, int d) { return k + std::int64_t(k) * d + k * F::second_size(d) + 1; }
};

template <class F, class T>
void sweep_slab(const Frame<F, T>& frame, const Rows& rows, const double* weight, std::int64_t begin, std::int64_t end,
                Workspace<T> work, Sums<F> sums) {
  for (std::int64_t first = begin; first < end; first += kBlock) {
    const std::int64_t count = std::min<std::int64_t>(kBlock, end - first);
    work.load(rows, first, count);
    score(frame, work.x, work.z, work.rz, work.r);
    assign(frame.components, work.r, work.lse);
    T w[kBlock] = {};
    for (int i = 0; i < count; ++i) {
      w[i] = weight ? T(weight[first + i]) : T(1);
      *sums.lse += (weight ? weight[first + i] : 1.0) * double(work.lse[i]);
    }
    for (int k = 0; k < frame.components; ++k)
      for (int i = 0; i < kBlock; ++i) work.r[k * kBlock + i] *= w[i];
    accumulate(frame, work.x, work.r, work.z, work.rz, sums.count, sums.first, sums.second);
  }
}

// Moves the moments to the origin, and takes <statistics, parameters> from the sum of lse on the way.
template <class F, class T>
void finish(const Frame<F, T>& frame, const MixtureShape& shape, const Problem& problem, Sums<F> sums) {
  const int d = frame.features;
  double entropy = *sums.lse;
  if constexpr (F::shared_root) entropy += F::product(frame.precision, problem[shape.second], d) / 2;
  for (int k = 0; k < frame.components; ++k) {
    const double n = sums.count[k];
    double* first = sums.first + std::int64_t(k) * d;
    double* second = sums.second + k * F::second_size(d);
    const double* mean = frame.mean + std::int64_t(k) * d;
    if (n > 0) entropy -= frame.offset[k] * n;  // a component that is switched off has offset -infinity
    if constexpr (F::shared_root) {
      entropy -= F::moved(frame.root, n, first, mean, d) / 2;
    } else {
      entropy += F::product(frame.precision_of(k), second, d) / 2;
      F::to_origin(n, first, mean, d, second);
    }
    for (int i = 0; i < d; ++i) problem[shape.first][std::int64_t(k) * d + i] = first[i] + n * mean[i];
    problem[shape.count][k] = n;
  }
  if constexpr (!F::shared_root)
    std::copy_n(sums.second, quadratic_size(F::kind, frame.components, d), problem[shape.second]);
  *problem[shape.entropy] = entropy;
}

template <class F, class T>
void sweep(const MixtureSweep& op, const Problem& problem, ThreadPool& pool) {
  const MixtureShape& shape = op.shape;
  const Rows& rows = problem.rows[shape.source];
  const int k = shape.components, d = shape.features;
  const std::int64_t size = Sums<F>::size(k, d), stride = (size + 7) / 8 * 8;
  const Slabs slabs = cut_slabs(rows.count, kBlock, stride * sizeof(double));

  Arena measure;
  Frame<F, T>(measure, k, d);
  measure.take<double>(stride * slabs.count);
  Arena arena(pool.scratch(pool.worker(), measure.used(), 0));
  Frame<F, T> frame(arena, k, d);
  double* parts = arena.take<double>(stride * slabs.count);

  frame.set(op, problem, pool);
  const double* weight = shape.weight == kNoBuffer ? nullptr : problem[shape.weight];
  pool.run(slabs.count, [&](std::int64_t s, int worker) {
    std::fill_n(parts + s * stride, size, 0.0);
    sweep_slab(frame, rows, weight, slabs.begin(s), slabs.end(s), Workspace<T>::of_worker(pool, worker, rows, k, d),
               Sums<F>(parts + s * stride, k, d));
  });
  tree_sum(parts, slabs.count, size, stride, pool);
  finish(frame, shape, problem, Sums<F>(parts, k, d));
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
  pool.run((rows.count + kBlock - 1) / kBlock, [&](std::int64_t block, int worker) {
    auto work = Workspace<double>::of_worker(pool, worker, rows, k, d);
    const std::int64_t first = block * kBlock, count = std::min<std::int64_t>(kBlock, rows.count - first);
    work.load(rows, first, count);
    score(frame, work.x, work.z, work.rz, work.r);
    assign(k, work.r, work.lse);
    for (std::int64_t i = 0; i < count; ++i)
      for (int j = 0; j < k; ++j) r[(first + i) * k + j] = work.r[j * kBlock + i];
  });
}

}  // namespace

void mixture_sweep(const MixtureSweep& op, const Problem& problem, ThreadPool& pool) {
  components::with_family(op.shape.component, [&]<class F>(F) {
    op.shape.precision == Scalar::float32 ? sweep<F, float>(op, problem, pool) : sweep<F, double>(op, problem, pool);
  });
}

void mixture_responsibilities(const MixtureSweep& op, const Problem& problem, double* r, ThreadPool& pool) {
  components::with_family(op.shape.component, [&]<class F>(F) { responsibilities<F>(op, problem, r, pool); });
}

}  // namespace cavi::kernels::cpu
