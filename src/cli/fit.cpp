// SPDX-License-Identifier: Apache-2.0
// cavi fit: a mixture from a file of rows.
#include "src/cli/command.hpp"
#include "src/cli/config.hpp"
#include "src/cli/fit_many.hpp"
#include "src/cli/inputs.hpp"
#include "src/cli/model.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/report.hpp"
#include "src/cli/text.hpp"
#include "src/family.hpp"
#include "src/io/file.hpp"

#include <filesystem>
#include <map>
#include <memory>

namespace cavi::cli {
namespace {

/// Options that are for one fit alone.
void require_one_fit(const FitArguments& a, const char* instead, Complaints& complaints) {
  const auto refuse = [&](bool given, const char* option) {
    if (given) complaints.add(fmt::format("{} is for one fit, not for {}", option, instead));
  };
  refuse(a.checkpoint.has_value(), "--checkpoint");
  refuse(is_start_file(a.init), "--init FILE");
}

void fit_one(const FitArguments& a, MixtureOptions options, const Device& device, const Matrix& x,
             const std::vector<double>& weights, Complaints& complaints) {
  InitialResponsibilities start;
  complaints.attempt([&] { start = read_start(a.init, options.n_components, x); });
  complaints.throw_if_any();

  Progress progress;
  if (!a.json && !a.quiet && terminal_on_stderr())
    options.on_sweep = [&](const Sweep& sweep) { return progress.show(sweep), true; };
  Mixture mixture(options, device);
  const bool resume = a.resume && std::filesystem::exists(options.checkpoint);
  const Summary summary =
      fit_or_blame_input(mixture, x, weights, start, resume ? options.checkpoint : std::filesystem::path());
  if (a.save) mixture.save(*a.save);
  progress.clear();

  if (a.json)
    fmt::print("{}", json_report(summary, mixture.posterior(), x.rows()));
  else
    fmt::print("{}\n", summary.brief_report());
  if (a.quiet) return;
  if (!a.json) fmt::print("{}", component_table(mixture.posterior(), x.column_names(), output_width()));
  if (summary.termination == Termination::max_iter && options.tol > 0)
    fmt::print(stderr, "cavi: warning: not converged after {} sweeps; raise --max-iter or --tol\n", summary.n_iter);
}

void fit(const FitArguments& a) {
  Complaints complaints;
  std::vector<MixtureOptions> sets = read_fit_options(a, complaints);
  const Device device = read_device(a.device, a.threads, complaints);
  const bool many_data = a.batch || !a.more.empty();
  const std::optional<Batch> data = read_batch(a, complaints);
  const Matrix x = data ? data->x : Matrix();
  std::vector<double> weights;
  if (data) {
    weights = read_sample_weights(a.sample_weights, x, complaints);
    const auto mean_prior = read_mean_prior(a.mean_prior, x, complaints);
    std::map<CovarianceType, std::optional<std::vector<double>>> covariance_priors;
    for (MixtureOptions& o : sets) {
      const auto [prior, first_time] = covariance_priors.try_emplace(o.covariance_type);
      if (first_time) prior->second = read_covariance_prior(a.covariance_prior, o.covariance_type, x, complaints);
      o.mean_prior = mean_prior;
      o.covariance_prior = prior->second;
    }
  }
  complaints.require_distinct("--save", a.save, "--checkpoint", a.checkpoint);
  if (is_start_file(a.init) && sets[0].n_init > 1)
    complaints.add("--init FILE is one start: leave out --n-init, or name a random --init");
  for (const Text& file : {a.save, a.checkpoint})  // said now, not after the fit
    if (file) complaints.attempt([&] { const io::OutputFile writable(*file); });
  if (many_data && sets.size() > 1)
    complaints.add("several data sets take one set of options each: give single values");
  if (many_data || sets.size() > 1) require_one_fit(a, many_data ? "several data sets" : "several options", complaints);
  complain_about(sets, x.cols(), complaints);
  complaints.throw_if_any();
  if (many_data)
    fit_batch(a, sets[0], device, *data, weights);
  else if (sets.size() > 1)
    fit_selection(a, sets, device, x, weights);
  else
    fit_one(a, sets[0], device, x, weights, complaints);
}

constexpr std::size_t kHelpWidth = 55;

constexpr const char* kFooter =
    "\nComponents that the data do not support end up empty, so --n-components may be generous.\n"
    "\nExamples:\n"
    "  cavi fit faithful.csv --n-components 6\n"
    "  cavi fit big.npy --n-components 256 --covariance-type diag --json > fit.json\n"
    "  cavi fit days.csv --n-components 8 --save m.npz --checkpoint c.npz --resume\n"
    "  cavi fit days.csv --config options.ini\n"
    "  cavi fit days.csv --n-components 1:20 --covariance-type full,diag --n-init 10 --save best.npz\n"
    "  cavi fit rows.npy --batch offsets.npy --n-components 8 --save fits.npz\n"
    "\nPrints one line about the fit, then a table of the active components (those with an expected count\n"
    "N_k of at least half a row) by falling weight. Messages go to standard error, among them a warning\n"
    "when the fit did not converge. Exit codes: 0 done, 1 failed, 2 wrong usage or input.\n"
    "\nSeveral values of --n-components, --covariance-type, --weight-prior, --concentration,\n"
    "--mean-precision-prior or --degrees-of-freedom-prior are compared: a table by falling bound, then\n"
    "the fit with the largest one, which --save keeps. Many data sets get a table of fits; --save writes\n"
    "all of their arrays, each with the data set as its first dimension.\n"
    "\nThe JSON document has elbo (nats, every constant included), elbo_trace (the start, then one entry\n"
    "per sweep), n_iter (sweeps), converged, n_components, active_components, rows, features, device,\n"
    "precision, seconds (in sweeps alone), rows_per_second (rows x sweeps / seconds), where counted\n"
    "negligible (share of rows x components with next to no responsibility) and near (share of\n"
    "components near enough to the origin for the shorter of two ways to score rows), and for each\n"
    "component weights (expected), counts (N_k), means, covariances (inverse of the expected precision);\n"
    "families that are not gaussian have component_parameters, the A and B of every parameter, instead.";

std::string family_help() {
  std::string text = "What components are distributions of: gaussian (default)";
  for (const IndependentFamily& f : independent_families()) text += fmt::format(", {} ({})", f.name, f.about);
  return wrap(text + "; features of all but the first are independent within a component", kHelpWidth);
}

}  // namespace

Command add_fit(CLI::App& app) {
  CLI::App* fit_parser = app.add_subcommand("fit", "Fit a Bayesian mixture to the rows of a file");
  fit_parser->group("Commands");
  fit_parser->footer(kFooter);
  auto a = std::make_shared<FitArguments>();
  const auto add = [&](const char* group, const char* name, Text& text, const char* type, const std::string& help) {
    fit_parser->add_option(name, text, help)->type_name(type)->group(group);
  };
  add_data_options(*fit_parser, a->data);
  fit_parser->add_option("MORE", a->more, "Further data sets of as many columns, each fitted by itself")
      ->type_name("[FILE...]");
  add_config_option(*fit_parser);

  const char* group = "Model";
  add(group, "--n-components", a->n_components, "K",
      "Number of components at most (required); several are\ncompared: 1:20, or 2,4,8");
  add(group, "--family", a->family, "FAMILY", family_help());
  add(group, "--covariance-type", a->covariance_type, "TYPE",
      "full (default), tied, diag or spherical; several are\ncompared: full,diag");
  add(group, "--weight-prior", a->weight_prior, "PRIOR",
      "dirichlet, dirichlet-process (default) or pitman-yor;\nseveral are compared");
  add(group, "--concentration", a->concentration, "A",
      "Concentration of the weight prior: small values\nempty components (default 1 / K); several are\ncompared: "
      "0.01,1,100");
  add(group, "--discount", a->discount, "d", "Discount of pitman-yor, 0 <= d < 1 (default 0)");
  add(group, "--mean-prior", a->mean_prior, "M",
      "Prior mean of the means: mean (of the rows, default),\nzero, or a file of D numbers");
  add(group, "--mean-precision-prior", a->mean_precision_prior, "B",
      "Rows that the prior mean is worth (default 1); several\nare compared");
  add(group, "--degrees-of-freedom-prior", a->degrees_of_freedom_prior, "NU",
      "Rows that the prior covariance is worth (default D);\nseveral are compared");
  add(group, "--covariance-prior", a->covariance_prior, "S",
      "Prior scale: empirical (covariance of the rows,\ndefault), identity, or a file: D x D (full, tied),\nD numbers "
      "(diag), one (spherical)");

  add(group, "--component-prior", a->component_prior, "A,B",
      "Prior of the other families' parameters: Beta(A, B) of\na probability (default 1,1), Gamma(A, B) with rate B "
      "of a\nrate (default 1 and what the columns' means say)");

  group = "Start and end";
  add(group, "--init", a->init, "INIT",
      "kmeans (default), k-means++, random, random-from-data,\nor a file: N labels 0..K-1, or N x K responsibilities");
  add(group, "--n-init", a->n_init, "I", "Starts, of which the one with the largest bound is kept\n(default 1)");
  add(group, "--seed", a->seed, "S", "Seed of a random start (default 0)");
  add(group, "--max-iter", a->max_iter, "I", "Sweeps at most (default 100)");
  add(group, "--tol", a->tol, "T",
      "Stop when a sweep gains less than T nats per row\n(default 1e-6); 0 runs exactly --max-iter sweeps");
  add(group, "--batch", a->batch, "FILE",
      "DATA holds many data sets, each fitted by itself: B + 1\nnumbers from 0 to N, set b has rows from the b-th to "
      "the\nnext");
  add(group, "--sample-weights", a->sample_weights, "FILE", "N numbers >= 0: how often each row counts");

  group = "Where it runs";
  add(group, "--precision", a->precision, "P", "Arithmetic over rows: float32 (default) or float64");
  add_device_options(*fit_parser, a->device, a->threads);

  group = "Output";
  add(group, "--save", a->save, "FILE", "Write the fitted model: an .npz that numpy.load opens");
  add(group, "--checkpoint", a->checkpoint, "FILE", "Leave the state of the fit here on the way");
  add(group, "--checkpoint-every", a->checkpoint_every, "I", "Sweeps from one checkpoint to the next (default 10)");
  fit_parser
      ->add_flag("--resume", a->resume,
                 "Go on from the checkpoint if there is one: bit for bit\nas if nothing had happened")
      ->group(group);
  fit_parser->add_flag("--json", a->json, "Print one JSON document and nothing else")->group(group);
  fit_parser->add_flag("--quiet", a->quiet, "Print the line about the fit alone, no table, no\nprogress, no warnings")
      ->group(group);
  return {fit_parser, [a] { fit(*a); }};
}

}  // namespace cavi::cli
