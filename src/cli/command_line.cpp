// SPDX-License-Identifier: Apache-2.0
// The cavi command: which subcommand runs, and what becomes of its exceptions.
#include "src/cli/command.hpp"
#include "src/cli/config.hpp"
#include "src/cli/describe.hpp"
#include "src/cli/text.hpp"
#include "src/io/file.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

using namespace cavi::cli;

constexpr const char* kDescription =
    "Bayesian mixtures by coordinate-ascent variational inference: as many components as the\n"
    "data support, their uncertainty, and an exact bound on the evidence.\n";
constexpr const char* kFooter =
    "\nExamples:\n"
    "  cavi fit measurements.csv --n-components 20 --save model.npz   # find the groups\n"
    "  cavi info model.npz                                            # what they are\n"
    "  cavi predict model.npz new.csv --out groups.npy                # which group new rows belong to\n"
    "  cavi score model.npz new.csv                                   # how well the model foresaw them\n"
    "  cavi sample model.npz --rows 1000 --out like_them.csv          # rows of the same kind\n"
    "\n`cavi COMMAND --help` explains a command. Exit codes: 0 done, 1 failed, 2 wrong usage or input.";

/// What must be given stands without brackets.
struct Help : CLI::Formatter {
  std::string make_usage(const CLI::App* app, std::string) const override { return "Usage: " + usage_of(*app) + "\n"; }
};

int complain(int code, const std::string& message) {
  fmt::print(stderr, "cavi: {}\n", one_line(message));
  return code;
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "cavi");
  app.footer(kFooter);
  app.set_version_flag("--version", "cavi " CAVI_VERSION, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.formatter(std::make_shared<Help>());
  app.get_formatter()->column_width(34);
  const std::vector<Command> commands{add_fit(app),    add_predict(app),    add_score(app),
                                      add_sample(app), add_info(app),       add_convert(app),
                                      add_bench(app),  add_completion(app), add_man(app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    return finish_output() ? kDone : complain(kFailed, "standard output cannot be written");
  } catch (const CLI::ParseError& e) {
    return complain(kWrongInput, fmt::format("{}; see cavi --help", e.what()));
  }
  for (const Command& command : commands) {
    if (!command.parser->parsed()) continue;
    apply_config(*command.parser);
    command.run();
    return finish_output() ? kDone : complain(kFailed, "standard output cannot be written");
  }
  return complain(kWrongInput, "a command is missing; see cavi --help");
}

/// run(), with an exit code and a line for every exception.
int run_and_explain(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const InputError& e) {
    return complain(kWrongInput, e.what());
  } catch (const cavi::io::WriteError& e) {  // before IoError, which it is
    return complain(kFailed, e.what());
  } catch (const cavi::IoError& e) {
    return complain(kWrongInput, e.what());
  } catch (const cavi::OptionError& e) {
    return complain(kWrongInput, e.what());
  } catch (const cavi::ShapeError& e) {
    return complain(kWrongInput, e.what());
  } catch (const std::bad_alloc&) {
    return complain(kFailed, "out of memory");
  } catch (const std::exception& e) {
    return complain(kFailed, e.what());
  }
}

}  // namespace

int cavi::cli::run_command_line(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow any more is an error with a message
  try {
    return run_and_explain(argc, argv);
  } catch (...) {  // not even the explanation could be printed
    return kFailed;
  }
}
