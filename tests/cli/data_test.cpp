// SPDX-License-Identifier: Apache-2.0
// Where `cavi fit` takes its rows from.
#include "tests/cli/run_cavi.hpp"

#include <cavi/io.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

namespace {

using cavi::test::bytes_of;
using cavi::test::fit_json;
using cavi::test::Folder;
using cavi::test::raw;

using cavi::test::run_cavi;
using cavi::test::test_file;

const std::string kFaithful = test_file("data/faithful.csv");

/// What a fit reports but for the time.
nlohmann::json fit(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--n-components", "3", "--max-iter", "20"});
  nlohmann::json report = fit_json(arguments);
  report.erase("seconds");
  report.erase("rows_per_second");
  return report;
}

TEST(Data, IsTheSameFromEveryFormat) {
  const Folder folder;
  const auto expected = fit({kFaithful});
  const std::vector<double> values = cavi::open_matrix(kFaithful).to_vector();
  const std::string array = folder.path / "x.npy", binary = folder.write("x.bin", raw(values));
  cavi::write_npy(array, values, 272, 2);
  EXPECT_EQ(fit({array}), expected);
  for (const char* memory : {"0", "1K", "2M", "1G"}) EXPECT_EQ(fit({array, "--memory", memory}), expected);
  EXPECT_EQ(fit({kFaithful, "--memory", "0"}), expected);
  EXPECT_EQ(fit({binary, "--raw", "f8:272x2"}), expected);
  EXPECT_EQ(fit({binary, "--raw", "f8:x2", "--memory", "0"}), expected);
  EXPECT_EQ(fit({kFaithful, "--columns", "eruptions,waiting"}), expected);
  EXPECT_EQ(fit({array, "--columns", "1"}), fit({kFaithful, "--columns", "waiting"}));
}

TEST(Data, FromStandardInput) {
  const auto from = [](const std::string& input) {
    return run_cavi({"fit", "-", "--n-components", "6", "--max-iter", "500", "--seed", "1"}, input);
  };
  const auto file = run_cavi({"fit", kFaithful, "--n-components", "6", "--max-iter", "500", "--seed", "1"});
  const auto table = [](const auto& run) { return run.out.substr(run.out.find('\n')); };  // the first line has the time
  const auto run = from(kFaithful);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(table(run), table(file));
  const Folder folder;
  const std::string pipe = folder.path / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] {
    std::ofstream out(pipe);
    for (const char c : bytes_of(kFaithful)) out << c << std::flush;  // in the smallest pieces
  });
  EXPECT_EQ(table(from(pipe)), table(file));
  writer.join();
  const auto nothing = from("/dev/null");
  EXPECT_EQ(nothing.code, 2);
  EXPECT_EQ(nothing.err, "cavi: standard input: the file is empty\n");
  const auto folder_as_input = from(folder.path);
  EXPECT_EQ(folder_as_input.code, 2);
  EXPECT_EQ(folder_as_input.err, "cavi: standard input: Is a directory\n");
}

TEST(Data, OptionsThatAreWrongAreNamed) {
  const auto says = [](std::vector<std::string> options) {
    options.insert(options.begin(), {"fit", kFaithful, "--n-components", "2"});
    const auto run = run_cavi(options);
    EXPECT_EQ(run.code, 2);
    EXPECT_EQ(run.out, "");
    return run.err;
  };
  for (const char* memory : {"", "M", "-1", "1.5G", "1g", "1GB", "99999999999999999999", "16777216T"})
    EXPECT_EQ(says({"--memory", memory}),
              std::string("cavi: --memory: '") + memory + "' is no number of bytes such as 500000, 64M or 2G\n");
  for (const char* layout : {"", "f4", "f4:", "f4:x", "f4:3", "f2:x3", "f4:0x3", "f4:-1x3", "f4:2x0", "f4:2x3x4", "x3",
                             "f4:2x99999999999", "f4: 2x3", "xf4:2"})
    EXPECT_EQ(says({"--raw", layout}), std::string("cavi: --raw: '") + layout +
                                           "' is no TYPE:ROWSxCOLS or TYPE:xCOLS with a type of f4, f8, i4, i8, u1\n");
  EXPECT_EQ(says({"--columns", "waiting,"}), "cavi: --columns: 'waiting,' has an empty name\n");
  EXPECT_EQ(says({"--columns", "waitin"}),
            "cavi: " + kFaithful + ": column 'waitin' is not there; there are 2 columns, numbered from 0\n");
}

}  // namespace
