// SPDX-License-Identifier: Apache-2.0
#include "src/mixture_scores.hpp"

#include "kernels/math/special.hpp"
#include "src/covariance_type.hpp"
#include "src/family.hpp"
#include "src/linear_algebra.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <span>

namespace cavi {
namespace {

using kernels::Component;
using kernels::MixtureScores;
using kernels::math::digamma;
using kernels::math::kLogPi;
using kernels::math::lgamma_rise;
using kernels::math::multivariate_digamma;

Component component_of(CovarianceType type) {
  switch (type) {
    case CovarianceType::full: return Component::full;
    case CovarianceType::tied: return Component::tied;
    case CovarianceType::diag: return Component::diag;
    case CovarianceType::spherical: return Component::spherical;
  }
  return Component::full;
}

/// E[pi] over their sum.
std::vector<double> predictive_weights(const MixturePosterior& p) {
  const double sum = std::accumulate(p.weights.begin(), p.weights.end(), 0.0);
  std::vector<double> w = p.weights;
  for (double& v : w) v /= sum;
  return w;
}

/// E ln pi_k.
std::vector<double> expected_log_weights(const MixturePosterior& p) {
  const std::vector<double>& a = p.weight_concentration;
  std::vector<double> out;
  if (p.weight_prior == WeightPrior::dirichlet) {
    const double sum = digamma(std::accumulate(a.begin(), a.end(), 0.0));
    for (double alpha : a) out.push_back(digamma(alpha) - sum);
    return out;
  }
  double left = 0;  // E ln of what earlier sticks leave
  for (std::size_t k = 0; 2 * k < a.size(); ++k) {
    const double sum = digamma(a[2 * k] + a[2 * k + 1]);
    out.push_back(left + digamma(a[2 * k]) - sum);
    left += digamma(a[2 * k + 1]) - sum;
  }
  return out;
}

/// ln|S| of a component, of all its features together.
double log_determinant(const MixturePosterior& p, std::span<const double> scale) {
  double sum = 0;
  for (double v : scale) sum += std::log(v);
  return p.covariance_type == CovarianceType::spherical ? sum * p.n_features : sum;
}

/// Fills everything but constant, exponent and factor; `log_det` gets ln|S| of every component. For a Gaussian q is
/// half of nu z' S^-1 z, for a Student-t z' S^-1 z.
MixtureScores scores_of(const MixturePosterior& p, bool gaussian, std::vector<double>& log_det) {
  const std::size_t k = std::size_t(p.n_components), d = std::size_t(p.n_features);
  MixtureScores s;
  s.component = component_of(p.covariance_type);
  s.components = p.n_components;
  s.features = p.n_features;

  const std::vector<double> weight = predictive_weights(p);
  s.origin.assign(d, 0);
  for (std::size_t i = 0; i < k * d; ++i) s.origin[i % d] += weight[i / d] * p.means[i];
  s.mean = p.means;
  for (std::size_t i = 0; i < k * d; ++i) s.mean[i] -= s.origin[i % d];

  const std::size_t blocks = p.degrees_of_freedom.size(), size = p.inverse_scale.size() / blocks;
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::span<const double> scale = std::span(p.inverse_scale).subspan(b * size, size);
    const double factor = gaussian ? p.degrees_of_freedom[b] / 2 : 1;
    if (is_matrix(p.covariance_type)) {
      const Whitener w = whitener(scale, p.n_features, "inverse_scale");
      for (double r : w.root) s.root.push_back(std::sqrt(factor) * r);
      log_det.push_back(w.log_determinant);
    } else {
      for (double v : scale)
        s.root.push_back(p.covariance_type == CovarianceType::diag ? std::sqrt(factor / v) : factor / v);
      log_det.push_back(log_determinant(p, scale));
    }
  }
  log_det.resize(k, log_det[0]);  // tied: the same for all
  return s;
}

double degrees_of_freedom(const MixturePosterior& p, std::size_t k) {
  return p.degrees_of_freedom[p.covariance_type == CovarianceType::tied ? 0 : k];
}

MixtureScores independent_scores(const MixturePosterior& p) {
  MixtureScores s;
  s.family = p.family;
  s.component = Component::linear;
  s.components = p.n_components;
  s.features = p.n_features;
  s.origin.assign(std::size_t(p.n_features), 0);
  return s;
}

/// E ln pi_k + sum_d E ln p(x_d; theta_kd), but for what is the same for all components.
MixtureScores linear_scores(const MixturePosterior& p) {
  MixtureScores s = independent_scores(p);
  s.constant = expected_log_weights(p);
  const std::size_t features = std::size_t(p.n_features);
  const IndependentFamily& family = family_of(p.family);
  for (std::size_t i = 0; i < p.means.size(); ++i) {
    const auto e = family.expected_log(p.component_parameters[2 * i], p.component_parameters[2 * i + 1]);
    s.mean.push_back(e.coefficient);
    s.constant[i / features] += e.constant;
  }
  return s;
}

}  // namespace

MixtureScores responsibility_scores(const MixturePosterior& p) {
  if (p.family != ComponentFamily::gaussian) return linear_scores(p);
  const int d = p.n_features;
  const bool matrix = is_matrix(p.covariance_type);
  std::vector<double> log_det;
  MixtureScores s = scores_of(p, true, log_det);
  s.constant = expected_log_weights(p);
  for (std::size_t k = 0; k < s.constant.size(); ++k) {
    const double half = degrees_of_freedom(p, k) / 2;
    const double psi = matrix ? multivariate_digamma(half, d) : d * digamma(half);
    s.constant[k] += 0.5 * (psi - d * kLogPi - log_det[k] - d / p.mean_precision[k]);
  }
  return s;
}

MixtureScores predictive_scores(const MixturePosterior& p) {
  if (p.family != ComponentFamily::gaussian) {
    MixtureScores s = independent_scores(p);
    s.ab = p.component_parameters;
    for (double w : predictive_weights(p)) s.constant.push_back(std::log(w));
    return s;
  }
  const int d = p.n_features;
  std::vector<double> log_det;
  MixtureScores s = scores_of(p, false, log_det);
  const std::vector<double> weight = predictive_weights(p);
  for (std::size_t k = 0; k < weight.size(); ++k) {
    const double nu = degrees_of_freedom(p, k), c = p.mean_precision[k] / (1 + p.mean_precision[k]);
    const double dimension = p.covariance_type == CovarianceType::diag ? 1 : d;  // of one Student-t
    const double t = is_matrix(p.covariance_type) ? nu + 1 - d : nu;             // its degrees of freedom
    s.constant.push_back(std::log(weight[k]) + d / dimension * lgamma_rise(t / 2, dimension / 2) +
                         0.5 * (d * (std::log(c) - kLogPi) - log_det[k]));
    s.exponent.push_back((t + dimension) / 2);
    s.factor.push_back(c);
  }
  return s;
}

kernels::MixtureDraws predictive_draws(const MixturePosterior& p) {
  kernels::MixtureDraws m;
  m.family = p.family;
  m.components = p.n_components;
  m.features = p.n_features;
  m.cumulative = predictive_weights(p);
  std::partial_sum(m.cumulative.begin(), m.cumulative.end(), m.cumulative.begin());
  if (p.family != ComponentFamily::gaussian) {
    m.component = Component::linear;
    m.ab = p.component_parameters;
    return m;
  }
  const bool matrix = is_matrix(p.covariance_type);
  m.component = component_of(p.covariance_type);
  m.mean = p.means;
  for (std::size_t k = 0; k < std::size_t(p.n_components); ++k) {
    const double beta = p.mean_precision[k], nu = degrees_of_freedom(p, k);
    m.stretch.push_back(std::sqrt((1 + beta) / beta));
    m.degrees_of_freedom.push_back(matrix ? nu + 1 - p.n_features : nu);
  }
  const std::size_t size = p.inverse_scale.size() / p.degrees_of_freedom.size();
  for (std::size_t first = 0; first < p.inverse_scale.size(); first += size) {
    const std::span<const double> scale = std::span(p.inverse_scale).subspan(first, size);
    if (matrix) {
      const std::vector<double> lower = cholesky(scale, p.n_features, "inverse_scale");
      m.root.insert(m.root.end(), lower.begin(), lower.end());
    } else {
      std::transform(scale.begin(), scale.end(), std::back_inserter(m.root), [](double s) { return std::sqrt(s); });
    }
  }
  return m;
}

}  // namespace cavi
