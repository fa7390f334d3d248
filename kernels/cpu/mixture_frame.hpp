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
  double *root, *centre, *offset;  ///< in the units of the tiles; representable in T, but for tied root and linear

  Frame(Arena& arena, int components, int features) : components_(components), features_(features) {
    root = arena.take<double>(roots());
    centre = arena.take<double>(std::int64_t(components) * features);
    offset = arena.take<double>(components);
    root_t_ = arena.take<T>(F::shared ? 0 : roots());
    whitener_ = arena.take<double>(F::shared ? roots() : 0);
    centre_t_ = arena.take<T>(kExact ? 0 : std::int64_t(components) * features);
    offset_t_ = arena.take<T>(kExact ? 0 : components);
    coefficient_ = arena.take<T>(kLinear ? plain_numbers(F::kind, features) * std::int64_t(components) : 0);
  }

  int components() const { return components_; }
  int features() const { return features_; }
  double* root_of(int k) const { return F::shared ? root : root + k * F::root_size(features_); }
  double* centre_of(int k) const { return centre + std::int64_t(k) * features_; }
  TileParameters<T> parameters() const {
    return {F::kind,
            components_,
            features_,
            root_t_,
            whitener_,
            centre_t_,
            offset_t_,
            centre,
            offset,
            is_plain_,
            kLinear && is_plain_ ? coefficient_ : nullptr};
  }
  bool is_plain() const { return is_plain_; }
  /// The share of components that take the short way: all or none, NaN where there is none.
  double near() const { return kMayBePlain ? is_plain_ : std::numeric_limits<double>::quiet_NaN(); }
  /// What rows with these sums of t(x) add to the logits of component k; tied: but for |x|^2.
  double plain_product(int k, double count, const double* first, const double* second) const {
    double sum = offset[k] * count;
    if constexpr (F::kind == Component::diag) {
      const double *s = root_of(k), *c = centre_of(k);
      for (int i = 0; i < features_; ++i) sum -= s[i] * (s[i] * second[i] + 2 * c[i] * first[i]) + c[i] * c[i] * count;
    } else {
      const T* c = coefficient_of(k);
      for (int i = 0; i < features_; ++i) sum += double(c[i]) * first[i];
      if constexpr (!F::shared) sum += double(c[features_]) * *second;
    }
    return sum;
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
      if (kExact) return;
      round(offset + k, offset_t_ + k, 1);
      round(centre_of(k), centre_t_ + std::int64_t(k) * features_, features_);
      if (!F::shared) round_root(k);
    });
    if (F::shared) round_root(0);
    is_plain_ = kMayBePlain && near_origin();
    if constexpr (kLinear)
      if (is_plain_) expand();
    if (std::all_of(offset, offset + components_, [](double o) { return std::isinf(o); }))
      throw sweep_failure(SweepFailure::all_off, 0);
  }

  /// Moments about the origin of the rows, in their own units.
  void set_plain() {
    if (F::kind == Component::diag) {
      std::fill_n(root, roots(), 1.0);
      std::fill_n(root_t_, roots(), T(1));
    }
    if (kExact) return;
    std::fill_n(centre, std::int64_t(components_) * features_, 0.0);
    std::fill_n(centre_t_, std::int64_t(components_) * features_, T(0));
  }

 private:
  static constexpr double kScale = logit_scale(F::kind);
  static constexpr bool kExact = F::kind == Component::linear;
  static constexpr bool kMayBePlain = F::kind != Component::full && !kExact;
  static constexpr bool kLinear = kMayBePlain && F::kind != Component::diag;  // plain logits are linear in t(x)

  std::int64_t roots() const { return F::root_size(features_) * (F::shared ? 1 : components_); }

  static void round(double* values, T* rounded, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) values[i] = rounded[i] = T(values[i]);
  }

  T* coefficient_of(int k) const { return coefficient_ + std::int64_t(k) * plain_numbers(F::kind, features_); }

  /// Whether products of the rows as they are will be exact enough: where logits are such products, all means within 16
  /// standard deviations of the origin, so that a logit loses some 16^2 roundings to float32; where second moments are,
  /// within 4 along a feature, so that a variance loses some 4^2.
  bool near_origin() const {
    constexpr double kSquare = kScale / 2, kFar = 256 * kSquare, kFarAlone = 16 * kSquare;
    for (int k = 0; k < components_; ++k) {
      const double* c = centre_of(k);
      double square = 0, largest = 0;
      for (int i = 0; i < features_; ++i) {
        square += c[i] * c[i];
        largest = std::max(largest, c[i] * c[i]);
      }
      if (F::kind == Component::spherical) {
        square *= *root_of(k);
        largest = square / features_;
      }
      if ((kLinear && !(square <= kFar)) || (!F::shared && !(largest <= kFarAlone))) return false;
    }
    return true;
  }

  /// Coefficients are rounded, and are the parameters of the sweep from here on.
  void expand() {
    for (int k = 0; k < components_; ++k) {
      const double *c = centre_of(k), s = F::shared ? 1 : *root_of(k);
      T* out = coefficient_of(k);
      double square = 0;
      for (int i = 0; i < features_; ++i) {
        out[i] = T(2 * s * c[i]);
        square += c[i] * c[i];
      }
      out[features_] = T(-s);
      offset[k] -= s * square;
      round(offset + k, offset_t_ + k, 1);
    }
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
  T *root_t_, *centre_t_, *offset_t_, *coefficient_;
  bool is_plain_ = false;
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
