// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the commands have in common that work with a fitted model.
#pragma once

#include "src/cli/data.hpp"
#include "src/cli/text.hpp"

#include <cavi/mixture.hpp>

#include <CLI/App.hpp>

#include <optional>

namespace cavi::cli {

/// MODEL, and where it runs.
struct ModelArguments {
  Text file, device, threads;
};

void add_device_options(CLI::App& parser, Text& device, Text& threads);
/// The argument MODEL alone: where it runs comes last in the help.
void add_model_argument(CLI::App& parser, ModelArguments& model);

/// Loads the model; nothing when there is a complaint.
std::optional<Mixture> read_model(const ModelArguments& model, Complaints& complaints);

/// Opens the rows for the model, whose columns are found by name where both have names; nothing when there is a
/// complaint.
std::optional<Matrix> read_data_for(const std::optional<Mixture>& model, const DataArguments& data,
                                    Complaints& complaints);

/// Runs `step` on rows of DATA; numbers that are not finite are an InputError.
template <class Step>
void blame_data(Step&& step) {
  try {
    step();
  } catch (const NumericalError& e) {
    throw InputError(e.what());
  }
}

}  // namespace cavi::cli
