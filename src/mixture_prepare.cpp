// SPDX-License-Identifier: Apache-2.0
// What the model of a mixture needs of the data: where they lie, in which units they are fitted, default priors.
#include "src/mixture_model.hpp"

#include "src/covariance_type.hpp"
#include "src/family.hpp"
#include "src/linear_algebra.hpp"
#include "src/observed.hpp"
#include "src/standardised_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace cavi {

using kernels::Rows;
using kernels::cpu::ThreadPool;

namespace {

/// When the covariance of the rows is singular, every column gets this much of its variance in addition.
constexpr double kRidge = 1e-6;

std::size_t covariance_size(CovarianceType t, std::size_t d) {
  return is_matrix(t) ? d * d : t == CovarianceType::diag ? d : 1;
}

/// cov(X) with N - 1 in the denominator, made positive definite.
std::vector<double> spread_of(const kernels::cpu::RowMoments& m, double reg_covar) {
  const std::size_t d = m.mean.size();
  const double unbias = m.weight > 1 ? m.weight / (m.weight - 1) : 1;
  std::vector<double> s(d * d);
  double trace = 0;
  for (std::size_t i = 0; i < s.size(); ++i) s[i] = m.covariance[i] * unbias;
  for (std::size_t i = 0; i < d; ++i) trace += s[i * d + i] += reg_covar;
  if (positive_definite(s, int(d), kRidge * kRidge)) return s;
  const double otherwise = trace > 0 ? trace / double(d) : 1 / kRidge;  // of a constant column
  for (std::size_t i = 0; i < s.size(); i += d + 1) s[i] += kRidge * (s[i] > 0 ? s[i] : otherwise);
  return s;
}

/// The default prior: a covariance [D x D], its diagonal or its mean variance.
std::vector<double> of_type(CovarianceType type, const std::vector<double>& covariance, std::size_t d) {
  if (is_matrix(type)) return covariance;
  std::vector<double> diagonal(d);
  for (std::size_t i = 0; i < d; ++i) diagonal[i] = covariance[i * d + i];
  if (type == CovarianceType::diag) return diagonal;
  return {std::accumulate(diagonal.begin(), diagonal.end(), 0.0) / double(d)};
}

/// Squares of numbers with variances outside are no longer safe in float32.
constexpr double kSmallVariance = 0x1p-60, kLargeVariance = 0x1p60;
/// A column with less than this of its variance to itself all but depends on the others.
constexpr double kDependent = 1e-3;

bool is_safe(double variance) { return variance >= kSmallVariance && variance <= kLargeVariance; }
double unit_of(double variance) { return std::exp2(std::round(std::log2(variance) / 2)); }

/// What rows of this spread [D x D] are divided by: its Cholesky factor for matrices, which whitens them; powers of two
/// for the others, whose models no mixing of columns would leave as they are. Empty: they can stay.
std::vector<double> scale_for(CovarianceType type, const std::vector<double>& spread, int d) {
  const std::size_t step = std::size_t(d) + 1;
  bool safe = true;
  double total = 0;
  for (std::size_t i = 0; i < spread.size(); i += step) safe &= is_safe(spread[i]), total += spread[i];
  if (is_matrix(type))
    return safe && !nearly_dependent(spread, d, kDependent) ? std::vector<double>() : cholesky(spread, d, "cov(X)");
  if (type == CovarianceType::spherical ? is_safe(total / d) : safe) return {};
  std::vector<double> scale(spread.size());
  for (std::size_t i = 0; i < spread.size(); i += step)
    scale[i] = unit_of(type == CovarianceType::spherical ? total / d : spread[i]);
  return scale;
}

/// Priors of x to those of scale^-1 x. `is_default`: the covariance is that of the rows.
void standardise_priors(CovarianceType type, const double* scale, int d, bool is_default, double* mean,
                        std::span<double> covariance) {
  standardise_vector(scale, d, mean);
  const std::size_t step = std::size_t(d) + 1;
  if (is_matrix(type) && !is_default) return standardise_matrix(scale, d, covariance.data());
  for (std::size_t i = 0; i < covariance.size(); ++i) {
    const double unit = scale[type == CovarianceType::diag ? i * step : 0];
    covariance[i] = is_matrix(type) ? double(i % step == 0) : covariance[i] / (unit * unit);
  }
}

/// The mean, rounded to float32 where that moves it by next to nothing: rows of float32 are then moved in float32.
double origin_near(double mean, double variance) {
  const double rounded = float(mean);
  return std::abs(rounded - mean) <= 0x1p-10 * std::sqrt(variance) ? rounded : mean;
}

void prepare_gaussian(const MixtureOptions& o, const kernels::cpu::RowMoments& m, std::size_t b, Prepared& out) {
  const std::size_t d = m.mean.size(), s = covariance_size(o.covariance_type, d);
  const std::vector<double> spread = spread_of(m, o.covariance_prior ? 0 : o.reg_covar);
  const std::vector<double> prior = o.covariance_prior ? *o.covariance_prior : of_type(o.covariance_type, spread, d);
  std::copy(prior.begin(), prior.end(), &out.covariance[b * s]);
  for (std::size_t i = 0; i < d; ++i) {
    out.origin[b * d + i] = origin_near(m.mean[i], m.covariance[i * (d + 1)]);
    out.mean_prior[b * d + i] = (o.mean_prior ? (*o.mean_prior)[i] : m.mean[i]) - out.origin[b * d + i];
  }

  const double mean_variance = of_type(CovarianceType::spherical, spread, d)[0];
  if (!is_safe(mean_variance)) out.unit[b] = unit_of(mean_variance);
  const std::vector<double> scale = scale_for(o.covariance_type, spread, int(d));
  if (scale.empty()) return;
  std::copy(scale.begin(), scale.end(), &out.scale[b * d * d]);
  for (std::size_t i = 0; i < d; ++i) out.log_density[b] -= m.weight * std::log(scale[i * (d + 1)]);
  standardise_priors(o.covariance_type, scale.data(), int(d), !o.covariance_prior, &out.mean_prior[b * d],
                     std::span(out.covariance).subspan(b * s, s));
}

/// Why there is no fit to rows with these moments; empty when there can be one.
std::string complaint_about(const kernels::cpu::RowMoments& m, const Rows& rows, const double* weight) {
  constexpr double kMostWeight = 1e30;  // squares of rows have to have room beside it in float32
  const auto finite = [](double v) { return std::isfinite(v); };
  if (weight && !(m.weight <= kMostWeight))
    return fmt::format("the weights add up to {}, more than {}; divide them by a number", m.weight, kMostWeight);
  if (const auto bad = std::find_if_not(m.mean.begin(), m.mean.end(), finite); bad != m.mean.end()) {
    bool sound = true;
    for_each_row(*rows.source, rows.first, rows.count, [&](std::int64_t, const double* row) {
      sound = sound && std::all_of(row, row + m.mean.size(), finite);
    });
    return fmt::format("column {} {}", bad - m.mean.begin(),
                       sound ? "has a sum too large for float64; scale it" : "has numbers that are not finite");
  }
  if (!std::all_of(m.covariance.begin(), m.covariance.end(), finite))
    return "squares of the numbers are too large for float64; scale the columns";
  return {};
}

/// The prior's mean is what the column's mean says.
double default_rate(const IndependentFamily& family, double mean) {
  return mean > 0 && std::isfinite(1 / mean) ? family.prior_b(mean) : 1;
}

/// Storage, with a harmless prior for problems that cannot be fitted, so that the others can.
Prepared without_data(const MixtureOptions& o, std::size_t problems, std::size_t d) {
  Prepared out;
  out.complaints.resize(problems);
  if (o.family != ComponentFamily::gaussian) {
    if (o.component_prior)
      out.prior = *o.component_prior;
    else if (family_of(o.family).prior_b)
      out.rate.assign(problems * d, 1);
    return out;
  }
  const std::size_t s = covariance_size(o.covariance_type, d);
  out.origin.assign(problems * d, 0);
  out.scale.assign(problems * d * d, 0);
  out.log_density.assign(problems, 0);
  out.unit.assign(problems, 1);
  out.mean_prior.assign(problems * d, 0);
  out.covariance.assign(problems * s, 0);
  for (std::size_t b = 0; b < problems; ++b)
    for (std::size_t i = 0; i < s; ++i) out.covariance[b * s + i] = !is_matrix(o.covariance_type) || i % (d + 1) == 0;
  return out;
}

}  // namespace

Rows rows_of(const Matrix& x, const std::vector<std::int64_t>& offsets, std::size_t b) {
  return {x.source().get(), offsets[b], offsets[b + 1] - offsets[b], nullptr};
}

void over_problems(std::size_t problems, ThreadPool& pool, const std::function<void(std::size_t)>& work) {
  if (problems == 1) return work(0);
  pool.run(std::int64_t(problems), [&](std::int64_t b, int) { work(std::size_t(b)); });
}

Prepared prepare(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                 const double* weight, ThreadPool& pool) {
  const std::size_t problems = offsets.size() - 1, d = std::size_t(x.cols());
  const bool gaussian = o.family == ComponentFamily::gaussian;
  Prepared out = without_data(o, problems, d);
  if (!gaussian && out.rate.empty() && !weight) return out;
  over_problems(problems, pool, [&](std::size_t b) {
    const Rows rows = rows_of(x, offsets, b);
    if (rows.count == 0) return;
    const double* w = weight ? weight + rows.first : nullptr;
    if (w && std::all_of(w, w + rows.count, [](double v) { return v == 0; }))
      return void(out.complaints[b] = "every row has weight zero");
    const kernels::cpu::RowMoments m = kernels::cpu::row_moments(rows, w, gaussian, pool);
    out.complaints[b] = complaint_about(m, rows, w);
    if (!out.complaints[b].empty()) return;
    if (gaussian)
      prepare_gaussian(o, m, b, out);
    else if (!out.rate.empty())
      std::transform(m.mean.begin(), m.mean.end(), &out.rate[b * d],
                     [&](double mean) { return default_rate(family_of(o.family), mean); });
  });
  if (std::all_of(out.scale.begin(), out.scale.end(), [](double v) { return v == 0; })) {
    out.scale.clear();
    out.log_density.clear();
  }
  return out;
}

}  // namespace cavi
