// SPDX-License-Identifier: Apache-2.0
#include "src/cli/describe.hpp"

#include <algorithm>

namespace cavi::cli {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

std::vector<OptionText> options_of(const CLI::App& parser) {
  std::vector<OptionText> out;
  for (const CLI::Option* option : parser.get_options()) {
    OptionText text;
    text.positional = option->get_positional();
    text.name = text.positional ? option->get_single_name() : "--" + option->get_single_name();
    if (option->get_items_expected_max() > 0) text.type = option->get_type_name();
    text.help = option->get_description();
    std::replace(text.help.begin(), text.help.end(), '\n', ' ');
    out.push_back(std::move(text));
  }
  return out;
}

std::string usage_of(const CLI::App& parser) {
  std::string usage = parser.get_parent() ? "cavi " + parser.get_name() : "cavi";
  for (const OptionText& option : options_of(parser))
    if (option.positional) usage += option.type.starts_with('[') ? " [" + option.name + "]" : " " + option.name;
  return usage + (commands_of(parser).empty() ? " [OPTIONS]" : " COMMAND [OPTIONS]");
}

}  // namespace cavi::cli
