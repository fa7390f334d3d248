// SPDX-License-Identifier: Apache-2.0
// The estimator: builds the model of a Gaussian mixture, finds a start, calls the engine, reads the posterior.
#include "kernels/cpu/mixture.hpp"
#include "src/linear_algebra.hpp"
#include "src/model_file.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>
#include <cavi/mixture.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace cavi {

namespace {

using kernels::Rows;
using kernels::cpu::ThreadPool;

/// A singular default covariance gets this much of its mean variance on the diagonal.
constexpr double kRidge = 1e-6;

/// Everything about the data that the model needs, one block per problem.
struct Prepared {
  std::vector<double> origin;           ///< [B x D] mean of the rows, subtracted for accuracy
  std::vector<double> mean_prior;       ///< [B x D] about the origin
  std::vector<double> covariance;       ///< [B x quadratic size of one component]
  std::vector<std::string> complaints;  ///< [B] why a problem cannot be fitted
};

bool is_matrix(CovarianceType t) { return t == CovarianceType::full || t == CovarianceType::tied; }

std::size_t covariance_size(CovarianceType t, std::size_t d) {
  return is_matrix(t) ? d * d : t == CovarianceType::diag ? d : 1;
}

void throw_if_any(const std::vector<std::string>& problems) {
  if (problems.empty()) return;
  std::string text = problems[0];
  for (std::size_t i = 1; i < problems.size(); ++i) text += "\n" + problems[i];
  throw OptionError(text);
}

Rows rows_of(const Matrix& x, const std::vector<std::int64_t>& offsets, std::size_t b) {
  return {x.source().get(), offsets[b], offsets[b + 1] - offsets[b], nullptr};
}

/// The default prior: cov(X) with N - 1 in the denominator, its diagonal or its mean variance, made positive definite.
std::vector<double> default_covariance(const kernels::cpu::RowMoments& m, CovarianceType type, double reg_covar) {
  const std::size_t d = m.mean.size();
  const double unbias = m.weight > 1 ? m.weight / (m.weight - 1) : 1;
  std::vector<double> s(d * d);
  double trace = 0;
  for (std::size_t i = 0; i < s.size(); ++i) s[i] = m.covariance[i] * unbias;
  for (std::size_t i = 0; i < d; ++i) trace += s[i * d + i] += reg_covar;
  const double mean_variance = trace / double(d);
  const auto add_ridge = [&] {
    for (std::size_t i = 0; i < d; ++i) s[i * d + i] += mean_variance > 0 ? kRidge * mean_variance : 1;
  };
  if (!positive_definite(s, int(d), kRidge * kRidge)) add_ridge();
  std::vector<double> diagonal(d);
  for (std::size_t i = 0; i < d; ++i) diagonal[i] = s[i * d + i];
  switch (type) {
    case CovarianceType::full:
    case CovarianceType::tied: return s;
    case CovarianceType::diag: return diagonal;
    case CovarianceType::spherical: return {std::accumulate(diagonal.begin(), diagonal.end(), 0.0) / double(d)};
  }
  return {};
}

/// One problem has all threads to itself; several are dealt out whole.
void over_problems(std::size_t problems, ThreadPool& pool, const std::function<void(std::size_t)>& work) {
  if (problems == 1) return work(0);
  pool.run(std::int64_t(problems), [&](std::int64_t b, int) { work(std::size_t(b)); });
}

Prepared prepare(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                 const double* weight, ThreadPool& pool) {
  const std::size_t problems = offsets.size() - 1, d = std::size_t(x.cols()), s = covariance_size(o.covariance_type, d);
  Prepared out;
  out.origin.assign(problems * d, 0);
  out.mean_prior.assign(problems * d, 0);
  out.covariance.assign(problems * s, 0);
  out.complaints.resize(problems);
  over_problems(problems, pool, [&](std::size_t b) {
    const Rows rows = rows_of(x, offsets, b);
    double* origin = &out.origin[b * d];
    double* covariance = &out.covariance[b * s];
    // A problem that cannot be fitted gets a harmless prior, so that the others can.
    for (std::size_t i = 0; i < s; ++i) covariance[i] = !is_matrix(o.covariance_type) || i % (d + 1) == 0;
    if (rows.count == 0) return;
    kernels::cpu::RowMoments m =
        kernels::cpu::row_moments(rows, weight ? weight + rows.first : nullptr, !o.covariance_prior, pool);
    const auto bad = std::find_if_not(m.mean.begin(), m.mean.end(), [](double v) { return std::isfinite(v); });
    if (bad != m.mean.end()) {
      out.complaints[b] = "column " + std::to_string(bad - m.mean.begin()) + " has numbers that are not finite";
      return;
    }
    if (!std::all_of(m.covariance.begin(), m.covariance.end(), [](double v) { return std::isfinite(v); })) {
      out.complaints[b] = "squares of the numbers are too large for float64; scale the columns";
      return;
    }
    const std::vector<double> prior =
        o.covariance_prior ? *o.covariance_prior : default_covariance(m, o.covariance_type, o.reg_covar);
    std::copy(m.mean.begin(), m.mean.end(), origin);
    std::copy(prior.begin(), prior.end(), covariance);
    if (!o.mean_prior) return;
    for (std::size_t i = 0; i < d; ++i) out.mean_prior[b * d + i] = (*o.mean_prior)[i] - origin[i];
  });
  return out;
}

/// The model of all problems, and the handles by which its posterior is read.
struct MixtureModel {
  Model model;
  Variable z, pi, mu, lambda;
};

MixtureModel build(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                   const std::vector<double>& weight, const Prepared& data) {
  MixtureModel m;
  Model& p = m.model;
  const double alpha = o.weight_concentration_prior.value_or(1.0 / o.n_components);
  const double beta = o.mean_precision_prior, nu = o.degrees_of_freedom_prior.value_or(x.cols());
  p.batch(std::int64_t(offsets.size()) - 1);
  const Plate n = p.plate("n", offsets), k = p.plate("k", o.n_components), d = p.plate("d", x.cols());
  if (!weight.empty()) p.weights(n, weight);
  const Data rows = p.data("X", x, {n, d}, data.origin);
  const Data m0 = p.batched_data("mean prior", data.mean_prior, {d});
  m.pi = o.weight_concentration_prior_type == WeightPrior::dirichlet
             ? p.latent("pi", {}, dirichlet(alpha), {k})
             : p.latent("pi", {}, stick_breaking(alpha, o.discount), {k});
  m.z = p.latent("z", {n}, categorical(m.pi(k)), {k});
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
  return m;
}

/// First responsibilities by o.init_params, which is not random. They take no memory that grows with the rows.
Matrix find_start(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                  const double* weight, const Prepared& data, ThreadPool& pool) {
  const std::size_t problems = offsets.size() - 1, d = std::size_t(x.cols()), size = std::size_t(o.n_components) * d;
  kernels::cpu::Centres c{x, offsets, data.origin, std::vector<double>(problems * size), o.n_components, o.precision};
  over_problems(problems, pool, [&](std::size_t b) {
    Rows rows = rows_of(x, offsets, b);
    if (rows.count == 0 || !data.complaints[b].empty()) return;
    rows.origin = &data.origin[b * d];
    const auto found = kernels::cpu::start_centres(rows, weight ? weight + rows.first : nullptr, o.n_components,
                                                   o.init_params, o.seed, o.precision, pool);
    std::copy(found.begin(), found.end(), c.centres.begin() + std::ptrdiff_t(b * size));
  });
  return kernels::cpu::nearest_centres(std::move(c));
}

void append(std::vector<double>& to, const std::vector<double>& from) { to.insert(to.end(), from.begin(), from.end()); }

/// Parameters of problem b, appended to the arrays of all.
void read(const MixtureModel& m, const MixtureOptions& o, const Posterior& q, int b, const double* origin,
          MixturePosterior& out) {
  const std::size_t k = std::size_t(out.n_components), d = std::size_t(out.n_features);
  NormalWishartParameters nw = q.normal_wishart(m.mu, b);
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
  append(out.weights, q.mean(m.pi, b));
  append(out.weight_concentration, out.weight_prior == WeightPrior::dirichlet ? q.dirichlet(m.pi, b) : q.beta(m.pi, b));
}

MixturePosterior read(const MixtureModel& m, const MixtureOptions& o, const Posterior& q, int n_features,
                      const Prepared& data) {
  MixturePosterior p;
  p.n_problems = q.n_problems();
  p.n_components = o.n_components;
  p.n_features = n_features;
  p.covariance_type = o.covariance_type;
  p.weight_prior = o.weight_concentration_prior_type;
  for (int b = 0; b < p.n_problems; ++b) read(m, o, q, b, &data.origin[std::size_t(b) * std::size_t(p.n_features)], p);
  return p;
}

/// What becomes of data that cannot be fitted.
enum class Failure { thrown, status };

/// `resume`, when given, holds a checkpoint of these data.
MixtureBatch fit_problems(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                          const std::vector<double>& weight, const InitialResponsibilities& start, const Device& device,
                          const ModelFile* resume, Failure failure) {
  ThreadPool pool(device.threads());
  const double* w = weight.empty() ? nullptr : weight.data();
  const Prepared data = prepare(o, x, offsets, w, pool);
  if (failure == Failure::thrown && !data.complaints[0].empty()) {
    require_finite(x);  // names row and column
    throw NumericalError(x.name() + ": " + data.complaints[0]);
  }
  const MixtureModel m = build(o, x, offsets, weight, data);

  Factorisation q(m.model);
  q.joint({m.mu, m.lambda});
  if (resume || (std::holds_alternative<std::monostate>(start) && o.init_params == Init::random))
    q.start_random(m.z);  // of a resumed fit any start will do: the state replaces it
  else if (const auto* labels = std::get_if<std::vector<std::int32_t>>(&start))
    q.start_labels(m.z, *labels);
  else if (const auto* responsibilities = std::get_if<Matrix>(&start))
    q.start_responsibilities(m.z, *responsibilities);
  else
    q.start_responsibilities(m.z, find_start(o, x, offsets, w, data, pool));

  Options options;
  options.seed = o.seed;
  options.fuse = o.fuse;
  options.precision = o.precision;
  options.on_sweep = o.on_sweep;
  options.start_updates = {{m.pi}, {m.mu}};
  State state;
  if (resume) {
    state = {{resume->checkpoint->q}, {resume->summary}};
    options.resume = &state;
  }
  if (!o.checkpoint.empty()) {
    options.checkpoint_every = o.checkpoint_every;
    options.on_checkpoint = [&, of = resume ? resume->checkpoint->data : fingerprint(x, weight)](
                                const State& s, const Posterior& so_far) {
      write_model(o.checkpoint, {o, read(m, o, so_far, x.cols(), data), s.summaries[0], Checkpoint{of, s.q[0]}});
    };
  }
  const Posterior posterior = infer(m.model, q, {{m.z}, {m.pi}, {m.mu}}, {o.max_iter, o.tol}, device, options);

  MixtureBatch out;
  out.posterior = read(m, o, posterior, x.cols(), data);
  for (int b = 0; b < posterior.n_problems(); ++b) {
    out.summaries.push_back(posterior.summary(b));
    if (const std::string& complaint = data.complaints[std::size_t(b)]; !complaint.empty())
      out.summaries.back().message = complaint;
  }
  return out;
}

void require_weights(const std::vector<double>& weight) {
  const auto wrong =
      std::find_if_not(weight.begin(), weight.end(), [](double w) { return w >= 0 && std::isfinite(w); });
  if (wrong != weight.end())
    throw NumericalError("sample_weight: element " + std::to_string(wrong - weight.begin()) + " is " +
                         std::to_string(*wrong) + ", not a number that is zero or more");
  if (!weight.empty() && std::all_of(weight.begin(), weight.end(), [](double w) { return w == 0; }))
    throw ShapeError("sample_weight is zero for every row");
}

}  // namespace

Mixture::Mixture(MixtureOptions options, Device device) : options_(std::move(options)), device_(std::move(device)) {
  throw_if_any(options_.problems(0));
}

Summary Mixture::fit(const Matrix& x, const std::vector<double>& sample_weight, const InitialResponsibilities& start) {
  return run(x, sample_weight, start, nullptr);
}

Summary Mixture::run(const Matrix& x, const std::vector<double>& sample_weight, const InitialResponsibilities& start,
                     const ModelFile* resume) {
  if (x.rows() == 0 || x.cols() == 0)
    throw ShapeError(x.name() + ": " + std::to_string(x.rows()) + " rows x " + std::to_string(x.cols()) +
                     " columns: nothing to fit");
  throw_if_any(options_.problems(x.cols()));
  if (!sample_weight.empty() && std::int64_t(sample_weight.size()) != x.rows())
    throw ShapeError("sample_weight has " + std::to_string(sample_weight.size()) + " numbers for " +
                     std::to_string(x.rows()) + " rows");
  require_weights(sample_weight);
  MixtureBatch fit = fit_problems(options_, x, {0, x.rows()}, sample_weight, start, device_, resume, Failure::thrown);
  if (fit.summaries[0].termination == Termination::numerical_error)
    throw NumericalError(x.name() + ": " + fit.summaries[0].message);
  posterior_ = std::move(fit.posterior);
  return summary_ = std::move(fit.summaries[0]);
}

void Mixture::save(const std::filesystem::path& file) const {
  write_model(file, {options_, posterior(), summary(), {}});
}

Mixture Mixture::load(const std::filesystem::path& file, Device device) {
  ModelFile model = read_model(file);
  Mixture mixture(std::move(model.options), std::move(device));
  mixture.posterior_ = std::move(model.posterior);
  mixture.summary_ = std::move(model.summary);
  return mixture;
}

Summary Mixture::resume(const std::filesystem::path& checkpoint, const Matrix& x,
                        const std::vector<double>& sample_weight) {
  ModelFile model = read_model(checkpoint);
  const std::string name = checkpoint.string();
  if (!model.checkpoint)
    throw IoError(name + ": a model without the state of its fit; MixtureOptions::checkpoint makes fit() leave one");
  std::vector<std::string> other = differences(options_, model.options);
  for (std::string& line : other) line.insert(0, name + ": ");
  throw_if_any(other);
  if (const std::string why = difference(fingerprint(x, sample_weight), model.checkpoint->data); !why.empty())
    throw ShapeError(name + ": " + why);
  // Whether it is over is a matter of these options; a fit that was stopped may have converged in that very sweep.
  Summary& s = model.summary;
  const double gain =
      s.n_iter > 0 ? s.elbo - s.elbo_trace[std::size_t(s.n_iter) - 1] : std::numeric_limits<double>::infinity();
  s.termination = options_.tol > 0 && gain < options_.tol * s.rows ? Termination::converged : Termination::max_iter;
  return run(x, sample_weight, {}, &model);
}

const MixturePosterior& Mixture::posterior() const {
  if (!posterior_) throw Error("the mixture has not been fitted yet: call fit() first");
  return *posterior_;
}

const Summary& Mixture::summary() const { return posterior(), summary_; }

MixtureBatch fit_batch(const MixtureOptions& options, const Matrix& x, const std::vector<std::int64_t>& offsets,
                       Device device) {
  throw_if_any(options.problems(x.cols()));
  if (!options.checkpoint.empty()) throw OptionError("checkpoint is for the fit of one mixture, not for a batch");
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != x.rows() ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    throw ShapeError("offsets must ascend from 0 to the number of rows, " + std::to_string(x.rows()));
  return fit_problems(options, x, offsets, {}, {}, device, nullptr, Failure::status);
}

}  // namespace cavi
