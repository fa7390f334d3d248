// SPDX-License-Identifier: Apache-2.0
/// \file
/// The command line about itself: what completion and the manual page are made from.
#pragma once

#include <CLI/App.hpp>

#include <string>
#include <vector>

namespace cavi::cli {

struct OptionText {
  std::string name;  ///< "--seed", or "DATA"
  std::string type;  ///< of its value: "S"; empty for none
  std::string help;  ///< on one line
  bool positional = false;
};

/// Commands that the help shows, in its order.
std::vector<const CLI::App*> commands_of(const CLI::App& app);
/// Arguments and options of one of them, or of `cavi` itself.
std::vector<OptionText> options_of(const CLI::App& parser);
/// "cavi fit DATA [OPTIONS]"; arguments whose type stands in brackets may be left out.
std::string usage_of(const CLI::App& parser);

}  // namespace cavi::cli
