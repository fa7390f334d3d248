// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of a sweep as its arithmetic sees them: a family's root, centre and offset, found in float64, then
/// rounded. The rounded ones are the parameters of the sweep, and what is done in float64 afterwards uses them.
#pragma once

#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/failures.hpp"
#include "kernels/ops.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>

namespace cavi::kernels::cpu {

/// Calls f(k, worker) for every component, several to a task where one is little work.
template <class Function>
void for_components(ThreadPool& pool, int components, std::int64_t work_each, Function f) {
  const std::int64_t several = 1 + 100'000 / (1 + work_each);
  const auto task = [&](std::int64_t t, int worker) {
    for (std::int64_t k = t * several; k < std::min<std::int64_t>(components, (t + 1) * several); ++k)
      f(int(k), worker);
  };
  pool.run((components + several - 1) / several, std::cref(task));  // by reference: a sweep allocates nothing
}

template <class F, class T>
class Frame {
 public:
  double *root, *centre, *offset;  ///< in the units of the tiles; representable in T, but for the tied root

  Frame(Arena& arena, int components, int features) : components_(components), features_(features) {
    root = arena.take<double>(roots());
    centre = arena.take<double>(std::int64_t(components) * features);
    offset = arena.take<double>(components);
    root_t_ = arena.take<T>(F::shared ? 0 : roots());
    whitener_ = arena.take<double>(F::shared ? roots() : 0);
    centre_t_ = arena.take<T>(std::int64_t(components) * features);
    offset_t_ = arena.take<T>(components);
  }

  int components() const { return components_; }
  int features() const { return features_; }
  double* root_of(int k) const { return F::shared ? root : root + k * F::root_size(features_); }
  double* centre_of(int k) const { return centre + std::int64_t(k) * features_; }
  TileParameters<T> parameters() const {
    return {F::kind, components_, features_, root_t_, whitener_, centre_t_, offset_t_};
  }

  /// Throws NumericalError naming the component whose quadratic is not negative definite.
  void set(const MixtureSweep& op, const Problem& problem, ThreadPool& pool) {
    const double *quadratic = problem[op.quadratic], *linear = problem[op.linear], *constant = problem[op.constant];
    const std::int64_t size = F::root_size(features_);
    if (F::shared) set_root(quadratic, 0);
    for_components(pool, components_, size * features_, [&](int k, int) {
      if (!F::shared) set_root(quadratic + k * size, k);
      offset[k] =
          F::locate(root_of(k), linear + std::int64_t(k) * features_, constant[k], kScale, features_, centre_of(k));
      if (std::isnan(offset[k]) || offset[k] == std::numeric_limits<double>::infinity())
        throw sweep_failure(SweepFailure::logit_not_finite, k);
      round(offset + k, offset_t_ + k, 1);
      round(centre_of(k), centre_t_ + std::int64_t(k) * features_, features_);
      if (!F::shared) round_root(k);
    });
    if (F::shared) round_root(0);
    if (std::all_of(offset, offset + components_, [](double o) { return std::isinf(o); }))
      throw sweep_failure(SweepFailure::all_off, 0);
  }

  /// Moments about the origin of the rows, in their own units.
  void set_plain() {
    if (F::kind == Component::diag) {
      std::fill_n(root, roots(), 1.0);
      std::fill_n(root_t_, roots(), T(1));
    }
    std::fill_n(centre, std::int64_t(components_) * features_, 0.0);
    std::fill_n(centre_t_, std::int64_t(components_) * features_, T(0));
  }

 private:
  static constexpr double kScale = logit_scale(F::kind);

  std::int64_t roots() const { return F::root_size(features_) * (F::shared ? 1 : components_); }

  static void round(double* values, T* rounded, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) values[i] = rounded[i] = T(values[i]);
  }

  void set_root(const double* quadratic, int k) {
    if (F::factor(quadratic, kScale, features_, root_of(k))) return;
    throw sweep_failure(SweepFailure::not_definite, k);
  }

  // The tied root whitens in float64 and needs no rounding.
  void round_root(int k) {
    const int d = features_;
    const std::int64_t size = F::root_size(d);
    if constexpr (F::shared) {
      tiles<double>().pack_root(root, d, whitener_);
    } else if constexpr (F::kind == Component::full) {
      std::transform(root_of(k), root_of(k) + size, root_of(k), [](double v) { return double(T(v)); });
      tiles<T>().pack_root(root_of(k), d, root_t_ + k * (std::int64_t(d) * (d + 1) / 2));
    } else {
      round(root_of(k), root_t_ + k * size, size);
    }
  }

  int components_, features_;
  T *root_t_, *centre_t_, *offset_t_;
  double* whitener_;
};

/// Sums of one slab, one array after the other.
struct SlabSums {
  TileSums tile;
  double* scalar;  ///< sum of lse, or entropy

  static std::int64_t second_size(Component family, int k, int d) {
    return family == Component::full ? k * cells_size(d) : family == Component::tied ? 0 : quadratic_size(family, k, d);
  }
  /// A multiple of the cache line.
  static std::int64_t size(Component family, int k, int d) {
    return (k + std::int64_t(k) * d + second_size(family, k, d) + 1 + 7) / 8 * 8;
  }
  SlabSums(double* at, Component family, int k, int d)
      : tile{at, at + k, at + k + std::int64_t(k) * d}, scalar(tile.second + second_size(family, k, d)) {}
};

}  // namespace cavi::kernels::cpu
