// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rows that a command works on: its argument DATA, and the options that say how to read it.
#pragma once

#include "src/cli/text.hpp"

#include <cavi/io.hpp>
#include <cavi/matrix.hpp>

namespace cavi::cli {

struct DataArguments {
  Text file, columns, raw, memory;
};

void add_data_options(CLI::App& parser, DataArguments& data);

/// What the options say. What is wrong becomes a complaint.
ReadOptions read_data_options(const DataArguments& data, Complaints& complaints);

/// Opens the rows; nothing when there is a complaint.
std::optional<Matrix> read_data(const DataArguments& data, Complaints& complaints);

}  // namespace cavi::cli
