// SPDX-License-Identifier: Apache-2.0
#include "src/concentration.hpp"
#include "src/covariance_type.hpp"

#include <cavi/mixture.hpp>

#include <fmt/format.h>
#include <cmath>

namespace cavi {

namespace {

constexpr double kMostRows = 1e15;  // to which float64 can add one

struct Complaints {
  std::vector<std::string> lines;
  template <class... Args>
  void unless(bool valid, fmt::format_string<Args...> text, Args&&... args) {
    if (!valid) lines.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
};

bool positive(double x) { return x > 0 && std::isfinite(x); }

std::size_t covariance_numbers(CovarianceType t, int d) {
  switch (t) {
    case CovarianceType::full:
    case CovarianceType::tied: return std::size_t(d) * std::size_t(d);
    case CovarianceType::diag: return std::size_t(d);
    case CovarianceType::spherical: return 1;
  }
  return 0;
}

}  // namespace

std::vector<std::string> MixtureOptions::problems(int n_features) const {
  Complaints c;
  const bool pitman_yor = weight_concentration_prior_type == WeightPrior::pitman_yor;
  c.unless(n_components >= 1, "n_components must be at least 1, not {}", n_components);
  if (weight_concentration_prior) {
    const double least = pitman_yor ? -discount : 0.0;
    c.unless(*weight_concentration_prior > least && std::isfinite(*weight_concentration_prior),
             "weight_concentration_prior must be greater than {}, not {}", least, *weight_concentration_prior);
    const double excess = *weight_concentration_prior - least;
    c.unless(!(excess > 0 && excess < kSmallestConcentration),
             "weight_concentration_prior must be at least {} above {}, not {}: a smaller one is lost in rounding",
             kSmallestConcentration, least, *weight_concentration_prior);
  }
  c.unless(discount >= 0 && discount < 1, "discount must be in [0, 1), not {}", discount);
  c.unless(discount == 0 || pitman_yor, "discount needs the pitman_yor weight prior");
  c.unless(positive(mean_precision_prior), "mean_precision_prior must be positive, not {}", mean_precision_prior);
  c.unless(reg_covar >= 0 && std::isfinite(reg_covar), "reg_covar must be 0 or more, not {}", reg_covar);
  if (component_prior) {
    c.unless(family != ComponentFamily::gaussian, "component_prior is not for the gaussian family");
    for (double v : *component_prior) c.unless(positive(v), "component_prior must be positive, not {}", v);
  }
  if (family != ComponentFamily::gaussian) {
    const MixtureOptions usual;
    const auto only_gaussian = [&](bool given, const char* name) {
      c.unless(!given, "{} is for the gaussian family alone", name);
    };
    only_gaussian(covariance_type != usual.covariance_type, "covariance_type");
    only_gaussian(mean_prior.has_value(), "mean_prior");
    only_gaussian(mean_precision_prior != usual.mean_precision_prior, "mean_precision_prior");
    only_gaussian(degrees_of_freedom_prior.has_value(), "degrees_of_freedom_prior");
    only_gaussian(covariance_prior.has_value(), "covariance_prior");
    only_gaussian(reg_covar != usual.reg_covar, "reg_covar");
  }
  c.unless(n_init >= 1, "n_init must be at least 1, not {}", n_init);
  c.unless(checkpoint.empty() || n_init <= 1, "n_init must be 1 for a fit with a checkpoint, not {}", n_init);
  c.unless(max_iter >= 0, "max_iter must be 0 or more, not {}", max_iter);
  c.unless(tol >= 0, "tol must be 0 or more, not {}", tol);
  c.unless(checkpoint_every >= 1, "checkpoint_every must be at least 1, not {}", checkpoint_every);
  const bool matrix = is_matrix(covariance_type);
  if (degrees_of_freedom_prior) {
    const double least = matrix && n_features > 0 ? n_features - 1.0 : 0.0;
    c.unless(*degrees_of_freedom_prior > least && std::isfinite(*degrees_of_freedom_prior),
             "degrees_of_freedom_prior must be greater than {}, not {}", least, *degrees_of_freedom_prior);
    c.unless(!(*degrees_of_freedom_prior > kMostRows && std::isfinite(*degrees_of_freedom_prior)),
             "degrees_of_freedom_prior must be at most {:g}, not {}: beside it the rows would not count", kMostRows,
             *degrees_of_freedom_prior);
  }
  if (n_features <= 0) return c.lines;
  if (mean_prior) {
    c.unless(mean_prior->size() == std::size_t(n_features), "mean_prior must have {} numbers, not {}", n_features,
             mean_prior->size());
    for (double m : *mean_prior)
      if (!std::isfinite(m)) return c.unless(false, "mean_prior must be finite"), c.lines;
  }
  if (covariance_prior) {
    const std::size_t size = covariance_numbers(covariance_type, n_features);
    c.unless(covariance_prior->size() == size, "covariance_prior must have {} numbers, not {}", size,
             covariance_prior->size());
    if (!matrix)
      for (double s : *covariance_prior)
        if (!positive(s)) return c.unless(false, "covariance_prior must be positive, not {}", s), c.lines;
  }
  return c.lines;
}

}  // namespace cavi
