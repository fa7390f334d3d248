// SPDX-License-Identifier: Apache-2.0
// cavi man: the manual page, in the macros of man(7).
#include "src/cli/command.hpp"
#include "src/cli/describe.hpp"
#include "src/cli/text.hpp"

#include <sstream>

namespace cavi::cli {
namespace {

/// Text whose lines are no requests and whose dashes can be copied.
std::string roff(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (!out.empty()) out += '\n';
    if (line.starts_with('.') || line.starts_with('\'')) out += "\\&";
    for (const char c : line) {
      if (c == '\\')
        out += "\\e";
      else
        out += (c == '-' ? "\\" : "") + std::string(1, c);
    }
  }
  return out;
}

/// As it stands, in columns.
std::string verbatim(const std::string& text) { return text.empty() ? "" : ".PP\n.nf\n" + roff(text) + "\n.fi\n"; }

std::string option_list(const CLI::App& parser) {
  std::string out;
  for (const OptionText& o : options_of(parser)) {
    out += fmt::format(".TP\n\\fB{}\\fR", roff(o.name));
    if (!o.type.empty() && !o.positional) out += fmt::format(" \\fI{}\\fR", roff(o.type));
    out += "\n" + roff(o.help) + "\n";
  }
  return out;
}

/// Without the empty line that keeps it apart in the help.
std::string footer_of(const CLI::App& parser) {
  const std::string text = parser.get_footer();
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

std::string manual_page(const CLI::App& app) {
  std::string page =
      ".TH CAVI 1 \"\" \"cavi " CAVI_VERSION "\" \"User Commands\"\n.SH NAME\ncavi \\- Bayesian mixtures\n";
  page += ".SH SYNOPSIS\n";
  for (const CLI::App* command : commands_of(app)) page += ".B " + roff(usage_of(*command)) + "\n.br\n";
  page += ".SH DESCRIPTION\n" + roff(app.get_description()) + "\n" + verbatim(footer_of(app));
  page += ".SH OPTIONS\n" + option_list(app);
  for (const CLI::App* command : commands_of(app)) {
    page += fmt::format(".SH COMMAND {}\n.B {}\n.PP\n{}.\n", roff(command->get_name()), roff(usage_of(*command)),
                        roff(command->get_description()));
    page += option_list(*command) + verbatim(footer_of(*command));
  }
  return page;
}

}  // namespace

Command add_man(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("man", "Print the manual page: cavi man | man -l -");
  parser->group("");  // for packages: the help does not show it
  return {parser, [&app] { fmt::print("{}", manual_page(app)); }};
}

}  // namespace cavi::cli
