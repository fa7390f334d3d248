// SPDX-License-Identifier: Apache-2.0
#include "src/cli/fit_many.hpp"
#include "src/cli/inputs.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/report.hpp"
#include "src/json_fields.hpp"

#include <algorithm>
#include <iterator>
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

/// An option, shown where it differs.
struct Column {
  const char* title;
  bool (*same)(const MixtureOptions&, const MixtureOptions&);
  std::string (*cell)(const MixtureOptions&);
  const char* layout;
};
template <auto member>
bool same(const MixtureOptions& a, const MixtureOptions& b) {
  return a.*member == b.*member;
}
using O = MixtureOptions;
constexpr const char *kWords = "  {:<17}", *kNumbers = "{:>16}";
const Column kColumns[]{
    {"covariance", same<&O::covariance_type>,
     [](const O& o) { return std::string(name_of(kCovarianceTypes, o.covariance_type)); }, "  {:<10}"},
    {"weight prior", same<&O::weight_concentration_prior_type>,
     [](const O& o) { return std::string(name_of(kWeightPriors, o.weight_concentration_prior_type)); }, kWords},
    {"concentration", same<&O::weight_concentration_prior>,
     [](const O& o) { return fmt::format("{:g}", o.weight_concentration_prior.value_or(1.0 / o.n_components)); },
     "{:>14}"},
    {"mean precision", same<&O::mean_precision_prior>,
     [](const O& o) { return fmt::format("{:g}", o.mean_precision_prior); }, kNumbers},
    {"deg. of freedom", same<&O::degrees_of_freedom_prior>,
     [](const O& o) { return fmt::format("{:g}", o.degrees_of_freedom_prior.value_or(0)); }, kNumbers}};

/// A table with a column for every option that differs.
std::string table(const std::vector<MixtureOptions>& entries, const MixtureSelection& found, std::size_t starts) {
  std::vector<Column> columns;
  std::copy_if(std::begin(kColumns), std::end(kColumns), std::back_inserter(columns), [&](const Column& c) {
    return !std::all_of(entries.begin(), entries.end(), [&](const O& o) { return c.same(o, entries[0]); });
  });
  std::string out = fmt::format("{:>4}{:>6}", "rank", "K");
  for (const Column& c : columns) out += fmt::format(fmt::runtime(c.layout), c.title);
  if (starts > 1) out += fmt::format("{:>7}", "start");
  out += fmt::format("{:>20}{:>8}  status\n", "bound", "sweeps");
  const std::vector<std::size_t> rows = rank(entries, found, starts);
  for (std::size_t i = 0; i < rows.size() && i < kShownRows; ++i) {
    const MixtureOptions& o = entries[rows[i]];
    const Summary& s = found.summaries[rows[i]];
    out += fmt::format("{:>4}{:>6}", i + 1, o.n_components);
    for (const Column& c : columns) out += fmt::format(fmt::runtime(c.layout), c.cell(o));
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
    j["mean_precision_prior"] = o.mean_precision_prior;
    if (o.degrees_of_freedom_prior) j["degrees_of_freedom_prior"] = *o.degrees_of_freedom_prior;
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
    blame_rows(x, entries[0]);
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
