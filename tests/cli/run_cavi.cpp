// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/run_cavi.hpp"

#include <fcntl.h>
#include <pty.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace cavi::test {
namespace {

/// `terminal`: descriptor that becomes standard error, or -1 for a file.
Run run(std::vector<std::string> arguments, const std::string& input, int terminal) {
  const Folder folder;
  const std::string out = folder.path / "out", err = folder.path / "err";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  if (terminal >= 0)
    posix_spawn_file_actions_adddup2(&actions, terminal, 2);
  else
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);

  arguments.insert(arguments.begin(), CAVI_CLI);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawn(&child, CAVI_CLI, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(error, 0) << CAVI_CLI;
  int status = 0;
  if (error != 0 || ::waitpid(child, &status, 0) != child) return {};
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, bytes_of(out), terminal >= 0 ? "" : bytes_of(err)};
}

}  // namespace

Run run_cavi(const std::vector<std::string>& arguments, const std::string& input) { return run(arguments, input, -1); }

Run run_cavi_on_terminal(const std::vector<std::string>& arguments) {
  int master = -1, slave = -1;
  if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) throw std::runtime_error("no pseudo terminal");
  Run result = run(arguments, "/dev/null", slave);
  // What was written waits in the terminal; without a reader it holds a few thousand bytes, enough for short fits.
  ::fcntl(master, F_SETFL, O_NONBLOCK);
  char block[4096];
  for (ssize_t n; (n = ::read(master, block, sizeof block)) > 0;) result.err.append(block, std::size_t(n));
  ::close(slave);
  ::close(master);
  return result;
}

std::string refusal(const std::vector<std::string>& arguments, int code) {
  const Run run = run_cavi(arguments);
  EXPECT_EQ(run.code, code) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(run.err.starts_with("cavi: ")) << run.err;
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  return run.err.size() > 7 ? run.err.substr(6, run.err.size() - 7) : "";
}

nlohmann::json fit_json(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "fit");
  arguments.push_back("--json");
  const Run run = run_cavi(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  const auto document = nlohmann::json::parse(run.out, nullptr, false);
  EXPECT_TRUE(document.is_object()) << run.out.substr(0, 200);
  return document;
}

}  // namespace cavi::test
