// SPDX-License-Identifier: Apache-2.0
/// \file
/// One row drawn from a mixture, the same steps on host and device; formulas in mixture_draws.hpp.
#pragma once

#include "kernels/math/components/independent_family.hpp"
#include "kernels/math/distributions.hpp"
#include "kernels/mixture_draws.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace cavi::kernels::math::inline CAVI_COMPILER {

/// The first component whose cumulative weight is above a uniform share of all; the last if rounding leaves none.
CAVI_HOST_DEVICE inline int draw_component(const DrawnMixture& m, RowNumbers& numbers) {
  int low = 0, high = m.components - 1;
  const double u = numbers.uniform() * m.cumulative[high];
  while (low < high) {
    const int middle = (low + high) / 2;
    if (m.cumulative[middle] > u)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/// 1 / sqrt(g) for g chi-squared.
CAVI_HOST_DEVICE inline double inverse_root_of_chi_squared(double degrees_of_freedom, RowNumbers& numbers) {
  return std::exp(-0.5 * (kLog2 + numbers.log_gamma_variate(degrees_of_freedom / 2)));
}

struct GaussianRow {
  CAVI_HOST_DEVICE static void draw(const DrawnMixture& m, int k, RowNumbers& numbers, double* out) {
    const int d = m.features;
    const double stretch = m.stretch[k], degrees_of_freedom = m.degrees_of_freedom[k];
    const double* mean = m.mean + std::size_t(k) * std::size_t(d);
    for (int i = 0; i < d; ++i) out[i] = numbers.normal();
    if (m.component == Component::diag) {
      const double* root = m.root + std::size_t(k) * std::size_t(d);
      for (int i = 0; i < d; ++i)
        out[i] = mean[i] + out[i] * (stretch * root[i] * inverse_root_of_chi_squared(degrees_of_freedom, numbers));
      return;
    }
    const bool spherical = m.component == Component::spherical;
    const double scale =
        (spherical ? stretch * m.root[k] : stretch) * inverse_root_of_chi_squared(degrees_of_freedom, numbers);
    if (spherical) {
      for (int i = 0; i < d; ++i) out[i] = mean[i] + out[i] * scale;
      return;
    }
    const double* lower =
        m.root + (m.component == Component::tied ? 0 : std::size_t(k) * std::size_t(d) * std::size_t(d));
    for (int i = d - 1; i >= 0; --i) {  // from below: y_j is still needed for i > j
      const double* row = lower + std::size_t(i) * std::size_t(d);
      double sum = 0;
      for (int j = 0; j <= i; ++j) sum += row[j] * out[j];
      out[i] = mean[i] + scale * sum;
    }
  }
};

template <class F>
struct IndependentRow {
  CAVI_HOST_DEVICE static void draw(const DrawnMixture& m, int k, RowNumbers& numbers, double* out) {
    const double* ab = m.ab + 2 * std::size_t(k) * std::size_t(m.features);
    for (int i = 0; i < m.features; ++i, ab += 2) out[i] = F::draw(F::Prior::draw(ab[0], ab[1], numbers), numbers);
  }
};

/// Fills out[D]; returns the component. Row: one of the two above.
template <class Row>
CAVI_HOST_DEVICE std::int32_t draw_row(const DrawnMixture& m, std::uint64_t seed, std::uint64_t row, double* out) {
  RowNumbers numbers(seed, random::Stream::sampling, row);
  const int k = draw_component(m, numbers);
  Row::draw(m, k, numbers, out);
  return k;
}

/// Calls visit(Row{}).
template <class Visit>
decltype(auto) with_row_of(ComponentFamily family, Visit&& visit) {
  if (family == ComponentFamily::gaussian) return visit(GaussianRow{});
  return components::with_independent_family(family, [&]<class F>(F) { return visit(IndependentRow<F>{}); });
}

}  // namespace cavi::kernels::math::inline CAVI_COMPILER
