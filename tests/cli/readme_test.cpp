// SPDX-License-Identifier: Apache-2.0
// Every command of the README runs, one after the other, and prints what the README says: the same words, and numbers
// that agree up to the rounding of float32 fits. How long a fit took is left out, and the sweep in which it met its
// tolerance may be the next one.
#include "tests/cli/run_cavi.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>
#include <sstream>

namespace {

using cavi::test::bytes_of;
using cavi::test::Folder;

constexpr double kNumbers = 5e-3;  // relative

struct Example {
  std::string command, output;
};

/// "$ cavi ..." and what follows, from the blocks without a language; the demo's command is one of them. Other
/// commands, which build and test, are left out.
std::vector<Example> examples() {
  const std::string demo = "+ build/demo/";
  std::istringstream lines(bytes_of(std::string(CAVI_TEST_DIR) + "/../README.md"));
  std::vector<Example> out;
  bool inside = false, wanted = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = !inside && line == "```";
      wanted = false;
    } else if (inside && line.starts_with("$ ")) {
      wanted = line.find("scripts/") == std::string::npos;
      if (wanted) out.push_back({line.substr(2), ""});
    } else if (inside && line.starts_with(demo)) {
      wanted = true;
      out.push_back({line.substr(demo.size()), ""});
    } else if (wanted) {
      out.back().output += line + "\n";
    }
  }
  return out;
}

std::string masked(const std::string& text) {
  const std::string times = std::regex_replace(text, std::regex(", [^,]* s in sweeps \\([^)]*\\)"), "");
  return std::regex_replace(times, std::regex("after [0-9]+ sweeps"), "after some sweeps");
}

/// Words and numbers between blanks and commas.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  const std::regex word("[^ ,]+");
  for (std::sregex_iterator at(line.begin(), line.end(), word), end; at != end; ++at) words.push_back(at->str());
  return words;
}

bool same(const std::string& a, const std::string& b) {
  if (a == b) return true;
  char *a_end = nullptr, *b_end = nullptr;
  const double x = std::strtod(a.c_str(), &a_end), y = std::strtod(b.c_str(), &b_end);
  const bool numbers = *a_end == 0 && *b_end == 0 && !a.empty() && !b.empty();
  return numbers && std::abs(x - y) <= kNumbers * std::max(std::abs(x), std::abs(y));
}

bool same_line(const std::string& a, const std::string& b) {
  const auto x = words_of(a), y = words_of(b);
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
}

TEST(Readme, CommandsPrintWhatItSays) {
  const Folder folder;
  std::filesystem::create_directory(folder.path / "tests");
  std::filesystem::create_directory_symlink(std::string(CAVI_TEST_DIR) + "/data", folder.path / "tests" / "data");
  const std::string bin = std::filesystem::path(CAVI_CLI).parent_path();
  const auto all = examples();
  ASSERT_GE(all.size(), 10u);
  for (const Example& example : all) {
    SCOPED_TRACE(example.command);
    folder.write("command", example.command + "\n");
    const std::string shell =
        "cd '" + folder.path.string() + "' && PATH='" + bin + "':$PATH bash command > output 2>&1";
    EXPECT_EQ(std::system(shell.c_str()), 0);
    const std::string printed = bytes_of(folder.path / "output");
    std::istringstream got(masked(printed)), expected(masked(example.output));
    for (std::string a, b;;) {
      const bool more = bool(std::getline(got, a)), wanted = bool(std::getline(expected, b));
      ASSERT_EQ(more, wanted) << printed;
      if (!more) break;
      EXPECT_PRED2(same_line, a, b);
    }
  }
}

TEST(Readme, NumbersThatDifferAreSeen) {
  EXPECT_TRUE(same_line("bound -1205.48 nats", "bound  -1205.49 nats"));
  EXPECT_FALSE(same_line("bound -1205.48 nats", "bound -1305.49 nats"));
  EXPECT_FALSE(same_line("1,2", "1,2,3"));
  EXPECT_FALSE(same_line("component", "components"));
  EXPECT_EQ(masked("converged after 140 sweeps, 0.1 s in sweeps (2.6e+07 rows/s)"), "converged after some sweeps");
}

}  // namespace
