// SPDX-License-Identifier: Apache-2.0
#include "src/cli/command.hpp"

int main(int argc, char** argv) { return cavi::cli::run_command_line(argc, argv); }
