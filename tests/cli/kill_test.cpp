// SPDX-License-Identifier: Apache-2.0
// A fit that is killed, again and again: what is on the disk is whole, and the result that of a fit left in peace.
#include "tests/cli/run_cavi.hpp"
#include "tests/fits.hpp"

#include <cavi/io.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <random>
#include <thread>

namespace {

using namespace cavi;
using cavi::test::bits;
using cavi::test::Folder;
using cavi::test::run_cavi;

constexpr int kSweeps = 150;

/// Starts the command and kills it after so long; false when it was done before.
bool kill_after(std::chrono::microseconds time, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), CAVI_CLI);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  EXPECT_EQ(posix_spawn(&child, CAVI_CLI, &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  std::this_thread::sleep_for(time);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status);
}

TEST(Kill, AtAnyMomentLeavesWholeFilesAndTheSameResult) {
  const char* often = std::getenv("CAVI_KILLS");  // by hand: 200
  const int kills = often ? std::atoi(often) : 10;
  const Folder folder;
  const std::string data = folder.path / "x.npy", checkpoint = folder.path / "c.npz", model = folder.path / "m.npz";
  write_npy(data, test::three_clouds(400, 3, 2).to_vector(), 400, 3);
  MixtureOptions o;
  o.n_components = 5;
  o.max_iter = kSweeps;
  o.tol = 0;
  const Mixture expected = test::fitted(o, open_matrix(data));
  const std::vector<std::string> fit{"fit",
                                     data,
                                     "--n-components",
                                     "5",
                                     "--tol",
                                     "0",
                                     "--max-iter",
                                     std::to_string(kSweeps),
                                     "--checkpoint",
                                     checkpoint,
                                     "--resume",
                                     "--checkpoint-every",
                                     "1",
                                     "--save",
                                     model,
                                     "--quiet"};
  std::mt19937 rng(1);
  int killed = 0, came_to = 0, finished = 0;
  while (killed < kills) {
    // From before the first file to after the last one, whatever the machine is busy with.
    const int most = 5000 << (killed % 6);
    const bool was_killed = kill_after(std::chrono::microseconds(std::uniform_int_distribution<>(0, most)(rng)), fit);
    killed += was_killed;
    if (std::filesystem::exists(checkpoint)) {
      const int now = Mixture::load(checkpoint).summary().n_iter;
      ASSERT_GE(now, came_to);
      came_to = now;
    }
    if (std::filesystem::exists(model)) {
      const Mixture loaded = Mixture::load(model);
      ASSERT_EQ(bits(loaded.posterior()), bits(expected.posterior()));
      ASSERT_EQ(bits(loaded.summary()), bits(expected.summary()));
    }
    if (!was_killed || came_to == kSweeps) {  // once more from the start; the model of before stays and is replaced
      std::filesystem::remove(checkpoint);
      came_to = 0;
      ++finished;
    }
  }
  const auto last = run_cavi(fit);
  EXPECT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(bits(Mixture::load(model).posterior()), bits(expected.posterior()));
  EXPECT_EQ(bits(Mixture::load(model).summary()), bits(expected.summary()));
  if (often) std::printf("killed %d times, came to the end %d times\n", killed, finished);
}

}  // namespace
