// SPDX-License-Identifier: Apache-2.0
// What `cavi fit` leaves on the disk: models and checkpoints.
#include "tests/cli/run_cavi.hpp"
#include "tests/fits.hpp"

#include <cavi/io.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace {

using namespace cavi;
using cavi::test::bits;
using cavi::test::bytes_of;
using cavi::test::Folder;

using cavi::test::refusal;
using cavi::test::run_cavi;
using cavi::test::test_file;

const std::string kFaithful = test_file("data/faithful.csv");

test::Run fit(std::vector<std::string> more, int max_iter = 60) {
  std::vector<std::string> arguments{
      "fit", kFaithful, "--n-components", "6", "--max-iter", std::to_string(max_iter), "--quiet", "--tol", "0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_cavi(arguments);
}

Mixture expected() {
  MixtureOptions o;
  o.n_components = 6;
  o.max_iter = 60;
  o.tol = 0;
  return cavi::test::fitted(o, open_matrix(kFaithful));
}

TEST(Save, LeavesTheModelOfTheLibrary) {
  const Folder folder;
  const std::string file = folder.path / "m.npz";
  EXPECT_EQ(fit({"--save", file}).code, 0);
  const Mixture loaded = Mixture::load(file);
  EXPECT_EQ(bits(loaded.posterior()), bits(expected().posterior()));
  EXPECT_EQ(bits(loaded.summary()), bits(expected().summary()));
}

TEST(Resume, GoesOnAsIfNothingHadHappened) {
  const Folder folder;
  const std::string checkpoint = folder.path / "c.npz", model = folder.path / "m.npz";
  EXPECT_EQ(fit({"--checkpoint", checkpoint, "--resume", "--checkpoint-every", "7"}, 23).code, 0);
  EXPECT_EQ(Mixture::load(checkpoint).summary().n_iter, 23);
  const auto rest = fit({"--checkpoint", checkpoint, "--resume", "--save", model});
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(bits(Mixture::load(model).posterior()), bits(expected().posterior()));
  EXPECT_EQ(bits(Mixture::load(model).summary()), bits(expected().summary()));
  EXPECT_EQ(Mixture::load(checkpoint).summary().n_iter, 60);
}

TEST(Resume, RefusesTheCheckpointOfAnotherFit) {
  const Folder folder;
  const std::string checkpoint = folder.path / "c.npz";
  EXPECT_EQ(fit({"--checkpoint", checkpoint}, 3).code, 0);
  const std::string before = bytes_of(checkpoint);
  const auto says = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--checkpoint", checkpoint, "--resume"});
    const auto run = fit(more);
    EXPECT_EQ(run.code, 2);
    EXPECT_EQ(bytes_of(checkpoint), before);
    return run.err;
  };
  EXPECT_EQ(says({"--seed", "9"}), "cavi: " + checkpoint + ": seed is 9, not 0\n");
  EXPECT_EQ(says({"--columns", "waiting"}),
            "cavi: " + checkpoint + ": a checkpoint of 272 rows x 2 columns, the data have 272 x 1\n");
  const auto alone = fit({"--resume"}), every = fit({"--checkpoint-every", "3"});
  EXPECT_EQ(alone.err, "cavi: --resume needs --checkpoint\n");
  EXPECT_EQ(every.err, "cavi: --checkpoint-every needs --checkpoint\n");
  EXPECT_EQ(fit({"--checkpoint", checkpoint, "--checkpoint-every", "0"}).err,
            "cavi: --checkpoint-every must be at least 1, not 0\n");
}

TEST(Save, ThatIsNotPossibleIsOneLineAndLeavesNothing) {
  const Folder folder;
  const auto says = [&](const std::string& option, const std::string& file) {
    const auto run = fit({option, file}, 1000000);  // which would take minutes
    EXPECT_EQ(run.code, 2);
    EXPECT_EQ(run.out, "");
    return run.err;
  };
  for (const char* option : {"--save", "--checkpoint"}) {
    EXPECT_EQ(says(option, folder.path / "none" / "m.npz"), "cavi: " + (folder.path / "none" / "m.npz").string() +
                                                                ": cannot be written: No such file or directory\n");
    EXPECT_EQ(says(option, folder.path), "cavi: " + folder.path.string() + ": cannot be written: Is a directory\n");
    EXPECT_EQ(says(option, "/dev/full"), "cavi: /dev/full: cannot be written: is not a regular file\n");
    const std::string read_only = says(option, "/proc/m.npz");
    EXPECT_TRUE(read_only.starts_with("cavi: /proc/m.npz: cannot be written: ")) << read_only;
  }
  EXPECT_EQ(folder.size(), 0);
}

// A limit on the size of files stands for a disk that is full.
TEST(Save, OnAFullDiskKeepsWhatWasThere) {
  const Folder folder;
  const std::string file = folder.write("m.npz", "what was there before");
  const std::string command = "ulimit -f 1; exec '" CAVI_CLI "' fit '" + kFaithful + "' --n-components 6 --save '" +
                              file + "' 2>'" + (folder.path / "err").string() + "' >/dev/null";
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(bytes_of(folder.path / "err"), "cavi: " + file + ": cannot be written: File too large\n");
  EXPECT_EQ(bytes_of(file), "what was there before");
  EXPECT_EQ(folder.size(), 2);
}

TEST(Save, AndCheckpointAreTwoFiles) {
  const Folder folder;
  const std::string file = folder.path / "m.npz", again = folder.path / "." / "m.npz";
  EXPECT_EQ(refusal({"fit", kFaithful, "--n-components", "2", "--save", file, "--checkpoint", again}),
            "--save and --checkpoint both name " + file + "; give two files");
  EXPECT_EQ(folder.size(), 0);
}

// What a process leaves that is killed between the two steps of putting its file in place.
TEST(Save, RemovesWhatDeadProcessesLeft) {
  const Folder folder;
  const std::string file = folder.path / "m.npz", self = std::to_string(::getpid());
  for (const std::string name : {"m.npz.4194305-3.part", "m.npz.4194305-.part", "n.npz.4194305-3.part",
                                 "m.npz.4194305-3.part.npz", "m.npz.x-3.part"})  // the first alone is one
    folder.write(name, "");
  folder.write("m.npz." + self + "-0.part", "a process at work");
  EXPECT_EQ(fit({"--save", file}, 3).code, 0);
  EXPECT_FALSE(std::filesystem::exists(file + ".4194305-3.part"));
  EXPECT_TRUE(std::filesystem::exists(file + "." + self + "-0.part"));
  EXPECT_EQ(folder.size(), 6);
}

TEST(Resume, OfAModelSaysWhatIsMissing) {
  const Folder folder;
  const std::string file = folder.path / "m.npz";
  EXPECT_EQ(fit({"--save", file}, 3).code, 0);
  const auto run = fit({"--checkpoint", file, "--resume"}, 3);
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.err, "cavi: " + file +
                         ": a model without the state of its fit, which is in checkpoints alone; name another file\n");
}

}  // namespace
