// SPDX-License-Identifier: Apache-2.0
#include "src/mixture_model.hpp"

#include "src/covariance_type.hpp"
#include "src/family.hpp"
#include "src/model_impl.hpp"
#include "src/standardised_rows.hpp"

#include <algorithm>
#include <limits>

namespace cavi {

using kernels::components::Conjugate;

namespace {

void build_gaussian(const MixtureOptions& o, const Prepared& data, const Data& rows, Plate n, Plate k, Plate d,
                    int n_features, MixtureModel& m) {
  Model& p = m.model;
  const double beta = o.mean_precision_prior, nu = o.degrees_of_freedom_prior.value_or(n_features);
  const Data m0 = p.batched_data("mean prior", data.mean_prior, {d});
  switch (o.covariance_type) {
    case CovarianceType::full:
    case CovarianceType::tied: {
      const std::vector<Plate> plates =
          o.covariance_type == CovarianceType::full ? std::vector<Plate>{k} : std::vector<Plate>{};
      const Data s = p.batched_data("covariance prior", data.covariance, {d, d});
      m.lambda = p.latent("Lambda", plates, wishart(nu, s(d, primed(d))), {d});
      const Reference precision = plates.empty() ? m.lambda() : m.lambda(k);
      m.mu = p.latent("mu", {k}, normal(m0(d), beta * precision), {d});
      p.observe(rows(n, d), mixture(m.z(n, k), normal(m.mu(k, d), precision)));
      break;
    }
    case CovarianceType::diag: {
      const Data s = p.batched_data("covariance prior", data.covariance, {d});
      m.lambda = p.latent("lambda", {k, d}, gamma(nu / 2, 0.5 * s(d)));
      m.mu = p.latent("mu", {k, d}, normal(m0(d), beta * m.lambda(k, d)));
      p.observe(rows(n, d), mixture(m.z(n, k), normal(m.mu(k, d), m.lambda(k, d))));
      break;
    }
    case CovarianceType::spherical: {
      const Data s = p.batched_data("covariance prior", data.covariance, {});
      m.lambda = p.latent("lambda", {k}, gamma(nu / 2, 0.5 * s()));
      m.mu = p.latent("mu", {k, d}, normal(m0(d), beta * m.lambda(k)));
      p.observe(rows(n, d), mixture(m.z(n, k), normal(m.mu(k, d), m.lambda(k))));
      break;
    }
  }
}

void build_other(const MixtureOptions& o, const Prepared& data, const Data& rows, Plate n, Plate k, Plate d,
                 MixtureModel& m) {
  Model& p = m.model;
  const auto [a, b] = data.prior;
  if (family_of(o.family).prior == Conjugate::beta)
    m.theta = p.latent("probability", {k, d}, beta(a, b));
  else if (data.rate.empty())
    m.theta = p.latent("rate", {k, d}, gamma(a, b));
  else
    m.theta = p.latent("rate", {k, d}, gamma(a, p.batched_data("rate prior", data.rate, {d})(d)));
  p.observe(rows(n, d), mixture(m.z(n, k), of_family(o.family, m.theta(k, d))));
}

}  // namespace

std::string MixtureModel::complaint(std::size_t b) const {
  const std::vector<std::string>& all = model.impl().complaints;
  return all.empty() ? "" : all[b];
}

MixtureModel build(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                   const std::vector<double>& weight, const Prepared& data) {
  MixtureModel m;
  Model& p = m.model;
  const double alpha = o.weight_concentration_prior.value_or(1.0 / o.n_components);
  p.batch(std::int64_t(offsets.size()) - 1);
  const Plate n = p.plate("n", offsets), k = p.plate("k", o.n_components), d = p.plate("d", x.cols());
  if (!weight.empty()) p.weights(n, weight);
  const Data rows = data.scale.empty() ? p.data("X", x, {n, d}, data.origin)
                                       : p.data("X", standardised_rows(x, offsets, data.origin, data.scale), {n, d});
  if (!data.log_density.empty()) p.term(1, {p.batched_data("density in the units of X", data.log_density, {})()});
  m.pi = o.weight_concentration_prior_type == WeightPrior::dirichlet
             ? p.latent("pi", {}, dirichlet(alpha), {k})
             : p.latent("pi", {}, stick_breaking(alpha, o.discount), {k});
  m.z = p.latent("z", {n}, categorical(m.pi(k)), {k});
  if (o.family == ComponentFamily::gaussian)
    build_gaussian(o, data, rows, n, k, d, x.cols(), m);
  else
    build_other(o, data, rows, n, k, d, m);
  for (std::size_t b = 0; b < data.complaints.size(); ++b)
    if (!data.complaints[b].empty()) p.refuse(std::int64_t(b), data.complaints[b]);
  return m;
}

namespace {

void append(std::vector<double>& to, const std::vector<double>& from) { to.insert(to.end(), from.begin(), from.end()); }

/// Parameters of standardised rows to those of the rows but for their origin.
void restore(const double* scale, CovarianceType type, int d, NormalWishartParameters& nw) {
  for (std::size_t i = 0; i < nw.mean.size(); i += std::size_t(d)) restore_vector(scale, d, &nw.mean[i]);
  if (is_matrix(type))
    for (std::size_t i = 0; i < nw.inverse_scale.size(); i += std::size_t(d) * std::size_t(d))
      restore_matrix(scale, d, &nw.inverse_scale[i]);
  else
    for (std::size_t i = 0; i < nw.inverse_scale.size(); ++i) {
      const double unit = scale[type == CovarianceType::diag ? i % std::size_t(d) * std::size_t(d + 1) : 0];
      nw.inverse_scale[i] *= unit * unit;
    }
}

/// Parameters of problem b, appended to the arrays of all.
void read_gaussian(const MixtureModel& m, const MixtureOptions& o, const Posterior& q, int b, const Prepared& data,
                   MixturePosterior& out) {
  const std::size_t k = std::size_t(out.n_components), d = std::size_t(out.n_features);
  const double* origin = &data.origin[std::size_t(b) * d];
  NormalWishartParameters nw = q.normal_wishart(m.mu, b);
  if (const double* scale = data.scale_of(std::size_t(b), d)) restore(scale, o.covariance_type, int(d), nw);
  // Diag carries beta and nu once per feature, spherical beta once per feature: they are the same for all of them.
  const std::size_t per_component =
      o.covariance_type == CovarianceType::diag || o.covariance_type == CovarianceType::spherical ? d : 1;
  for (std::size_t j = 0; j < k; ++j) {
    out.mean_precision.push_back(nw.mean_precision[j * per_component]);
    out.counts.push_back(std::max(0.0, nw.mean_precision[j * per_component] - o.mean_precision_prior));
  }
  for (std::size_t i = 0; i < k * d; ++i) out.means.push_back(nw.mean[i] + origin[i % d]);
  const std::size_t nu_step = o.covariance_type == CovarianceType::diag ? d : 1;
  for (std::size_t i = 0; i < nw.degrees_of_freedom.size(); i += nu_step)
    out.degrees_of_freedom.push_back(nw.degrees_of_freedom[i]);
  append(out.inverse_scale, nw.inverse_scale);
  const std::size_t block = nw.inverse_scale.size() / nw.degrees_of_freedom.size();
  for (std::size_t i = 0; i < nw.inverse_scale.size(); ++i)
    out.covariances.push_back(nw.inverse_scale[i] / nw.degrees_of_freedom[i / block]);
}

void read_other(const MixtureModel& m, const MixtureOptions& o, const Posterior& q, int b, const Prepared& data,
                MixturePosterior& out) {
  const std::size_t k = std::size_t(out.n_components), d = std::size_t(out.n_features);
  append(out.means, q.mean(m.theta, b));
  std::vector<double> ab;
  const IndependentFamily& family = family_of(o.family);
  if (family.prior == Conjugate::beta) {
    ab = q.beta(m.theta, b);
  } else {
    const GammaParameters g = q.gamma(m.theta, b);
    for (std::size_t i = 0; i < g.shape.size(); ++i) append(ab, {g.shape[i], g.rate[i]});
  }
  for (std::size_t j = 0; j < k; ++j) {
    const double b0 = data.rate.empty() ? data.prior[1] : data.rate[std::size_t(b) * d];
    const double rows = family.rows_between({data.prior[0], b0}, {ab[2 * j * d], ab[2 * j * d + 1]});
    out.counts.push_back(std::max(0.0, rows));
  }
  append(out.component_parameters, ab);
}

bool is_fitted(const Summary& s) {
  return s.termination != Termination::numerical_error && s.termination != Termination::no_data;
}

}  // namespace

namespace {

template <class Vector, class P>
std::array<Vector*, 9> arrays(P& p) {
  return {&p.counts,
          &p.weights,
          &p.weight_concentration,
          &p.means,
          &p.component_parameters,
          &p.mean_precision,
          &p.degrees_of_freedom,
          &p.inverse_scale,
          &p.covariances};
}

}  // namespace

std::array<std::vector<double>*, 9> arrays_of(MixturePosterior& p) { return arrays<std::vector<double>>(p); }

std::array<const std::vector<double>*, 9> arrays_of(const MixturePosterior& p) {
  return arrays<const std::vector<double>>(p);
}

MixturePosterior read(const MixtureModel& m, const MixtureOptions& o, const Posterior& q, const Matrix& x,
                      const Prepared& data) {
  MixturePosterior p;
  p.n_problems = q.n_problems();
  p.n_components = o.n_components;
  p.n_features = x.cols();
  p.column_names = x.column_names();
  p.family = o.family;
  p.covariance_type = o.covariance_type;
  p.weight_prior = o.weight_concentration_prior_type;
  const auto arrays = arrays_of(p);
  for (int b = 0; b < p.n_problems; ++b) {
    std::array<std::size_t, 9> before{};
    std::transform(arrays.begin(), arrays.end(), before.begin(), [](const auto* v) { return v->size(); });
    if (o.family == ComponentFamily::gaussian)
      read_gaussian(m, o, q, b, data, p);
    else
      read_other(m, o, q, b, data, p);
    append(p.weights, q.mean(m.pi, b));
    append(p.weight_concentration, p.weight_prior == WeightPrior::dirichlet ? q.dirichlet(m.pi, b) : q.beta(m.pi, b));
    for (std::size_t i = 0; !is_fitted(q.summary(b)) && i < arrays.size(); ++i)
      std::fill(arrays[i]->begin() + std::ptrdiff_t(before[i]), arrays[i]->end(),
                std::numeric_limits<double>::quiet_NaN());
  }
  return p;
}

}  // namespace cavi
