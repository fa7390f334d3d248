// SPDX-License-Identifier: Apache-2.0
#include "src/cli/model.hpp"

#include "src/cli/inputs.hpp"
#include "src/io/columns.hpp"

namespace cavi::cli {

void add_device_options(CLI::App& parser, Text& device, Text& threads) {
  const char* group = "Where it runs";
  parser.add_option("--device", device, "auto (default: a CUDA device if there is one), cpu,\ncuda or cuda:N")
      ->type_name("DEVICE")
      ->group(group);
  parser
      .add_option("--threads", threads,
                  "Threads of the CPU (default: one per processor); the\nresult does not depend on them")
      ->type_name("T")
      ->group(group);
}

void add_model_argument(CLI::App& parser, ModelArguments& model) {
  parser.add_option("MODEL", model.file, "A fitted model: what `cavi fit --save` wrote")->type_name("FILE");
}

std::optional<Mixture> read_model(const ModelArguments& model, Complaints& complaints) {
  const Device device = read_device(model.device, model.threads, complaints);
  std::optional<Mixture> mixture;
  if (!model.file)
    complaints.add("MODEL is required: a file that `cavi fit --save` wrote");
  else
    complaints.attempt([&] { mixture = Mixture::load(*model.file, device); });
  return mixture;
}

std::optional<Matrix> read_data_for(const std::optional<Mixture>& model, const DataArguments& data,
                                    Complaints& complaints) {
  std::optional<Matrix> x = read_data(data, complaints);
  if (x && model) x = io::in_order_of(model->posterior().column_names, *x);
  return x;
}

}  // namespace cavi::cli
