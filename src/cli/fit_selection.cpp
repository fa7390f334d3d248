// SPDX-License-Identifier: Apache-2.0
#include "src/cli/fit_many.hpp"
#include "src/cli/inputs.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/report.hpp"
#include "src/json_fields.hpp"

#include <algorithm>
#include <numeric>

namespace cavi::cli {
namespace {

constexpr int kShownRows = 20;

/// The best start of every set of options, best set first; sets of which every start failed come last.
std::vector<std::size_t> rank(const std::vector<MixtureOptions>& entries, const MixtureSelection& found,
                              std::size_t starts) {
  std::vector<std::size_t> rows;
  std::vector<bool> seen(entries.size() / starts);
  const auto add = [&](std::size_t entry) {
    if (!seen[entry / starts]) rows.push_back(entry);
    seen[entry / starts] = true;
  };
  for (int entry : found.ranking) add(std::size_t(entry));
  for (std::size_t entry = 0; entry < entries.size(); entry += starts) add(entry);
  return rows;
}

/// A table with a column for every option that differs.
std::string table(const std::vector<MixtureOptions>& entries, const MixtureSelection& found, std::size_t starts) {
  const auto differs = [&](auto option) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const MixtureOptions& o) { return option(o) != option(entries[0]); });
  };
  const bool types = differs([](const MixtureOptions&o) { return o.covariance_type; }),
             priors = differs([](const MixtureOptions&o) { return o.weight_concentration_prior_type; }),
             concentrations = differs([](const MixtureOptions&o) { return o.weight_concentration_prior; });
  std::string out = fmt::format("{:>4}{:>6}", "rank", "K");
  if (types) out += fmt::format("  {:<10}", "covariance");
  if (priors) out += fmt::format("  {:<17}", "weight prior");
  if (concentrations) out += fmt::format("{:>14}", "concentration");
  if (starts > 1) out += fmt::format("{:>7}", "start");
  out += fmt::format("{:>20}{:>8}  status\n", "bound", "sweeps");
  const std::vector<std::size_t> rows = rank(entries, found, starts);
  for (std::size_t i = 0; i < rows.size() && i < kShownRows; ++i) {
    const MixtureOptions& o = entries[rows[i]];
    const Summary& s = found.summaries[rows[i]];
    out += fmt::format("{:>4}{:>6}", i + 1, o.n_components);
    if (types) out += fmt::format("  {:<10}", name_of(kCovarianceTypes, o.covariance_type));
    if (priors) out += fmt::format("  {:<17}", name_of(kWeightPriors, o.weight_concentration_prior_type));
    if (concentrations) out += fmt::format("{:>14g}", o.weight_concentration_prior.value_or(1.0 / o.n_components));
    if (starts > 1) out += fmt::format("{:>7}", rows[i] % starts);
    if (s.termination == Termination::numerical_error)
      out += fmt::format("{:>20}{:>8}  failed: {}\n", "", "", one_line(s.message));
    else
      out += fmt::format("{:>20.6f}{:>8}  {}\n", s.elbo, s.n_iter, s.converged() ? "converged" : "not converged");
  }
  if (rows.size() > kShownRows) out += fmt::format("{} more; --json has all\n", rows.size() - kShownRows);
  return out;
}

Json json_of(const std::vector<MixtureOptions>& entries, const MixtureSelection& found, std::size_t starts) {
  std::vector<int> order = found.ranking;
  for (int entry = 0; entry < int(entries.size()); ++entry)
    if (found.summaries[std::size_t(entry)].termination == Termination::numerical_error) order.push_back(entry);
  Json all = Json::array();
  for (const int entry : order) {
    const MixtureOptions& o = entries[std::size_t(entry)];
    const Summary& s = found.summaries[std::size_t(entry)];
    Json j;
    j["n_components"] = o.n_components;
    j["covariance_type"] = word_for(o.covariance_type);
    j["weight_prior"] = word_for(o.weight_concentration_prior_type);
    j["concentration"] = o.weight_concentration_prior.value_or(1.0 / o.n_components);
    j["start"] = entry % int(starts);
    j["seed"] = o.seed;
    j["status"] = word_for(s.termination);
    if (s.termination == Termination::numerical_error) {
      j["message"] = s.message;
    } else {
      j["elbo"] = s.elbo;
      j["n_iter"] = s.n_iter;
    }
    all.push_back(std::move(j));
  }
  return all;
}

}  // namespace

void fit_selection(const FitArguments& a, const std::vector<MixtureOptions>& sets, const Device& device,
                   const Matrix& x, const std::vector<double>& weights) {
  Progress progress;
  std::vector<MixtureOptions> entries;
  for (const MixtureOptions& set : sets)
    for (MixtureOptions& start : restarts(set)) {
      if (!a.json && !a.quiet && terminal_on_stderr())
        start.on_sweep = [&](const Sweep& sweep) { return progress.show(sweep), true; };
      entries.push_back(std::move(start));
    }
  const std::size_t starts = entries.size() / sets.size();
  const MixtureSelection found = select_mixture(entries, x, weights, device);
  progress.clear();
  if (found.models.empty()) {
    try {
      require_values(x, entries[0]);
    } catch (const NumericalError& cause) {
      throw InputError(cause.what());
    }
    throw Error("every fit failed; the first: " + found.summaries[0].message);
  }
  const Mixture& best = found.models[0];
  if (a.save) best.save(*a.save);

  const std::string report = json_report(best.summary(), best.posterior(), x.rows());
  if (a.json) {
    Json j;
    j["fits"] = json_of(entries, found, starts);
    j["best"] = Json::parse(report);
    return fmt::print("{}\n", j.dump());
  }
  if (!a.quiet) fmt::print("{}\n", table(entries, found, starts));
  fmt::print("{}\n", best.summary().brief_report());
  if (!a.quiet) fmt::print("{}", component_table(best.posterior(), x.column_names(), output_width()));
}

}  // namespace cavi::cli
