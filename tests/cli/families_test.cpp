// SPDX-License-Identifier: Apache-2.0
// cavi fit for every family: the numbers are the library's.
#include <cavi/io.hpp>

#include "tests/cli/run_cavi.hpp"
#include "tests/kinds.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace cavi;
using cavi::test::fit_json;
using cavi::test::Folder;
using cavi::test::run_cavi;
using cavi::testing::Kind;

class Families : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, Families, ::testing::ValuesIn(cavi::testing::every_kind()),
                         [](const auto& kind) { return name_of(kind.param); });

TEST_P(Families, FitAsTheLibraryDoes) {
  constexpr int kRows = 150, kFeatures = 3;
  const Kind kind = GetParam();
  const bool gaussian = kind.family == ComponentFamily::gaussian;
  const Folder folder;
  const std::vector<double> x = rows_for(kind, kRows, kFeatures, 1);
  write_npy(folder.path / "x.npy", x, kRows, kFeatures);
  MixtureOptions o = kind.options();
  o.n_components = 4;
  o.seed = 3;
  if (!gaussian) o.component_prior = {0.5, 0.75};
  Mixture m(o, Device::cpu(1));
  m.fit(Matrix(x, kRows, kFeatures));

  std::vector<std::string> arguments{folder.path / "x.npy", "--n-components", "4", "--seed", "3", "--device", "cpu"};
  if (gaussian)
    arguments.insert(arguments.end(), {"--covariance-type", name_of(kind)});
  else
    arguments.insert(arguments.end(), {"--family", name_of(kind), "--component-prior", "0.5,0.75"});
  const auto json = fit_json(arguments);
  EXPECT_EQ(json["elbo_trace"].get<std::vector<double>>(), m.summary().elbo_trace);
  EXPECT_EQ(json["counts"].get<std::vector<double>>(), m.posterior().counts);
  EXPECT_EQ(json["means"][2][1].get<double>(), m.posterior().means[2 * kFeatures + 1]);
  EXPECT_EQ(json.contains("covariances"), gaussian);
  if (!gaussian) {
    EXPECT_EQ(json["component_parameters"][2][1][1].get<double>(),
              m.posterior().component_parameters[(2 * kFeatures + 1) * 2 + 1]);
  }
  arguments.insert(arguments.begin(), "fit");
  const auto table = run_cavi(arguments);
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.out.find("components are active"), std::string::npos) << table.out;
}

TEST(FamiliesWrongInput, IsOneLineThatNamesIt) {
  const Folder folder;
  write_npy(folder.path / "x.npy", std::vector<double>{0, 1, 1, 0, 1, 2.5}, 3, 2);
  const auto refusal = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"fit", folder.path / "x.npy", "--n-components", "2"});
    const auto run = run_cavi(more);
    EXPECT_EQ(run.code, 2) << run.err;
    EXPECT_EQ(run.out, "");
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    return run.err;
  };
  const std::string name = (folder.path / "x.npy").string();
  std::vector<std::string> families;
  for (const auto& [word, family] : names(ComponentFamily{})) families.emplace_back(word);
  EXPECT_EQ(refusal({"--family", "poisson"}),
            "cavi: " + name + ": row 2, column 1 (from 0): 2.5 is not a count (0, 1, 2, ...)\n");
  EXPECT_EQ(refusal({"--family", "bernoulli"}), "cavi: " + name + ": row 2, column 1 (from 0): 2.5 is not 0 or 1\n");
  EXPECT_EQ(refusal({"--family", "normal"}),
            fmt::format("cavi: --family: 'normal' is none of {}\n", fmt::join(families, ", ")));
  EXPECT_EQ(refusal({"--family", "exponential", "--component-prior", "1"}),
            "cavi: --component-prior: '1' is not two numbers A,B\n");
  EXPECT_EQ(refusal({"--family", "exponential", "--component-prior", "1,x"}),
            "cavi: --component-prior: 'x' is not a number\n");
  EXPECT_EQ(refusal({"--family", "exponential", "--component-prior", "0,1", "--covariance-type", "diag"}),
            "cavi: --component-prior must be positive, not 0; --covariance-type is for the gaussian family alone\n");
  EXPECT_EQ(refusal({"--component-prior", "1,1"}), "cavi: --component-prior is not for the gaussian family\n");
}

}  // namespace
