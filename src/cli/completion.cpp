// SPDX-License-Identifier: Apache-2.0
// cavi completion: scripts that complete commands, options and the words they take in a shell.
#include "src/cli/command.hpp"
#include "src/cli/describe.hpp"
#include "src/cli/inputs.hpp"
#include "src/cli/text.hpp"

#include <map>
#include <memory>
#include <string>

namespace cavi::cli {
namespace {

std::string option_words(const CLI::App& parser) {
  std::string words;
  for (const OptionText& o : options_of(parser))
    if (!o.positional) words += (words.empty() ? "" : " ") + o.name;
  return words;
}

template <class E>
std::string spaced(const Choices<E>& choices) {
  std::string out;
  for (const auto& [word, value] : choices) out += (out.empty() ? "" : " ") + word;
  return out;
}

/// Words that an option takes. The name of a file may stand for them, too, or a list of them.
struct Offer {
  std::string words;
  bool or_file = false;
};
const std::map<std::string, Offer>& offers() {
  static const std::map<std::string, Offer> offers{{"--family", {spaced(kFamilies)}},
                                                   {"--covariance-type", {spaced(kCovarianceTypes)}},
                                                   {"--weight-prior", {spaced(kWeightPriors)}},
                                                   {"--mean-prior", {"mean zero", true}},
                                                   {"--covariance-prior", {"empirical identity", true}},
                                                   {"--init", {spaced(kInits), true}},
                                                   {"--precision", {spaced(kPrecisions)}},
                                                   {"--device", {"auto cpu cuda"}},
                                                   {"--type", {"f4 f8 i4"}}};
  return offers;
}

/// What zsh does to complete the value of an option.
std::string zsh_action(const std::string& option) {
  const auto found = offers().find(option);
  if (found == offers().end()) return "_files";
  const auto& [words, or_file] = found->second;
  return or_file ? fmt::format("{{compadd {}; _files}}", words) : fmt::format("({})", words);
}

/// Where nothing fits, bash goes on with the names of files.
std::string bash_script(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : commands_of(app)) {
    commands += command->get_name() + " ";
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), option_words(*command));
  }
  std::string values;
  for (const auto& [option, offer] : offers()) values += fmt::format("    {}) values=\"{}\" ;;\n", option, offer.words);
  return "# bash completion of cavi: source <(cavi completion bash)\n"
         "_cavi() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} words= values=\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    COMPREPLY=($(compgen -W \"" +
         commands + option_words(app) +
         "\" -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n" +
         cases +
         "  esac\n"
         "  case ${COMP_WORDS[COMP_CWORD-1]} in\n" +
         values +
         "  esac\n"
         "  [[ $word == -* || $values ]] && words=${values:-$words} || words=\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "}\n"
         "complete -o bashdefault -o default -F _cavi cavi\n";
}

/// Inside '...': what _arguments and _describe read as a mark of their own is escaped.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += (c == '[' || c == ']' || c == ':' || c == '\\' ? "\\" : "") + std::string(1, c);
  }
  return out;
}

std::string zsh_script(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : commands_of(app)) {
    commands += fmt::format("    '{}:{}'\n", command->get_name(), zsh_text(command->get_description()));
    cases += fmt::format("    {})\n      _arguments", command->get_name());
    for (const OptionText& o : options_of(*command)) {
      if (o.positional) continue;
      const std::string value = o.type.empty() ? "" : fmt::format(":{}:{}", zsh_text(o.type), zsh_action(o.name));
      cases += fmt::format(" \\\n        '{}[{}]{}'", o.name, zsh_text(o.help), value);
    }
    cases += " \\\n        '*:file:_files' ;;\n";
  }
  return "#compdef cavi\n"
         "# zsh completion of cavi: source <(cavi completion zsh), or a file _cavi in a folder of $fpath\n"
         "_cavi() {\n"
         "  local -a commands=(\n" +
         commands +
         "  )\n"
         "  if ((CURRENT == 2)); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  shift words\n"
         "  ((CURRENT--))\n"
         "  case $words[1] in\n" +
         cases +
         "  esac\n"
         "}\n"
         "if [[ $funcstack[1] == _cavi ]]; then _cavi \"$@\"; else compdef _cavi cavi; fi\n";
}

constexpr const char* kFooter =
    "\nExamples:\n"
    "  source <(cavi completion bash)                  # in ~/.bashrc\n"
    "  cavi completion zsh > ~/.zsh/completions/_cavi  # a folder of $fpath";

}  // namespace

Command add_completion(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("completion", "Print a script that completes commands in bash or zsh");
  parser->group("Commands");
  parser->footer(kFooter);
  auto shell = std::make_shared<Text>();
  parser->add_option("SHELL", *shell, "bash or zsh")->type_name("NAME");
  return {parser, [shell, &app] {
            if (*shell == "bash")
              fmt::print("{}", bash_script(app));
            else if (*shell == "zsh")
              fmt::print("{}", zsh_script(app));
            else
              throw InputError(*shell ? fmt::format("SHELL: '{}' is none of bash, zsh", **shell)
                                      : "SHELL is required: bash or zsh");
          }};
}

}  // namespace cavi::cli
