// SPDX-License-Identifier: Apache-2.0
#include "src/cli/config.hpp"

#include "src/cli/text.hpp"
#include "src/io/file.hpp"

#include <set>
#include <string>
#include <string_view>

namespace cavi::cli {
namespace {

constexpr const char* kOption = "--config";
constexpr std::int64_t kMostBytes = 1 << 20;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// What stands before a comment: a # at the beginning or after a blank, outside quotes.
std::string_view without_comment(std::string_view line) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) {
      return line.substr(0, i);
    }
  }
  return line;
}

std::string_view unquote(std::string_view value) {
  const bool quoted = value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
  return quoted ? value.substr(1, value.size() - 2) : value;
}

/// One line of the file. What the command line says stands.
void apply(CLI::App& parser, std::string_view line, const std::string& where, std::set<std::string>& seen) {
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) throw InputError(where + "expected NAME = VALUE");
  const std::string name(trim(line.substr(0, equals)));
  std::string value(unquote(trim(line.substr(equals + 1))));
  CLI::Option* option = parser.get_option_no_throw("--" + name);
  if (!option || name == "config" || name == "help")
    throw InputError(fmt::format("{}cavi {} has no option '{}' to be set", where, parser.get_name(), name));
  if (!seen.insert(name).second) throw InputError(fmt::format("{}'{}' is set twice", where, name));
  const bool flag = option->get_items_expected_max() == 0;
  if (flag && value != "true" && value != "false")
    throw InputError(fmt::format("{}{} must be true or false, not '{}'", where, name, value));
  if (option->count() > 0 || (flag && value == "false")) return;
  option->add_result(std::move(value));
  option->run_callback();
}

}  // namespace

void add_config_option(CLI::App& parser) {
  parser
      .add_option(kOption,
                  "Take options from FILE that are not given here: lines\nlike `n-components = 20`, and # for comments")
      ->type_name("FILE");
}

void apply_config(CLI::App& parser) {
  const CLI::Option* config = parser.get_option_no_throw(kOption);
  if (!config || config->count() == 0) return;
  const io::InputFile file(config->as<std::string>());
  if (file.size() > kMostBytes) throw InputError(file.name() + ": too large for a file of options");
  std::string text(std::size_t(file.size()), '\0');
  file.read(0, text.size(), text.data());

  std::set<std::string> seen;
  int number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trim(without_comment(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (!line.empty()) apply(parser, line, fmt::format("{}: line {}: ", file.name(), number), seen);
  }
}

}  // namespace cavi::cli
