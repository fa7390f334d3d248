// SPDX-License-Identifier: Apache-2.0
// What `cavi fit` prints, where, and what its options do.
#include <cavi/io.hpp>

#include "tests/cli/run_cavi.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

namespace {

using cavi::test::fit_json;
using cavi::test::Folder;
using cavi::test::run_cavi;
using cavi::test::test_file;
using nlohmann::json;

const std::string kFaithful = test_file("data/faithful.csv");

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Cavi, HelpAndVersionAreForPeople) {
  const auto version = run_cavi({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(version.out.starts_with("cavi ")) << version.out;
  EXPECT_EQ(lines_of(version.out).size(), 1u);
  const auto help = run_cavi({"--help"}), fit = run_cavi({"fit", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(fit.code, 0);
  EXPECT_NE(help.out.find("cavi fit measurements.csv"), std::string::npos);
  for (const char* option : {"--n-components",
                             "--covariance-type",
                             "--weight-prior",
                             "--concentration",
                             "--discount",
                             "--mean-prior",
                             "--mean-precision-prior",
                             "--degrees-of-freedom-prior",
                             "--covariance-prior",
                             "--init",
                             "--seed",
                             "--max-iter",
                             "--tol",
                             "--precision",
                             "--sample-weights",
                             "--device",
                             "--threads",
                             "--json",
                             "--quiet",
                             "Usage: cavi fit DATA",
                             "Examples:"})
    EXPECT_NE(fit.out.find(option), std::string::npos) << option;
  for (const auto& run : {version, help, fit}) EXPECT_EQ(run.err, "");
  for (const auto& line : lines_of(help.out + fit.out)) EXPECT_LE(line.size(), 100u) << line;
}

TEST(Fit, PrintsALineAndATable) {
  const Folder folder;
  const auto rows = cavi::open_matrix(kFaithful).to_vector();
  std::vector<std::int32_t> labels(272);
  for (std::size_t i = 0; i < 272; ++i) labels[i] = rows[2 * i + 1] > 68 ? 4 : 1;  // waited long or not
  cavi::write_npy(folder.path / "labels.npy", labels);
  const auto run = run_cavi({"fit", kFaithful, "--n-components", "6", "--init", folder.path / "labels.npy"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "");
  const auto lines = lines_of(run.out);
  ASSERT_EQ(lines.size(), 6u) << run.out;  // the fit, two lines of head, two components, the count
  EXPECT_EQ(lines[0].find("converged after "), 0u);
  EXPECT_NE(lines[2].find("eruptions"), std::string::npos);
  double weight[2], count[2], mean[2], deviation[2], skip;
  for (int row = 0; row < 2; ++row) {
    std::istringstream cells(lines[std::size_t(3 + row)]);
    int component;
    ASSERT_TRUE(cells >> component >> weight[row] >> count[row] >> mean[row] >> skip >> deviation[row] >> skip)
        << run.out;
    EXPECT_EQ(component, row == 0 ? 4 : 1);
    EXPECT_EQ(lines[std::size_t(3 + row)].size(), lines[2].size()) << "columns are aligned";
  }
  EXPECT_GT(weight[0], weight[1]);
  EXPECT_NEAR(count[0] + count[1], 272, 4 * 0.5);  // the rest is in the components that are not active
  EXPECT_NEAR(mean[0], 4.29, 0.02);                // eruptions after a long wait, and after a short one
  EXPECT_NEAR(mean[1], 2.04, 0.03);
  EXPECT_NEAR(deviation[0], 0.42, 0.05);
  EXPECT_EQ(lines[5], "2 of 6 components are active, 4 hold less than 0.5 rows");
}

TEST(Fit, QuietPrintsTheLineAlone) {
  const auto run = run_cavi({"fit", kFaithful, "--n-components", "6", "--quiet", "--max-iter", "1"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(lines_of(run.out).size(), 1u) << run.out;
}

TEST(Fit, WideDataFitIntoALine) {
  const auto run = run_cavi({"fit", test_file("data/digits.npy"), "--n-components", "40", "--covariance-type", "diag"});
  EXPECT_EQ(run.code, 0);
  EXPECT_NE(run.out.find("features; --json has all"), std::string::npos) << run.out;
  for (const auto& line : lines_of(run.out)) EXPECT_LE(line.size(), 132u) << line;  // "…" has three bytes
}

TEST(Fit, NotConvergedIsAWarning) {
  const auto run = run_cavi({"fit", kFaithful, "--n-components", "6", "--max-iter", "2"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "cavi: warning: not converged after 2 sweeps; raise --max-iter or --tol\n");
  EXPECT_EQ(run_cavi({"fit", kFaithful, "--n-components", "6", "--max-iter", "2", "--tol", "0"}).err, "");
}

TEST(Fit, JsonIsOneExactDocument) {
  const auto run = run_cavi({"fit", kFaithful, "--n-components", "4", "--json", "--tol", "0", "--max-iter", "7"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(lines_of(run.out).size(), 1u);
  const json j = json::parse(run.out);
  const std::vector<double> trace = j.at("elbo_trace"), weights = j.at("weights"), counts = j.at("counts");
  EXPECT_EQ(trace.size(), 8u);
  EXPECT_EQ(j.at("elbo"), trace.back());
  EXPECT_TRUE(std::is_sorted(trace.begin(), trace.end()));
  EXPECT_EQ(j.at("n_iter"), 7);
  EXPECT_EQ(j.at("converged"), false);
  EXPECT_EQ(j.at("n_components"), 4);
  EXPECT_EQ(j.at("rows"), 272);
  EXPECT_EQ(j.at("features"), 2);
  EXPECT_EQ(j.at("device"), "cpu");
  EXPECT_EQ(j.at("precision"), "float32");
  EXPECT_EQ(weights.size(), 4u);
  EXPECT_NEAR(std::accumulate(counts.begin(), counts.end(), 0.0), 272, 1e-3);
  EXPECT_EQ(j.at("active_components"), std::count_if(counts.begin(), counts.end(), [](double n) { return n >= 0.5; }));
  const double seconds = j.at("seconds");
  EXPECT_GT(seconds, 0);
  EXPECT_DOUBLE_EQ(j.at("rows_per_second"), 272 * 7 / seconds);
  EXPECT_EQ(j.at("means").size(), 4u);
  EXPECT_EQ(j.at("means")[0].size(), 2u);
  EXPECT_EQ(j.at("covariances")[3][1].size(), 2u);
}

TEST(Fit, CovariancesAreShapedByTheirType) {
  const auto shape = [](const std::string& type) {
    const json c =
        fit_json({kFaithful, "--n-components", "3", "--covariance-type", type, "--max-iter", "2"}).at("covariances");
    std::string text;
    for (const json* level = &c; level->is_array(); level = &level->front()) text += fmt::format("{} ", level->size());
    return text;
  };
  EXPECT_EQ(shape("full"), "3 2 2 ");
  EXPECT_EQ(shape("tied"), "2 2 ");
  EXPECT_EQ(shape("diag"), "3 2 ");
  EXPECT_EQ(shape("spherical"), "3 ");
}

TEST(Fit, ATerminalSeesProgressThatGoesAway) {
  const std::vector<std::string> arguments{"fit", kFaithful, "--n-components", "6", "--max-iter", "5", "--tol", "0"};
  const auto run = cavi::test::run_cavi_on_terminal(arguments);
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(run.err.starts_with("\r\x1b[Ksweep 1  bound -")) << run.err;
  EXPECT_TRUE(run.err.ends_with("\r\x1b[K")) << run.err;
  EXPECT_EQ(run.err.find('\n'), std::string::npos);
  for (const char* still : {"--quiet", "--json"}) {
    auto silent = arguments;
    silent.push_back(still);
    EXPECT_EQ(cavi::test::run_cavi_on_terminal(silent).err, "") << still;
  }
}

// At D = 1 a full, a diagonal and a spherical covariance are one number with one prior.
TEST(Fit, OneColumnIsTheSameForEveryShape) {
  const Folder folder;
  const auto rows = cavi::open_matrix(kFaithful).to_vector();
  std::string text = "eruptions\n";
  for (std::size_t i = 0; i < rows.size(); i += 2) text += fmt::format("{}\n", rows[i]);
  const std::string file = folder.write("column.csv", text);
  std::vector<std::vector<double>> traces;
  for (const char* type : {"full", "diag", "spherical"})
    traces.push_back(fit_json({file, "--n-components", "5", "--covariance-type", type, "--precision", "float64",
                               "--tol", "0", "--max-iter", "60", "--degrees-of-freedom-prior", "1.5"})
                         .at("elbo_trace"));
  ASSERT_EQ(traces[0].size(), 61u);
  for (std::size_t i = 0; i < 61; ++i)
    for (int other : {1, 2})
      EXPECT_NEAR(traces[std::size_t(other)][i], traces[0][i], 1e-13 * std::abs(traces[0][i])) << i;
}

TEST(Fit, TheFormatOfTheFileDoesNotMatter) {
  const Folder folder;
  const auto z = cavi::open_matrix(test_file("data/faithful_z.npy")).to_vector();
  std::string text, quoted = "\xef\xbb\xbf\"a\", b\r\n";
  for (std::size_t i = 0; i < z.size(); i += 2) {
    text += fmt::format("{},{}\n", z[i], z[i + 1]);
    quoted += fmt::format(" \"{}\" ,\t{}\r\n", z[i], z[i + 1]);
  }
  const auto trace = [&](const std::string& file) {
    return fit_json({file, "--n-components", "6", "--precision", "float64"}).at("elbo_trace");
  };
  const json expected = trace(test_file("data/faithful_z.npy"));
  EXPECT_EQ(trace(folder.write("plain.csv", text)), expected);
  EXPECT_EQ(trace(folder.write("quoted.csv", quoted)), expected);
}

TEST(Fit, ThreadsDoNotChangeABit) {
  const auto trace = [&](const std::string& threads) {
    return fit_json({test_file("data/digits.npy"), "--n-components", "10", "--covariance-type", "diag", "--max-iter",
                     "20", "--threads", threads})
        .at("elbo_trace");
  };
  const json one = trace("1");
  for (const char* threads : {"0", "2", "7"}) EXPECT_EQ(trace(threads), one) << threads;
}

TEST(Fit, EveryStartConverges) {
  for (const char* init : {"kmeans", "k-means++", "random", "random-from-data"}) {
    const json j = fit_json(
        {kFaithful, "--n-components", "4", "--init", init, "--seed", "18446744073709551615", "--max-iter", "2000"});
    EXPECT_EQ(j.at("converged"), true) << init;
    EXPECT_GT(j.at("elbo").get<double>(), j.at("elbo_trace")[0].get<double>()) << init;
  }
}

TEST(Fit, LabelsAreHardResponsibilities) {
  const Folder folder;
  std::vector<std::int32_t> labels(272);
  std::vector<double> responsibilities(272 * 3);
  std::string text = "label\n";
  for (std::size_t i = 0; i < 272; ++i) {
    labels[i] = std::int32_t(i % 3);
    responsibilities[3 * i + i % 3] = 1;
    text += fmt::format("{}\n", labels[i]);
  }
  cavi::write_npy(folder.path / "labels.npy", labels);
  cavi::write_npy(folder.path / "r.npy", responsibilities, 272, 3);
  folder.write("labels.csv", text);
  const auto trace = [&](const std::string& file) {
    return fit_json({kFaithful, "--n-components", "3", "--precision", "float64", "--init", folder.path / file})
        .at("elbo_trace");
  };
  EXPECT_EQ(trace("labels.npy"), trace("r.npy"));
  EXPECT_EQ(trace("labels.npy"), trace("labels.csv"));
}

TEST(Fit, PriorsFromFilesAreThePriorsByName) {
  const Folder folder;
  const auto prior = [&](const std::string& name, const std::string& text) {
    return folder.write(name, text).string();
  };
  const std::string zero = prior("zero.csv", "0,0\n");
  const std::pair<const char*, std::string> identities[] = {{"full", prior("full.csv", "1,0\n0,1\n")},
                                                            {"tied", folder.path / "full.csv"},
                                                            {"diag", prior("diag.csv", "1\n1\n")},
                                                            {"spherical", prior("one.csv", "1\n")}};
  for (const auto& [type, identity] : identities) {
    const auto elbo = [&](const std::string& mean, const std::string& covariance) {
      return fit_json({test_file("data/faithful_z.npy"), "--n-components", "3", "--covariance-type", type,
                       "--mean-prior", mean, "--covariance-prior", covariance})
          .at("elbo_trace");
    };
    EXPECT_EQ(elbo(zero, identity), elbo("zero", "identity")) << type;
    EXPECT_NE(elbo(zero, identity), elbo("mean", "empirical")) << type;
  }
}

TEST(Fit, SampleWeightsCountRows) {
  const Folder folder;
  const auto rows = cavi::open_matrix(test_file("data/faithful_z.npy")).to_vector();
  std::vector<double> weights(272), repeated;
  std::vector<std::int32_t> labels(272), repeated_labels;
  for (std::size_t i = 0; i < 272; ++i) {
    weights[i] = double(i % 3);
    labels[i] = std::int32_t(i % 2);
    for (std::size_t copy = 0; copy < i % 3; ++copy) {
      repeated.insert(repeated.end(), rows.begin() + std::ptrdiff_t(2 * i), rows.begin() + std::ptrdiff_t(2 * i + 2));
      repeated_labels.push_back(labels[i]);
    }
  }
  const std::string w = folder.path / "w.npy", x = folder.path / "x.npy", l = folder.path / "l.npy",
                    rl = folder.path / "rl.npy";
  cavi::write_npy(w, weights, 272, 1);
  cavi::write_npy(x, repeated, std::int64_t(repeated.size() / 2), 2);
  cavi::write_npy(l, labels);
  cavi::write_npy(rl, repeated_labels);
  const auto trace = [&](const std::string& data, const std::string& start, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{data,  "--n-components", "2", "--precision", "float64", "--init",
                                       start, "--tol",          "0", "--max-iter",  "20"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return fit_json(arguments).at("elbo_trace").get<std::vector<double>>();
  };
  const auto weighted = trace(test_file("data/faithful_z.npy"), l, {"--sample-weights", w}), copies = trace(x, rl, {});
  ASSERT_EQ(weighted.size(), copies.size());
  for (std::size_t i = 0; i < copies.size(); ++i) EXPECT_NEAR(weighted[i], copies[i], 1e-9 * std::abs(copies[i]));
}

}  // namespace
