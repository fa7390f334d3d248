// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of a sweep as its arithmetic sees them: whitened in float64, then rounded.
#pragma once

#include "kernels/cpu/rows.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/ops.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace cavi::kernels::cpu {

/// logit_nk = offset_k - |root_k (x_n - mean_k)|^2 / 2, every number representable in T.
template <class F, class T>
struct Frame {
  int components, features;
  double *root, *mean, *offset;  ///< rounded to T; root is shared when F::shared_root
  double* precision;             ///< root'root of the rounded root
  T *root_t, *mean_t, *offset_t;

  Frame(Arena& arena, int k, int d) : components(k), features(d) {
    const std::int64_t roots = F::root_size(d) * (F::shared_root ? 1 : k);
    root = arena.take<double>(roots);
    mean = arena.take<double>(std::int64_t(k) * d);
    offset = arena.take<double>(k);
    precision = arena.take<double>(roots);
    root_t = arena.take<T>(roots);
    mean_t = arena.take<T>(std::int64_t(k) * d);
    offset_t = arena.take<T>(k);
  }

  double* root_of(int k) const { return F::shared_root ? root : root + k * F::root_size(features); }
  double* precision_of(int k) const { return F::shared_root ? precision : precision + k * F::root_size(features); }
  const T* root_t_of(int k) const { return F::shared_root ? root_t : root_t + k * F::root_size(features); }

  void set(const MixtureSweep& op, const Problem& problem, ThreadPool& pool);

 private:
  static void round(double* values, T* rounded, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) values[i] = rounded[i] = T(values[i]);
  }
  void set_root(const double* quadratic, int k) {
    if (!F::factor(quadratic, features, root_of(k)))
      throw NumericalError("mixture sweep: the precision of component " + std::to_string(k) +
                           " is not positive definite; check the data for constant or linearly dependent columns, or "
                           "use a stronger covariance prior");
  }
  // The mean and the offset come from the exact root, then everything is rounded.
  void set_component(const double* linear, double constant, int k) {
    const int d = features;
    double* m = mean + std::int64_t(k) * d;
    offset[k] = F::locate(root_of(k), linear, constant, d, m);
    if (std::isnan(offset[k]) || offset[k] == std::numeric_limits<double>::infinity())
      throw NumericalError("mixture sweep: the logit of component " + std::to_string(k) + " is not a finite number");
    round(m, mean_t + std::int64_t(k) * d, d);
    round(offset + k, offset_t + k, 1);
  }
  void round_root(int k) {
    const std::int64_t size = F::root_size(features);
    round(root_of(k), root_t + (F::shared_root ? 0 : k * size), size);
    F::precision(root_of(k), features, precision_of(k));
  }
};

/// Throws NumericalError naming the component when its quadratic is not negative definite.
template <class F, class T>
void Frame<F, T>::set(const MixtureSweep& op, const Problem& problem, ThreadPool& pool) {
  const double *quadratic = problem[op.quadratic], *linear = problem[op.linear], *constant = problem[op.constant];
  if (F::shared_root) set_root(quadratic, 0);
  pool.run(components, [&](std::int64_t k, int) {
    if (!F::shared_root) set_root(quadratic + k * F::root_size(features), int(k));
    set_component(linear + k * features, constant[k], int(k));
    if (!F::shared_root) round_root(int(k));
  });
  if (F::shared_root) round_root(0);
  if (std::all_of(offset, offset + components, [](double o) { return o == -std::numeric_limits<double>::infinity(); }))
    throw NumericalError("mixture sweep: every component is switched off");
}

}  // namespace cavi::kernels::cpu
