// SPDX-License-Identifier: Apache-2.0
// cavi bench: what it says of a shape follows from the shape and the time; how long that was is not tested.
#include "tests/cli/run_cavi.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using cavi::test::Folder;
using cavi::test::refusal;
using cavi::test::run_cavi;
using cavi::test::test_file;
using nlohmann::json;

json bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "bench");
  for (const char* more : {"--device", "cpu", "--threads", "1", "--max-iter", "2", "--json"}) arguments.push_back(more);
  const auto run = run_cavi(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  return json::parse(run.out);
}

TEST(Bench, NumbersFollowFromShapeAndTime) {
  const json j = bench(
      {"--rows", "101", "--features", "5", "--n-components", "3,1", "--covariance-type", "full,tied,diag,spherical"});
  const std::vector<std::pair<std::string, double>> statistics{
      {"full", 21}, {"tied", 6}, {"diag", 11}, {"spherical", 7}};
  const double peak = j.at("fma_peak_gflops"), bandwidth = j.at("read_bandwidth_gb_per_second");
  EXPECT_GT(peak, 0);
  EXPECT_GT(bandwidth, 0);
  ASSERT_EQ(j.at("runs").size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    const json& run = j.at("runs").at(i);
    const auto& [type, p] = statistics[i / 2];
    const double k = i % 2 ? 1 : 3, seconds = 1e-3 * double(run.at("ms_per_sweep_median"));
    EXPECT_EQ(run.at("covariance_type"), type);
    EXPECT_EQ(run.at("components"), k);
    EXPECT_EQ(run.at("repeats"), 7);
    EXPECT_LE(run.at("ms_per_sweep_minimum"), run.at("ms_per_sweep_median"));
    EXPECT_NEAR(double(run.at("pairs_per_second")) * seconds, 101 * k, 1e-6);
    EXPECT_NEAR(double(run.at("gflops")) * 1e9 * seconds, 4 * 101 * k * p, 1e-6);
    EXPECT_NEAR(double(run.at("fraction_of_fma_peak")) * peak, double(run.at("gflops")), 1e-9 * peak);
    EXPECT_NEAR(double(run.at("fraction_of_read_bandwidth")) * bandwidth * 1e9 * seconds, 101 * 5 * 4, 1e-6);
    EXPECT_EQ(run.at("fraction_of_roofline"),
              std::max(double(run.at("fraction_of_fma_peak")), double(run.at("fraction_of_read_bandwidth"))));
    EXPECT_GT(run.at("processor_ms_per_sweep"), 0);
    EXPECT_GT(run.at("bound_error"), 0);  // two precisions have been run
    EXPECT_LT(run.at("bound_error"), 1e-5);
    EXPECT_GT(run.at("live_pairs"), 1 / k - 1e-9);  // a row matters to some component
    EXPECT_LE(run.at("live_pairs"), 1);
    EXPECT_GT(run.at("peak_memory_bytes"), 1e6);
  }
}

TEST(Bench, TakesRowsOfAFileAndOtherFamilies) {
  const json file =
      bench({test_file("data/faithful.csv"), "--n-components", "2", "--precision", "float64"}).at("runs").at(0);
  EXPECT_EQ(file.at("rows"), 272);
  EXPECT_EQ(file.at("features"), 2);
  EXPECT_EQ(file.at("precision"), "float64");
  for (const char* family : {"bernoulli", "poisson", "exponential", "geometric"}) {
    const json run =
        bench({"--rows", "60", "--features", "3", "--n-components", "2", "--family", family}).at("runs").at(0);
    EXPECT_EQ(run.at("family"), family);
    EXPECT_NEAR(double(run.at("gflops")) * 1e6 * double(run.at("ms_per_sweep_median")), 4 * 60 * 2 * 4, 1e-6);
  }
}

/// Rows of the table as words.
std::vector<std::vector<std::string>> table(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    rows.emplace_back(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
  }
  return rows;
}

TEST(Bench, PrintsARowForEachShape) {
  for (const char* kind : {"overlapping", "separated", "far", "denormal"}) {
    const auto run = run_cavi({"bench", "--rows", "50", "--features", "3", "--n-components", "1:3", "--kind", kind,
                               "--max-iter", "1", "--device", "cpu", "--threads", "1"});
    ASSERT_EQ(run.code, 0) << run.err;
    const auto rows = table(run.out);
    ASSERT_EQ(rows.size(), 5u) << run.out;
    EXPECT_EQ(rows[0][0], "cpu:");
    const std::vector<std::string> same{"50", "3", "K", "full", "float32"};
    for (std::size_t k = 1; k <= 3; ++k) {
      std::vector<std::string> expected = same;
      expected[2] = std::to_string(k);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), rows[k + 1].begin())) << run.out;
      EXPECT_EQ(rows[k + 1][7], "-") << "one sweep has no processor time between two sweeps";
    }
  }
}

TEST(Bench, PredictsHereAndElsewhereWithoutASweep) {
  const json j = bench({"--rows", "1000000000", "--features", "64", "--n-components", "64,128", "--predict"});
  std::vector<std::string> machines;
  for (const json& run : j.at("runs")) {
    machines.push_back(run.at("machine"));
    EXPECT_GT(run.at("predicted_ms_per_sweep"), 0);
    EXPECT_NE(run.at("predicted_bound_by"), "");
    EXPECT_EQ(run.at("rows"), 1'000'000'000);
  }
  const std::vector<std::string> each{"cpu", "H100", "H200", "A100", "L40S", "B200", "RTX 4090"};
  ASSERT_EQ(machines.size(), 2 * each.size());
  EXPECT_TRUE(std::equal(each.begin(), each.end(), machines.begin()));
  EXPECT_TRUE(std::equal(each.begin(), each.end(), machines.begin() + 7));
  for (std::size_t i = 0; i < each.size(); ++i)  // twice the components, twice the time
    EXPECT_NEAR(double(j.at("runs").at(i + 7).at("predicted_ms_per_sweep")) /
                    double(j.at("runs").at(i).at("predicted_ms_per_sweep")),
                2, 0.1);
}

TEST(Bench, RefusesByName) {
  EXPECT_EQ(refusal({"bench"}), "--n-components is required");
  EXPECT_EQ(refusal({"bench", "--n-components", "2", "--repeats", "6"}), "--repeats must be at least 7, not 6");
  EXPECT_EQ(refusal({"bench", "--n-components", "2", "--rows", "0", "--features", "-1"}),
            "--rows must be at least 1, not 0; --features must be at least 1, not -1");
  EXPECT_EQ(refusal({"bench", test_file("data/faithful.csv"), "--n-components", "2", "--rows", "10"}),
            "DATA has rows of its own: leave out --rows, --features and --kind");
  EXPECT_EQ(refusal({"bench", "--n-components", "2", "--raw", "f4:x2"}),
            "--columns, --raw and --memory are about DATA");
  EXPECT_EQ(refusal({"bench", "--n-components", "0", "--max-iter", "0", "--kind", "odd", "--init", "labels.npy"}),
            "--init: a start for all fits, not a file; --kind: 'odd' is none of overlapping, separated, far, denormal; "
            "--max-iter must be at least 1, not 0; --n-components must be at least 1, not 0");
  const Folder folder;
  const std::string hole = folder.write("hole.csv", "1,2\n3,nan\n");
  EXPECT_EQ(refusal({"bench", hole, "--n-components", "1", "--device", "cpu"}).find(hole + ": row 1, column 1"), 0u);
  EXPECT_EQ(refusal({"bench", "none.npy", "--n-components", "2"}), "none.npy: No such file or directory");
  EXPECT_EQ(refusal({"bench", "--n-components", "2", "--rows", "9000000000000", "--features", "1000"}),
            "--rows: 9000000000000 x 1000 numbers are too many");
}

}  // namespace
