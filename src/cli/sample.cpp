// SPDX-License-Identifier: Apache-2.0
// cavi sample: new rows like those that a model was fitted to.
#include "src/cli/command.hpp"
#include "src/cli/model.hpp"
#include "src/cli/row_writer.hpp"

#include <memory>

namespace cavi::cli {
namespace {

struct Arguments {
  ModelArguments model;
  Text rows, seed, out, components;
};

void sample(const Arguments& a) {
  Complaints complaints;
  const std::optional<Mixture> m = read_model(a.model, complaints);
  std::int64_t rows = 0;
  std::uint64_t seed = 0;
  if (!a.rows) complaints.add("--rows is required");
  read_number<std::int64_t>("--rows", a.rows, rows, complaints);
  read_number<std::uint64_t>("--seed", a.seed, seed, complaints);
  if (rows < 0) complaints.add(fmt::format("--rows must be 0 or more, not {}", rows));
  complaints.require_distinct("--out", a.out, "--components", a.components);
  complaints.throw_if_any();

  const int d = m->posterior().n_features;
  std::vector<std::string> names = m->posterior().column_names;
  for (int i = int(names.size()); i < d; ++i) names.push_back(fmt::format("x{}", i));
  RowWriter out(a.out, {rows, d}, std::move(names), StoredType::f8);
  std::optional<RowWriter> components;
  if (a.components)
    components.emplace(a.components, std::vector{rows}, std::vector<std::string>{"component"}, StoredType::i4);
  m->sample(rows, seed, [&](std::span<const std::int32_t> labels, std::span<const double> values) {
    out.append(values);
    if (components) components->append(labels);
  });
  out.commit();
  if (components) components->commit();
}

constexpr const char* kFooter =
    "\nDraws from the posterior predictive: a component by its weight, then a row, with the uncertainty about\n"
    "means and covariances in it. On one device row n of a seed is the same however many rows are drawn.\n"
    "\nExamples:\n"
    "  cavi sample model.npz --rows 5 --seed 1\n"
    "  cavi sample model.npz --rows 1000000 --out rows.npy --components components.npy";

}  // namespace

Command add_sample(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("sample", "Draw new rows from a model");
  parser->group("Commands");
  parser->footer(kFooter);
  auto a = std::make_shared<Arguments>();
  add_model_argument(*parser, a->model);
  const char* group = "Output";
  const auto add = [&](const char* name, Text& text, const char* type, const char* help) {
    parser->add_option(name, text, help)->type_name(type)->group(group);
  };
  add("--rows", a->rows, "N", "How many (required)");
  add("--seed", a->seed, "S", "Other seeds give other rows (default 0)");
  add("--out", a->out, "FILE", kOutHelp);
  add("--components", a->components, "FILE", "Write the component of every row, too");
  add_device_options(*parser, a->model.device, a->model.threads);
  return {parser, [a] { sample(*a); }};
}

}  // namespace cavi::cli
