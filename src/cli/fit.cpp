// SPDX-License-Identifier: Apache-2.0
// cavi fit: a mixture from a file of rows.
#include "src/cli/command.hpp"
#include "src/cli/config.hpp"
#include "src/cli/data.hpp"
#include "src/cli/inputs.hpp"
#include "src/cli/model.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/report.hpp"
#include "src/cli/text.hpp"
#include "src/io/file.hpp"

#include <filesystem>
#include <memory>

namespace cavi::cli {
namespace {

struct Arguments {
  DataArguments data;
  Text n_components, family, covariance_type, weight_prior, concentration, discount;
  Text mean_prior, mean_precision_prior, degrees_of_freedom_prior, covariance_prior, component_prior;
  Text init, seed, max_iter, tol, precision, sample_weights, device, threads;
  Text save, checkpoint, checkpoint_every;
  bool resume = false, json = false, quiet = false;
};

/// Options that stand for themselves. Those that name a file or need the data come later.
MixtureOptions read_options(const Arguments& a, Complaints& c) {
  MixtureOptions o;
  if (!a.n_components) c.add("--n-components is required");
  read_number<int>("--n-components", a.n_components, o.n_components, c);
  read_choice("--family", a.family, kFamilies, o.family, c);
  read_choice("--covariance-type", a.covariance_type, kCovarianceTypes, o.covariance_type, c);
  read_choice("--weight-prior", a.weight_prior, kWeightPriors, o.weight_concentration_prior_type, c);
  read_number<double>("--concentration", a.concentration, o.weight_concentration_prior, c);
  read_number<double>("--discount", a.discount, o.discount, c);
  read_number<double>("--mean-precision-prior", a.mean_precision_prior, o.mean_precision_prior, c);
  read_number<double>("--degrees-of-freedom-prior", a.degrees_of_freedom_prior, o.degrees_of_freedom_prior, c);
  o.component_prior = read_component_prior(a.component_prior, c);
  read_number<std::uint64_t>("--seed", a.seed, o.seed, c);
  read_number<int>("--max-iter", a.max_iter, o.max_iter, c);
  read_number<double>("--tol", a.tol, o.tol, c);
  read_choice("--precision", a.precision, kPrecisions, o.precision, c);
  read_init(a.init, o.init_params, c);
  if (a.checkpoint) o.checkpoint = *a.checkpoint;
  read_number<int>("--checkpoint-every", a.checkpoint_every, o.checkpoint_every, c);
  if (!a.checkpoint && (a.checkpoint_every || a.resume))
    c.add(fmt::format("{} needs --checkpoint", a.resume ? "--resume" : "--checkpoint-every"));
  return o;
}

void fit(const Arguments& a) {
  Complaints complaints;
  MixtureOptions options = read_options(a, complaints);
  const Device device = read_device(a.device, a.threads, complaints);

  const std::optional<Matrix> opened = read_data(a.data, complaints);
  const Matrix x = opened.value_or(Matrix());
  std::vector<double> weights;
  if (opened) {
    options.mean_prior = read_mean_prior(a.mean_prior, x, complaints);
    options.covariance_prior = read_covariance_prior(a.covariance_prior, options.covariance_type, x, complaints);
    weights = read_sample_weights(a.sample_weights, x, complaints);
  }
  for (const Text& file : {a.save, a.checkpoint})  // said now, not after the fit
    if (file) complaints.attempt([&] { const io::OutputFile writable(*file); });
  for (const std::string& problem : options.problems(x.cols())) complaints.add(in_words_of_options(problem));
  complaints.throw_if_any();
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

constexpr const char* kFooter =
    "\nComponents that the data do not support end up empty, so --n-components may be generous.\n"
    "\nExamples:\n"
    "  cavi fit faithful.csv --n-components 6\n"
    "  cavi fit big.npy --n-components 256 --covariance-type diag --json > fit.json\n"
    "  cavi fit days.csv --n-components 8 --save m.npz --checkpoint c.npz --resume\n"
    "  cavi fit days.csv --config options.ini\n"
    "\nPrints one line about the fit, then a table of the active components (those with an expected count\n"
    "N_k of at least half a row) by falling weight. Messages go to standard error, among them a warning\n"
    "when the fit did not converge. Exit codes: 0 done, 1 failed, 2 wrong usage or input.\n"
    "\nThe JSON document has elbo (nats, every constant included), elbo_trace (the start, then one entry\n"
    "per sweep), n_iter (sweeps), converged, n_components, active_components, rows, features, device,\n"
    "precision, seconds (in sweeps alone), rows_per_second (rows x sweeps / seconds), and for each\n"
    "component weights (expected), counts (N_k), means, covariances (inverse of the expected precision);\n"
    "families that are not gaussian have component_parameters, the A and B of every parameter, instead.";

}  // namespace

Command add_fit(CLI::App& app) {
  CLI::App* fit_parser = app.add_subcommand("fit", "Fit a Bayesian mixture to the rows of a file");
  fit_parser->group("Commands");
  fit_parser->footer(kFooter);
  auto a = std::make_shared<Arguments>();
  const auto add = [&](const char* group, const char* name, Text& text, const char* type, const char* help) {
    fit_parser->add_option(name, text, help)->type_name(type)->group(group);
  };
  add_data_options(*fit_parser, a->data);
  add_config_option(*fit_parser);

  const char* group = "Model";
  add(group, "--n-components", a->n_components, "K", "Number of components at most (required)");
  add(group, "--family", a->family, "FAMILY",
      "What components are distributions of: gaussian\n(default), bernoulli (0 and 1), poisson (counts) "
      "or\nexponential (durations); features of the last three\nare independent within a component");
  add(group, "--covariance-type", a->covariance_type, "TYPE", "full (default), tied, diag or spherical");
  add(group, "--weight-prior", a->weight_prior, "PRIOR", "dirichlet, dirichlet-process (default) or pitman-yor");
  add(group, "--concentration", a->concentration, "A",
      "Concentration of the weight prior: small values\nempty components (default 1 / K)");
  add(group, "--discount", a->discount, "d", "Discount of pitman-yor, 0 <= d < 1 (default 0)");
  add(group, "--mean-prior", a->mean_prior, "M",
      "Prior mean of the means: mean (of the rows, default),\nzero, or a file of D numbers");
  add(group, "--mean-precision-prior", a->mean_precision_prior, "B", "Rows that the prior mean is worth (default 1)");
  add(group, "--degrees-of-freedom-prior", a->degrees_of_freedom_prior, "NU",
      "Rows that the prior covariance is worth (default D)");
  add(group, "--covariance-prior", a->covariance_prior, "S",
      "Prior scale: empirical (covariance of the rows,\ndefault), identity, or a file: D x D (full, tied),\nD numbers "
      "(diag), one (spherical)");

  add(group, "--component-prior", a->component_prior, "A,B",
      "Prior of the other families' parameters: Beta(A, B)\n(bernoulli, default 1,1), Gamma(A, B) with rate "
      "B\n(default 1 and what the columns' means say)");

  group = "Start and end";
  add(group, "--init", a->init, "INIT",
      "kmeans (default), k-means++, random, random-from-data,\nor a file: N labels 0..K-1, or N x K responsibilities");
  add(group, "--seed", a->seed, "S", "Seed of a random start (default 0)");
  add(group, "--max-iter", a->max_iter, "I", "Sweeps at most (default 100)");
  add(group, "--tol", a->tol, "T",
      "Stop when a sweep gains less than T nats per row\n(default 1e-6); 0 runs exactly --max-iter sweeps");
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
