// SPDX-License-Identifier: Apache-2.0
// One component in one dimension is exact Bayesian inference: its bound is the evidence of a Normal-Gamma model.
#include <cavi/cavi.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numbers>
#include <vector>

// ln p(x) for lambda ~ Gamma(1/2, 1/2), mu | lambda ~ N(0, 1 / lambda); Murphy, Conjugate Bayesian analysis (2007),
// eq. 95.
double log_evidence(const std::vector<double>& x) {
  const double n = double(x.size());
  double sum = 0, squares = 0;
  for (double value : x) sum += value, squares += value * value;
  const double shape = 0.5 + n / 2, rate = 0.5 + (squares - sum * sum / (n + 1)) / 2;
  return std::lgamma(shape) - std::lgamma(0.5) + 0.5 * std::log(0.5) - shape * std::log(rate) - std::log(n + 1) / 2 -
         n / 2 * std::log(2 * std::numbers::pi);
}

int main() {
  const std::vector<double> x{-1.5, 0.25, 0.75, 2.5, 4};
  cavi::MixtureOptions options;
  options.weight_concentration_prior_type = cavi::WeightPrior::dirichlet;
  options.mean_prior = std::vector<double>{0};
  options.covariance_prior = std::vector<double>{1};
  options.precision = cavi::Scalar::float64;
  cavi::Mixture mixture(options, cavi::Device::cpu(1));
  const cavi::Summary summary = mixture.fit(cavi::Matrix::view(x.data(), std::int64_t(x.size()), 1));
  std::printf("bound %.12f, evidence %.12f\n", summary.elbo, log_evidence(x));
  return std::abs(summary.elbo - log_evidence(x)) < 1e-10 ? 0 : 1;
}
