// SPDX-License-Identifier: Apache-2.0
// cavi info: what this build is and what it can run on; or what is in a model file.
#include "src/cli/command.hpp"
#include "src/cli/inputs.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/report.hpp"
#include "src/family.hpp"

#include "kernels/cpu/mixture_tiles.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <memory>

namespace cavi::cli {
namespace {

struct Arguments {
  Text model;
  bool json = false;
};

std::string describe(const Device& device) { return fmt::format("{} ({})", device.name(), device.description()); }

void print_build(bool json) {
  const char* simd = kernels::cpu::tiles<float>().name;
  if (json) {
    nlohmann::ordered_json j;
    j["version"] = CAVI_VERSION;
    j["compiler"] = CAVI_COMPILER_NAME;
    j["build_type"] = CAVI_BUILD_TYPE;
    j["hdf5"] = bool(CAVI_CLI_HDF5);
    j["instruction_set"] = simd;
    j["devices"] = nlohmann::ordered_json::array();
    for (const Device& d : Device::all()) j["devices"].push_back(d.name());
    return fmt::print("{}\n", j.dump());
  }
  fmt::print("{:<18}{}\n", "version", CAVI_VERSION);
  fmt::print("{:<18}{}, {}\n", "build", CAVI_COMPILER_NAME, CAVI_BUILD_TYPE);
  fmt::print("{:<18}{}\n", "reads HDF5", CAVI_CLI_HDF5 ? "yes" : "no");
  fmt::print("{:<18}{}\n", "instruction set", simd);
  const char* head = "devices";
  for (const Device& d : Device::all()) {
    fmt::print("{:<18}{}\n", head, describe(d));
    head = "";
  }
}

/// "mean of the rows", or the numbers when they are few.
std::string numbers_or(const std::optional<std::vector<double>>& values, const char* otherwise) {
  if (!values) return otherwise;
  if (values->size() > 4) return fmt::format("{} numbers", values->size());
  return fmt::format("{:g}", fmt::join(*values, ", "));
}

void line(const char* name, const std::string& value) { fmt::print("{:<18}{}\n", name, value); }

void print_gaussian_priors(const MixtureOptions& o, int n_features) {
  line("covariances", std::string(name_of(kCovarianceTypes, o.covariance_type)));
  line("mean prior",
       fmt::format("{}, worth {:g} rows", numbers_or(o.mean_prior, "mean of the rows"), o.mean_precision_prior));
  line("covariance prior", fmt::format("{}, worth {:g} rows", numbers_or(o.covariance_prior, "covariance of the rows"),
                                       o.degrees_of_freedom_prior.value_or(n_features)));
}

void print_model(const std::string& file, const Mixture& m) {
  const MixtureOptions& o = m.options();
  const MixturePosterior& p = m.posterior();
  line("model", fmt::format("{}: {} components, {} features", one_line(file), p.n_components, p.n_features));
  line("family", std::string(name_of(kFamilies, o.family)));
  std::string prior(name_of(kWeightPriors, o.weight_concentration_prior_type));
  prior += fmt::format(", concentration {:g}", o.weight_concentration_prior.value_or(1.0 / o.n_components));
  if (o.weight_concentration_prior_type == WeightPrior::pitman_yor) prior += fmt::format(", discount {:g}", o.discount);
  line("weight prior", prior);
  if (o.family == ComponentFamily::gaussian) {
    print_gaussian_priors(o, p.n_features);
  } else {
    const char* otherwise = family_of(o.family).prior_b ? "1, by the means of the columns" : "1, 1";
    line("component prior", o.component_prior ? fmt::format("{:g}", fmt::join(*o.component_prior, ", ")) : otherwise);
  }
  line("fit", m.summary().brief_report());
  fmt::print("{}", component_table(p, p.column_names, output_width()));
}

void info(const Arguments& a) {
  if (!a.model) return print_build(a.json);
  Complaints complaints;
  std::optional<Mixture> m;
  complaints.attempt([&] { m = Mixture::load(*a.model, Device::cpu(1)); });
  complaints.throw_if_any();
  if (a.json)
    fmt::print("{}", json_report(m->summary(), m->posterior(), std::llround(m->summary().rows)));
  else
    print_model(*a.model, *m);
}

constexpr const char* kFooter =
    "\nExamples:\n"
    "  cavi info\n"
    "  cavi info model.npz\n"
    "\nThe JSON document of a model is that of `cavi fit --json`.";

}  // namespace

Command add_info(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("info", "Show this build and its devices, or what is in a model");
  parser->group("Commands");
  parser->footer(kFooter);
  auto a = std::make_shared<Arguments>();
  parser->add_option("MODEL", a->model, "A fitted model; without it, the build and its devices")->type_name("[FILE]");
  parser->add_flag("--json", a->json, "Print one JSON document")->group("Output");
  return {parser, [a] { info(*a); }};
}

}  // namespace cavi::cli
