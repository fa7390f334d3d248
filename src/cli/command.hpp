// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the commands of `cavi` have in common. A command is one file: it adds its options to the parser and says what
/// to run when it was asked for.
#pragma once

#include <CLI/App.hpp>

#include <functional>
#include <stdexcept>

namespace cavi::cli {

/// Exit codes.
inline constexpr int kDone = 0, kFailed = 1, kWrongInput = 2;

/// The user asked for something that cannot be: exit code kWrongInput.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// All of `cavi`: the exit code. Throws nothing.
int run_command_line(int argc, char** argv);

struct Command {
  CLI::App* parser;
  std::function<void()> run;
};

Command add_fit(CLI::App& app);
Command add_predict(CLI::App& app);
Command add_score(CLI::App& app);
Command add_sample(CLI::App& app);
Command add_info(CLI::App& app);
Command add_convert(CLI::App& app);
Command add_bench(CLI::App& app);
Command add_completion(CLI::App& app);
Command add_man(CLI::App& app);

}  // namespace cavi::cli
