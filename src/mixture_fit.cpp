// SPDX-License-Identifier: Apache-2.0
#include "src/mixture_fit.hpp"

#include "kernels/math/random.hpp"
#include "src/mixture_model.hpp"
#include "src/standardised_rows.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>

#include <algorithm>
#include <cmath>

namespace cavi {

using kernels::Rows;
using kernels::cpu::ThreadPool;

void throw_if_any(const std::vector<std::string>& problems) {
  if (problems.empty()) return;
  std::string text = problems[0];
  for (std::size_t i = 1; i < problems.size(); ++i) text += "\n" + problems[i];
  throw OptionError(text);
}

void require_weights(const std::vector<double>& weight, std::int64_t rows) {
  if (weight.empty()) return;
  if (std::int64_t(weight.size()) != rows)
    throw ShapeError("sample_weight has " + std::to_string(weight.size()) + " numbers for " + std::to_string(rows) +
                     " rows");
  const auto wrong =
      std::find_if_not(weight.begin(), weight.end(), [](double w) { return w >= 0 && std::isfinite(w); });
  if (wrong != weight.end())
    throw NumericalError("sample_weight: element " + std::to_string(wrong - weight.begin()) + " is " +
                         std::to_string(*wrong) + ", not a number that is zero or more");
}

std::uint64_t restart_seed(std::uint64_t seed, int restart) {
  if (restart == 0) return seed;
  const kernels::random::Block b =
      kernels::random::block(seed, kernels::random::Stream::restarts, std::uint64_t(restart), 0);
  return std::uint64_t(b.word[0]) << 32 | b.word[1];
}

namespace {

/// A CUDA device clusters problems of at least so many rows; fewer are sooner done by the host.
constexpr std::int64_t kDeviceRows = 1 << 16;

std::vector<double> start_centres(const MixtureOptions& o, const Rows& rows, const double* weight, const Device& device,
                                  ThreadPool& pool) {
  if (device.kind() == Device::Kind::cuda && rows.count >= kDeviceRows && o.init_params != Init::random_from_data)
    if (auto found = kernels::cuda_start_centres(rows, weight, o.n_components, o.init_params == Init::kmeans, o.seed,
                                                 o.precision, device.ordinal(), device.memory()))
      return std::move(*found);
  return kernels::cpu::start_centres(rows, weight, o.n_components, o.init_params, o.seed, o.precision, pool);
}

/// Rows about their origin, in the unit of their problem.
Matrix in_units(const Matrix& x, const std::vector<std::int64_t>& offsets, const std::vector<double>& origin,
                const std::vector<double>& unit) {
  const std::size_t d = std::size_t(x.cols());
  std::vector<double> scale(unit.size() * d * d);
  for (std::size_t i = 0; i < unit.size() * d; ++i) scale[i / d * d * d + i % d * (d + 1)] = unit[i / d];
  return standardised_rows(x, offsets, origin, std::move(scale));
}

/// First responsibilities by o.init_params, which is not random. They take no memory that grows with the rows.
Matrix find_start(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                  const double* weight, const MixtureModel& m, const Prepared& data, const Device& device,
                  ThreadPool& pool) {
  const std::size_t problems = offsets.size() - 1, d = std::size_t(x.cols()), size = std::size_t(o.n_components) * d;
  kernels::cpu::Centres c{x, offsets, data.origin, std::vector<double>(problems * size), o.n_components, o.precision};
  c.origin.resize(problems * d);  // zero where the model has none
  if (std::any_of(data.unit.begin(), data.unit.end(), [](double unit) { return unit != 1; })) {
    c.x = in_units(x, offsets, c.origin, data.unit);
    std::fill(c.origin.begin(), c.origin.end(), 0);
  }
  over_problems(problems, pool, [&](std::size_t b) {
    Rows rows = rows_of(c.x, offsets, b);
    if (rows.count == 0 || !m.complaint(b).empty()) return;
    rows.origin = &c.origin[b * d];
    const auto found = start_centres(o, rows, weight ? weight + rows.first : nullptr, device, pool);
    std::copy(found.begin(), found.end(), c.centres.begin() + std::ptrdiff_t(b * size));
  });
  return kernels::cpu::nearest_centres(std::move(c));
}

}  // namespace

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
  if (resume || (std::holds_alternative<std::monostate>(start) && o.init_params == Init::random))
    q.start_random(m.z);  // of a resumed fit any start will do: the state replaces it
  else if (const auto* labels = std::get_if<std::vector<std::int32_t>>(&start))
    q.start_labels(m.z, *labels);
  else if (const auto* responsibilities = std::get_if<Matrix>(&start))
    q.start_responsibilities(m.z, *responsibilities);
  else
    q.start_responsibilities(m.z, find_start(o, x, offsets, w, m, data, device, pool));

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
    options.on_checkpoint = [&, of = resume ? resume->checkpoint->data : fingerprint(x, weight)](
                                const State& s, const Posterior& so_far) {
      write_model(o.checkpoint, {o, read(m, o, so_far, x, data), s.summaries[0], Checkpoint{of, s.q[0]}});
    };
  }
  const Posterior posterior = infer(m.model, q, {{m.z}, {m.pi}, {parameters}}, {o.max_iter, o.tol}, device, options);

  MixtureBatch out;
  out.posterior = read(m, o, posterior, x, data);
  for (int b = 0; b < posterior.n_problems(); ++b) out.summaries.push_back(posterior.summary(b));
  return out;
}

}  // namespace cavi
