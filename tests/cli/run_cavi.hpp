// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs the built command.
#pragma once

#include "tests/io_files.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace cavi::test {

struct Run {
  int code = -1;  ///< exit code; -1 when a signal ended it
  std::string out, err;
};

/// `cavi arguments...` with a file as standard input; neither output is a terminal.
Run run_cavi(const std::vector<std::string>& arguments, const std::string& input = "/dev/null");
/// The same with a terminal as standard error.
Run run_cavi_on_terminal(const std::vector<std::string>& arguments);

/// `cavi fit arguments... --json`; the test fails unless it ends with 0 and prints one JSON document.
nlohmann::json fit_json(std::vector<std::string> arguments);

/// Runs `cavi arguments...`, which must end with `code`, one line on standard error and nothing on standard output;
/// returns the line without "cavi: " and the end of line.
std::string refusal(const std::vector<std::string>& arguments, int code = 2);

inline std::string test_file(const std::string& name) { return std::string(CAVI_TEST_DIR) + "/" + name; }

}  // namespace cavi::test
