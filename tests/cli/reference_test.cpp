// SPDX-License-Identifier: Apache-2.0
// Exact fits of standardised Old Faithful (tests/reference/gaussian_mixture.json), through files and options alone.
#include <cavi/io.hpp>

#include "tests/cli/run_cavi.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

namespace {

using nlohmann::json;

const json& cases() {
  static const json all = json::parse(std::ifstream(cavi::test::test_file("reference/gaussian_mixture.json")));
  return all.at("cases");
}

class Reference : public testing::TestWithParam<int> {
 protected:
  const json& reference() const { return cases().at(std::size_t(GetParam())); }

  json fit(const std::string& precision, int sweeps) const {
    const json& r = reference();
    const std::string prior = r.at("weight_prior");
    std::vector<std::string> arguments{cavi::test::test_file("data/faithful_z.npy"),
                                       "--n-components",
                                       fmt::to_string(r.at("n_components").get<int>()),
                                       "--covariance-type",
                                       r.at("covariance_type"),
                                       "--weight-prior",
                                       prior == "dp" ? "dirichlet-process" : prior,
                                       "--concentration",
                                       fmt::to_string(r.at("concentration").get<double>()),
                                       "--mean-prior",
                                       r.at("mean_prior"),
                                       "--mean-precision-prior",
                                       fmt::to_string(r.at("mean_precision_prior").get<double>()),
                                       "--degrees-of-freedom-prior",
                                       fmt::to_string(r.at("degrees_of_freedom_prior").get<double>()),
                                       "--covariance-prior",
                                       r.at("covariance_prior"),
                                       "--init",
                                       folder_.path / "labels.npy",
                                       "--precision",
                                       precision,
                                       "--tol",
                                       "0",
                                       "--max-iter",
                                       fmt::to_string(sweeps),
                                       "--device",
                                       "cpu"};
    const auto also = [&](const std::string& option, const std::string& value) {
      arguments.push_back(option);
      arguments.push_back(value);
    };
    if (const double discount = r.at("discount"); discount > 0) also("--discount", fmt::to_string(discount));
    if (r.at("sample_weights")) also("--sample-weights", folder_.path / "weights.npy");

    cavi::write_npy(folder_.path / "labels.npy", r.at("initial_labels").get<std::vector<std::int32_t>>());
    std::vector<double> weights;
    for (int row = 0; row < r.at("n_rows").get<int>(); ++row) weights.push_back(0.25 + 0.5 * (row % 4));
    cavi::write_npy(folder_.path / "weights.npy", weights, std::int64_t(weights.size()), 1);
    return cavi::test::fit_json(arguments);
  }

  void expect_trace(const std::string& precision, double tolerance) const {
    const std::vector<double> expected = reference().at("elbo_trace");
    const std::vector<double> trace = fit(precision, int(expected.size()) - 1).at("elbo_trace");
    ASSERT_EQ(trace.size(), expected.size());
    for (std::size_t i = 0; i < trace.size(); ++i)
      EXPECT_NEAR(trace[i], expected[i], tolerance * std::abs(expected[i])) << "after " << i << " sweeps";
  }

 private:
  cavi::test::Folder folder_;
};

TEST_P(Reference, EveryBoundInFloat64) { expect_trace("float64", 1e-9); }
TEST_P(Reference, EveryBoundInFloat32) { expect_trace("float32", 1e-5); }

TEST_P(Reference, TheFinalPosterior) {
  const int sweeps = reference().at("sweeps");
  const json fit = this->fit("float64", sweeps);
  const double elbo = reference().at("elbo_final");
  EXPECT_EQ(fit.at("n_iter"), sweeps);
  EXPECT_NEAR(fit.at("elbo").get<double>(), elbo, 1e-9 * std::abs(elbo));
  const std::vector<double> weights = fit.at("weights"), counts = fit.at("counts");
  const std::vector<double> expected_weights = reference().at("E_weights"), expected_counts = reference().at("N_k");
  ASSERT_EQ(weights.size(), expected_weights.size());
  ASSERT_EQ(counts.size(), expected_counts.size());
  int active = 0;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    EXPECT_NEAR(weights[k], expected_weights[k], 1e-8) << "component " << k;
    EXPECT_NEAR(counts[k], expected_counts[k], 1e-6) << "component " << k;
    active += expected_counts[k] >= 0.5;
  }
  EXPECT_EQ(fit.at("active_components"), active);
  const auto means = fit.at("means").get<std::vector<std::vector<double>>>();
  for (std::size_t k = 0; k < means.size(); ++k)
    for (std::size_t d = 0; d < means[k].size(); ++d)
      EXPECT_NEAR(means[k][d], reference().at("mean")[k][d].get<double>(), 1e-7) << "component " << k;
}

std::string name_of(const testing::TestParamInfo<int>& info) {
  const json& r = cases().at(std::size_t(info.param));
  std::string name = fmt::format("{}_{}_{}_{}_{}", info.param, r.at("covariance_type").get<std::string>(),
                                 r.at("weight_prior").get<std::string>(), r.at("n_components").get<int>(),
                                 r.at("sample_weights").get<bool>() ? "weighted" : "plain");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(OldFaithful, Reference, testing::Range(0, int(cases().size())), name_of);

}  // namespace
