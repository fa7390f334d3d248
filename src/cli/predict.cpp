// SPDX-License-Identifier: Apache-2.0
// cavi predict: the component of every row.
#include "src/cli/command.hpp"
#include "src/cli/model.hpp"
#include "src/cli/row_writer.hpp"

#include <memory>

namespace cavi::cli {
namespace {

struct Arguments {
  ModelArguments model;
  DataArguments data;
  Text top, out;
  bool proba = false;
};

/// "p0", "p1", ...
std::vector<std::string> numbered(const char* name, int count, int first) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", name, first + i));
  return names;
}

void write_labels(const Mixture& m, const Matrix& x, const Text& file) {
  RowWriter out(file, {x.rows()}, {"component"}, StoredType::i4);
  m.predict(x, [&](std::span<const std::int32_t> labels) { out.append(labels); });
  out.commit();
}

void write_probabilities(const Mixture& m, const Matrix& x, const Text& file) {
  const int k = m.posterior().n_components;
  RowWriter out(file, {x.rows(), k}, numbered("p", k, 0), StoredType::f8);
  m.predict_proba(x, [&](std::span<const double> r) { out.append(r); });
  out.commit();
}

void write_top(const Mixture& m, const Matrix& x, int k, const Text& file) {
  std::vector<std::string> names = numbered("component", k, 1);
  for (std::string& name : numbered("probability", k, 1)) names.push_back(std::move(name));
  RowWriter out(file, {x.rows(), 2 * k}, std::move(names), StoredType::f8);
  std::vector<double> block;
  m.predict_top(x, k, [&](std::span<const std::int32_t> components, std::span<const double> probabilities) {
    const std::size_t width = std::size_t(k);
    block.clear();
    for (std::size_t n = 0; n < components.size(); n += width) {
      for (std::size_t t = 0; t < width; ++t) block.push_back(components[n + t]);
      for (std::size_t t = 0; t < width; ++t) block.push_back(probabilities[n + t]);
    }
    out.append(block);
  });
  out.commit();
}

void predict(const Arguments& a) {
  Complaints complaints;
  const std::optional<Mixture> m = read_model(a.model, complaints);
  const std::optional<Matrix> x = read_data_for(m, a.data, complaints);
  int top = 1;
  read_number<int>("--top", a.top, top, complaints);
  if (a.top && a.proba) complaints.add("--top and --proba exclude each other");
  if (m && (top < 1 || top > m->posterior().n_components))
    complaints.add(fmt::format("--top must be 1 to {}, not {}", m->posterior().n_components, top));
  complaints.throw_if_any();
  blame_data([&] {
    if (a.proba)
      write_probabilities(*m, *x, a.out);
    else if (a.top)
      write_top(*m, *x, top, a.out);
    else
      write_labels(*m, *x, a.out);
  });
}

constexpr const char* kFooter =
    "\nPrints one line per row under a line of names: the component (from 0, as in the table of `cavi fit`)\n"
    "with the largest responsibility. Rows are read block by block, so DATA may be larger than memory.\n"
    "\nExamples:\n"
    "  cavi predict model.npz new.csv\n"
    "  cavi predict model.npz big.npy --out labels.npy\n"
    "  cavi predict model.npz new.csv --top 3\n"
    "\nA .npy file has N whole numbers (i4); N x K probabilities (f8) with --proba; N x 2k numbers (f8) with\n"
    "--top k, first the k components, then their probabilities.";

}  // namespace

Command add_predict(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("predict", "Tell which component each row comes from");
  parser->group("Commands");
  parser->footer(kFooter);
  auto a = std::make_shared<Arguments>();
  add_model_argument(*parser, a->model);
  add_data_options(*parser, a->data);
  const char* group = "Output";
  parser->add_flag("--proba", a->proba, "The probabilities (responsibilities) of all components")->group(group);
  parser->add_option("--top", a->top, "The k most probable components and their probabilities")
      ->type_name("k")
      ->group(group);
  parser->add_option("--out", a->out, kOutHelp)->type_name("FILE")->group(group);
  add_device_options(*parser, a->model.device, a->model.threads);
  return {parser, [a] { predict(*a); }};
}

}  // namespace cavi::cli
