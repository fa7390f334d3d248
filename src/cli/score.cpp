// SPDX-License-Identifier: Apache-2.0
// cavi score: how probable rows are under a model.
#include "src/cli/command.hpp"
#include "src/cli/model.hpp"
#include "src/cli/row_writer.hpp"

#include <memory>

namespace cavi::cli {
namespace {

struct Arguments {
  ModelArguments model;
  DataArguments data;
  Text out;
  bool per_row = false;
};

void score(const Arguments& a) {
  Complaints complaints;
  const std::optional<Mixture> m = read_model(a.model, complaints);
  const std::optional<Matrix> x = read_data_for(m, a.data, complaints);
  complaints.throw_if_any();
  blame_data([&] {
    if (!a.per_row && !a.out) return fmt::print("{}\n", m->score(*x));
    RowWriter out(a.out, {x->rows()}, {"log_density"}, StoredType::f8);
    m->score_samples(*x, [&](std::span<const double> density) { out.append(density); });
    out.commit();
  });
}

constexpr const char* kFooter =
    "\nPrints the mean over the rows of the log posterior predictive density, in nats: the higher, the better\n"
    "the model foresaw the rows. Compare models by rows that none of them was fitted to.\n"
    "\nExamples:\n"
    "  cavi score model.npz held_out.csv\n"
    "  cavi score model.npz new.csv --per-row          # the least probable rows are outliers\n"
    "  cavi score model.npz big.npy --out density.npy";

}  // namespace

Command add_score(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("score", "Tell how probable rows are: log predictive densities");
  parser->group("Commands");
  parser->footer(kFooter);
  auto a = std::make_shared<Arguments>();
  add_model_argument(*parser, a->model);
  add_data_options(*parser, a->data);
  const char* group = "Output";
  parser->add_flag("--per-row", a->per_row, "One number per row instead of the mean")->group(group);
  parser->add_option("--out", a->out, fmt::format("{}.\nImplies --per-row", kOutHelp))->type_name("FILE")->group(group);
  add_device_options(*parser, a->model.device, a->model.threads);
  return {parser, [a] { score(*a); }};
}

}  // namespace cavi::cli
