// SPDX-License-Identifier: Apache-2.0
// The estimator: builds the model of a mixture, finds a start, calls the engine, reads the posterior.
#include "src/independent.hpp"
#include "src/mixture_model.hpp"
#include "src/model_file.hpp"
#include "src/observed.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>
#include <cavi/mixture.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace cavi {

namespace {

using kernels::Rows;
using kernels::cpu::ThreadPool;

void throw_if_any(const std::vector<std::string>& problems) {
  if (problems.empty()) return;
  std::string text = problems[0];
  for (std::size_t i = 1; i < problems.size(); ++i) text += "\n" + problems[i];
  throw OptionError(text);
}

/// First responsibilities by o.init_params, which is not random. They take no memory that grows with the rows.
Matrix find_start(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                  const double* weight, const MixtureModel& m, const Prepared& data, ThreadPool& pool) {
  const std::size_t problems = offsets.size() - 1, d = std::size_t(x.cols()), size = std::size_t(o.n_components) * d;
  kernels::cpu::Centres c{x, offsets, data.origin, std::vector<double>(problems * size), o.n_components, o.precision};
  c.origin.resize(problems * d);  // zero where the model has none
  over_problems(problems, pool, [&](std::size_t b) {
    Rows rows = rows_of(x, offsets, b);
    if (rows.count == 0 || !m.complaint(b).empty()) return;
    rows.origin = &c.origin[b * d];
    const auto found = kernels::cpu::start_centres(rows, weight ? weight + rows.first : nullptr, o.n_components,
                                                   o.init_params, o.seed, o.precision, pool);
    std::copy(found.begin(), found.end(), c.centres.begin() + std::ptrdiff_t(b * size));
  });
  return kernels::cpu::nearest_centres(std::move(c));
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
  const MixtureModel m = build(o, x, offsets, weight, data);
  if (failure == Failure::thrown && !m.complaint(0).empty()) {
    require_values(x, o);  // names row and column
    throw NumericalError(x.name() + ": " + m.complaint(0));
  }

  Factorisation q(m.model);
  if (o.family == ComponentFamily::gaussian) q.joint({m.mu, m.lambda});
  const Variable parameters = o.family == ComponentFamily::gaussian ? m.mu : m.theta;
  if (resume)
    q.start_random(m.z);  // any start will do: the state replaces it
  else if (const auto* labels = std::get_if<std::vector<std::int32_t>>(&start))
    q.start_labels(m.z, *labels);
  else if (const auto* responsibilities = std::get_if<Matrix>(&start))
    q.start_responsibilities(m.z, *responsibilities);
  else if (o.init_params == Init::random)
    q.start_random(m.z);
  else
    q.start_responsibilities(m.z, find_start(o, x, offsets, w, m, data, pool));

  Options options;
  options.seed = o.seed;
  options.fuse = o.fuse;
  options.precision = o.precision;
  options.on_sweep = o.on_sweep;
  options.start_updates = {{m.pi}, {parameters}};
  State state;
  if (resume) {
    state = {{resume->checkpoint->q}, {resume->summary}};
    options.resume = &state;
  }
  if (!o.checkpoint.empty()) {
    options.checkpoint_every = o.checkpoint_every;
    options.on_checkpoint = [&, of = fingerprint(x, weight)](const State& s, const Posterior& so_far) {
      write_model(o.checkpoint, {o, read(m, o, so_far, x.cols(), data), s.summaries[0], Checkpoint{of, s.q[0]}});
    };
  }
  const Posterior posterior = infer(m.model, q, {{m.z}, {m.pi}, {parameters}}, {o.max_iter, o.tol}, device, options);

  MixtureBatch out;
  out.posterior = read(m, o, posterior, x.cols(), data);
  for (int b = 0; b < posterior.n_problems(); ++b) out.summaries.push_back(posterior.summary(b));
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

void require_values(const Matrix& x, const MixtureOptions& options) {
  if (options.family == ComponentFamily::gaussian) return require_finite(x);
  const Values values = values_of(conditional_of(options.family));
  const double largest = values.log_base && options.precision == Scalar::float32
                             ? kLargestFloat32Count
                             : std::numeric_limits<double>::infinity();
  for_each_row(x, [&](std::int64_t row, const double* numbers) {
    for (int c = 0; c < x.cols(); ++c) {
      if (!values.hold(numbers[c]))
        throw NumericalError(x.name() + ": " + wrong_value(row, c, numbers[c], values.what));
      if (numbers[c] > largest) throw NumericalError(x.name() + ": " + too_large_for_float32(numbers[c]));
    }
  });
}

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
