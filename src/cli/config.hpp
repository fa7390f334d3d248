// SPDX-License-Identifier: Apache-2.0
/// \file
/// Options of a command from a file.
///
///     # comments and empty lines
///     n-components = 20          names as on the command line, without the dashes
///     covariance-type = "diag"   quotes are not needed
///     quiet = true               for options without a value
#pragma once

#include <CLI/App.hpp>

namespace cavi::cli {

/// Adds --config.
void add_config_option(CLI::App& parser);

/// When the command line gave --config: sets every option of the file that the command line left out. Throws InputError
/// naming file and line, IoError.
void apply_config(CLI::App& parser);

}  // namespace cavi::cli
