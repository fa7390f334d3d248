// SPDX-License-Identifier: Apache-2.0
// The estimator: builds the model of a mixture, finds a start, calls the engine, reads the posterior.
#include "src/family.hpp"
#include "src/mixture_fit.hpp"
#include "src/model_file.hpp"
#include "src/observed.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>
#include <cavi/mixture.hpp>

#include <algorithm>
#include <limits>

namespace cavi {

void require_values(const Matrix& x, const MixtureOptions& options) {
  if (options.family == ComponentFamily::gaussian) return require_finite(x);
  const IndependentFamily& family = family_of(options.family);
  const double largest = family.whole && options.precision == Scalar::float32 ? kLargestFloat32Count
                                                                              : std::numeric_limits<double>::infinity();
  for_each_row(x, [&](std::int64_t row, const double* numbers) {
    for (int c = 0; c < x.cols(); ++c) {
      if (!family.holds(numbers[c]))
        throw NumericalError(x.name() + ": " + wrong_value(row, c, numbers[c], family.values));
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
  require_weights(sample_weight, x.rows());
  if (!sample_weight.empty() &&
      std::all_of(sample_weight.begin(), sample_weight.end(), [](double w) { return w == 0; }))
    throw ShapeError("sample_weight is zero for every row");
  if (options_.n_init > 1 && !resume && std::holds_alternative<std::monostate>(start))
    return run_restarts(x, sample_weight);
  MixtureBatch fit = fit_problems(options_, x, {0, x.rows()}, sample_weight, start, device_, resume, Failure::thrown);
  if (fit.summaries[0].termination == Termination::numerical_error)
    throw NumericalError(x.name() + ": " + fit.summaries[0].message);
  posterior_ = std::move(fit.posterior);
  return summary_ = std::move(fit.summaries[0]);
}

Summary Mixture::run_restarts(const Matrix& x, const std::vector<double>& sample_weight) {
  std::vector<MixtureOptions> entries = restarts(options_);
  bool stopped = false;  // on_sweep is called from one thread at a time
  for (MixtureOptions& entry : entries)
    if (entry.on_sweep)
      entry.on_sweep = [&](const Sweep& sweep) { return !(stopped = stopped || !options_.on_sweep(sweep)); };
  MixtureSelection found = select_mixture(entries, x, sample_weight, device_);
  if (found.models.empty()) throw NumericalError(found.summaries[0].message);
  posterior_ = std::move(found.models[0].posterior_);
  summary_ = std::move(found.models[0].summary_);
  summary_.restart = found.ranking[0];
  return summary_;
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
    throw IoError(name + ": a model without the state of its fit, which is in checkpoints alone; name another file");
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

}  // namespace cavi
