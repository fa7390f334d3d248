// SPDX-License-Identifier: Apache-2.0
#include "src/cli/fit_many.hpp"
#include "src/cli/inputs.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/report.hpp"
#include "src/covariance_type.hpp"
#include "src/io/columns.hpp"
#include "src/io/joined_rows.hpp"
#include "src/io/npz.hpp"
#include "src/json_fields.hpp"
#include "src/model_file.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cavi::cli {
namespace {

constexpr int kShownRows = 32;

std::vector<std::int64_t> read_offsets(const std::string& file, std::int64_t rows) {
  const Matrix m = open_matrix(file);
  if (m.cols() != 1 && m.rows() != 1)
    throw IoError(fmt::format("{}: {} x {} numbers, expected one column", file, m.rows(), m.cols()));
  std::vector<std::int64_t> offsets;
  for (const double v : m.to_vector()) {
    const std::int64_t before = offsets.empty() ? 0 : offsets.back();
    if (!(v >= double(before) && v <= double(rows)) || v != std::floor(v) || (offsets.empty() && v != 0))
      throw IoError(fmt::format("{}: number {} (from 0) is {}; offsets ascend from 0 to the number of rows, {}", file,
                                offsets.size(), v, rows));
    offsets.push_back(std::int64_t(v));
  }
  if (offsets.back() != rows)
    throw IoError(fmt::format("{}: ends with {}, not with the number of rows, {}", file, offsets.back(), rows));
  return offsets;
}

/// The rows of all files, one after the other; together they take no more than the memory that they may.
Batch join(const FitArguments& a, const Matrix& first, ReadOptions read) {
  Batch data{Matrix(), {0}, {}};
  std::vector<Matrix> all;
  std::int64_t memory = read.memory.value_or(default_memory());
  const auto append = [&](const std::string& file, const Matrix& x) {
    if (x.cols() != first.cols())
      throw IoError(fmt::format("{}: {} columns, but {} has {}", file, x.cols(), *a.data.file, first.cols()));
    if (x.source()->data()) memory = std::max<std::int64_t>(0, memory - x.rows() * x.cols() * size_of(x.scalar()));
    data.offsets.push_back(data.offsets.back() + x.rows());
    data.names.push_back(file);
    all.push_back(io::in_order_of(first.column_names(), x));
    io::require_names(first.column_names(), *a.data.file, all.back());
  };
  append(*a.data.file, first);
  for (const std::string& file : a.more) {
    read.memory = memory;
    append(file, open_matrix(file, read));
  }
  data.x = io::join_rows(std::move(all));
  return data;
}

bool is_fitted(const Summary& s) {
  return s.termination != Termination::numerical_error && s.termination != Termination::no_data;
}

std::string status(const Summary& s) {
  if (s.termination == Termination::numerical_error) return "failed: " + one_line(s.message);
  if (s.termination == Termination::no_data) return "no rows";
  return s.converged() ? "converged" : "not converged";
}

/// All arrays, the data set as first dimension.
void save(const std::string& file, const MixtureOptions& o, const Batch& data, const MixtureBatch& fits) {
  const MixturePosterior& p = fits.posterior;
  const std::int64_t b = p.n_problems, k = p.n_components, d = p.n_features;
  std::vector<double> elbo, n_iter, restart, offsets(data.offsets.begin(), data.offsets.end());
  Json meta;
  meta["format"] = kBatchFormat;
  meta["format_version"] = 1;
  meta["library_version"] = CAVI_VERSION;
  meta["family"] = word_for(o.family);
  meta["covariance_type"] = word_for(o.covariance_type);
  meta["weight_prior"] = word_for(o.weight_concentration_prior_type);
  meta["seed"] = o.seed;
  meta["names"] = data.names;
  for (const Summary& s : fits.summaries) {
    elbo.push_back(is_fitted(s) ? s.elbo : std::nan(""));
    n_iter.push_back(s.n_iter);
    restart.push_back(s.restart);
    meta["status"].push_back(word_for(s.termination));
    if (!s.message.empty()) meta["messages"][std::to_string(elbo.size() - 1)] = s.message;
  }
  std::vector<io::NpzArray> arrays{{"offsets", {b + 1}, offsets},  {"elbo", {b}, elbo},
                                   {"n_iter", {b}, n_iter},        {"restart", {b}, restart},
                                   {"weights", {b, k}, p.weights}, {"counts", {b, k}, p.counts},
                                   {"means", {b, k, d}, p.means}};
  const bool dirichlet = p.weight_prior == WeightPrior::dirichlet;
  arrays.push_back({"weight_concentration", dirichlet ? std::vector{b, k} : std::vector<std::int64_t>{b, k, 2},
                    p.weight_concentration});
  if (p.family != ComponentFamily::gaussian) {
    arrays.push_back({"component_parameters", {b, k, d, 2}, p.component_parameters});
  } else {
    std::vector<std::int64_t> shape{b};
    if (p.covariance_type != CovarianceType::tied) shape.push_back(k);
    const std::vector<std::int64_t> per_component = shape;
    if (p.covariance_type != CovarianceType::spherical) shape.push_back(d);
    if (is_matrix(p.covariance_type)) shape.push_back(d);
    arrays.push_back({"mean_precision", {b, k}, p.mean_precision});
    arrays.push_back({"degrees_of_freedom", per_component, p.degrees_of_freedom});
    arrays.push_back({"inverse_scale", shape, p.inverse_scale});
    arrays.push_back({"covariances", shape, p.covariances});
  }
  io::write_npz(file, meta.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", arrays);
}

std::string table(const Batch& data, const MixtureBatch& fits) {
  std::string out = fmt::format("{:>8}{:>12}{:>20}{:>8}{:>8}  {:<15}{}\n", "data set", "rows", "bound", "sweeps",
                                "active", "status", data.names.empty() ? "" : "file");
  const std::size_t shown = std::min<std::size_t>(kShownRows, fits.summaries.size());
  for (std::size_t b = 0; b < shown; ++b) {
    const Summary& s = fits.summaries[b];
    out += fmt::format("{:>8}{:>12}", b, data.offsets[b + 1] - data.offsets[b]);
    if (is_fitted(s))
      out += fmt::format("{:>20.6f}{:>8}{:>8}", s.elbo, s.n_iter, active_components(fits.posterior.problem(int(b))));
    else
      out += fmt::format("{:>20}{:>8}{:>8}", "", "", "");
    out += fmt::format("  {:<15}{}\n", status(s), data.names.empty() ? "" : one_line(data.names[b]));
  }
  if (shown < fits.summaries.size())
    out += fmt::format("{} more; --json and --save have all\n", fits.summaries.size() - shown);
  return out;
}

std::string brief(const MixtureBatch& fits) {
  const auto count = [&](auto which) { return std::count_if(fits.summaries.begin(), fits.summaries.end(), which); };
  const std::int64_t converged = count([](const Summary&s) { return s.converged(); }), fitted = count(is_fitted);
  return fmt::format("{} data sets: {} converged, {} not converged, {} without a fit", fits.summaries.size(), converged,
                     fitted - converged, std::int64_t(fits.summaries.size()) - fitted);
}

}  // namespace

std::optional<Batch> read_batch(const FitArguments& a, Complaints& complaints) {
  const std::optional<Matrix> x = read_data(a.data, complaints);
  if (a.batch && !a.more.empty()) complaints.add("--batch divides one file; leave out the others");
  if (!x) return {};
  std::optional<Batch> data;
  complaints.attempt([&] {
    if (!a.more.empty())
      data = join(a, *x, read_data_options(a.data, complaints));
    else
      data = Batch{*x, a.batch ? read_offsets(*a.batch, x->rows()) : std::vector<std::int64_t>{0, x->rows()}, {}};
  });
  return data;
}

void fit_batch(const FitArguments& a, MixtureOptions options, const Device& device, const Batch& data,
               const std::vector<double>& weights) {
  Progress progress;
  if (!a.json && !a.quiet && terminal_on_stderr())
    options.on_sweep = [&](const Sweep& sweep) { return progress.show(sweep), true; };
  const MixtureBatch fits = cavi::fit_batch(options, data.x, data.offsets, device, weights);
  progress.clear();
  if (a.save) save(*a.save, options, data, fits);
  if (a.json) {
    std::string all;
    for (std::size_t b = 0; b < fits.summaries.size(); ++b) {
      std::string one =
          json_report(fits.summaries[b], fits.posterior.problem(int(b)), data.offsets[b + 1] - data.offsets[b]);
      one.pop_back();  // the end of the line
      all += (b > 0 ? "," : "") + one;
    }
    fmt::print("{{\"fits\":[{}]}}\n", all);
  } else {
    fmt::print("{}\n", brief(fits));
    if (!a.quiet) fmt::print("{}", table(data, fits));
  }
  if (fits.summaries.empty() || std::any_of(fits.summaries.begin(), fits.summaries.end(), is_fitted)) return;
  blame_rows(data.x, options);
  const Summary& first = fits.summaries[0];
  throw Error("every fit failed; the first: " + (first.message.empty() ? status(first) : first.message));
}

}  // namespace cavi::cli
