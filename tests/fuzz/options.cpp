// SPDX-License-Identifier: Apache-2.0
// Lines as arguments of `cavi fit`, whose data do not exist: help, or a complaint.
#include "src/cli/command.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> arguments{"cavi", "fit", "/dev/null/none.npy", ""};
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == '\n')
      arguments.emplace_back();
    else if (data[i] != 0)
      arguments.back() += char(data[i]);
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int code = cavi::cli::run_command_line(int(arguments.size()), argv.data());
  cavi::fuzz::require(code == 0 || code == 2, "wrong usage is a complaint about usage");
  return 0;
}
