// SPDX-License-Identifier: Apache-2.0
#include "src/sampler.hpp"

#include "kernels/math/distributions.hpp"
#include "src/covariance_type.hpp"
#include "src/family.hpp"
#include "src/linear_algebra.hpp"
#include "src/mixture_scores.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <span>

namespace cavi {

using kernels::math::RowNumbers;

namespace {

/// 1 / sqrt(g) for g chi-squared.
double inverse_root_of_chi_squared(double degrees_of_freedom, RowNumbers& numbers) {
  constexpr double kLog2 = 0.6931471805599453094;
  return std::exp(-0.5 * (kLog2 + numbers.log_gamma_variate(degrees_of_freedom / 2)));
}

}  // namespace

Sampler::Sampler(const MixturePosterior& p) : posterior_(p), cumulative_(predictive_weights(p)) {
  std::partial_sum(cumulative_.begin(), cumulative_.end(), cumulative_.begin());
  if (p.family != ComponentFamily::gaussian) return;
  const std::size_t size = p.inverse_scale.size() / p.degrees_of_freedom.size();
  for (std::size_t first = 0; first < p.inverse_scale.size(); first += size) {
    const std::span<const double> scale = std::span(p.inverse_scale).subspan(first, size);
    if (is_matrix(p.covariance_type)) {
      const std::vector<double> lower = cholesky(scale, p.n_features, "inverse_scale");
      root_.insert(root_.end(), lower.begin(), lower.end());
    } else {
      std::transform(scale.begin(), scale.end(), std::back_inserter(root_), [](double s) { return std::sqrt(s); });
    }
  }
}

std::int32_t Sampler::draw(std::uint64_t seed, std::uint64_t row, double* out) const {
  const MixturePosterior& p = posterior_;
  const std::size_t d = std::size_t(p.n_features), last = cumulative_.size() - 1;
  const bool tied = p.covariance_type == CovarianceType::tied;
  RowNumbers numbers(seed, kernels::random::Stream::sampling, row);
  const double u = numbers.uniform() * cumulative_.back();
  const std::size_t k =
      std::min(last, std::size_t(std::upper_bound(cumulative_.begin(), cumulative_.end(), u) - cumulative_.begin()));
  if (p.family != ComponentFamily::gaussian) {
    const double* ab = &p.component_parameters[2 * k * d];
    const auto draw = family_of(p.family).draw;
    for (std::size_t i = 0; i < d; ++i) out[i] = draw(ab[2 * i], ab[2 * i + 1], numbers);
    return std::int32_t(k);
  }
  const double beta = p.mean_precision[k], nu = p.degrees_of_freedom[tied ? 0 : k];
  const double stretch = std::sqrt((1 + beta) / beta);
  for (std::size_t i = 0; i < d; ++i) out[i] = numbers.normal();
  switch (p.covariance_type) {
    case CovarianceType::full:
    case CovarianceType::tied: {
      const double scale = stretch * inverse_root_of_chi_squared(nu + 1 - double(d), numbers);
      const double* lower = &root_[tied ? 0 : k * d * d];
      for (std::size_t i = d; i-- > 0;)  // from below: y_j is still needed for i > j
        out[i] = scale * std::inner_product(lower + i * d, lower + i * d + i + 1, out, 0.0);
      break;
    }
    case CovarianceType::diag:
      for (std::size_t i = 0; i < d; ++i)
        out[i] *= stretch * root_[k * d + i] * inverse_root_of_chi_squared(nu, numbers);
      break;
    case CovarianceType::spherical: {
      const double scale = stretch * root_[k] * inverse_root_of_chi_squared(nu, numbers);
      for (std::size_t i = 0; i < d; ++i) out[i] *= scale;
      break;
    }
  }
  for (std::size_t i = 0; i < d; ++i) out[i] += p.means[k * d + i];
  return std::int32_t(k);
}

}  // namespace cavi
