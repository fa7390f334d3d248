// SPDX-License-Identifier: Apache-2.0
// cavi fit under several sets of options, and of several data sets: the numbers are the library's.
#include <cavi/io.hpp>

#include "src/io/npz.hpp"
#include "tests/cli/run_cavi.hpp"
#include "tests/fits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace {

using namespace cavi;
using namespace cavi::test;
using nlohmann::json;

const std::string kFaithful = test_file("data/faithful.csv");

std::string refusal(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "fit");
  const auto run = run_cavi(arguments);
  EXPECT_EQ(run.code, 2) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  return run.err;
}

void expect_in(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks: " << part;
}

TEST(Selection, RanksEverySetAndStartAndKeepsTheBest) {
  const Folder folder;
  const std::string model = folder.path / "best.npz";
  const json j = fit_json({kFaithful, "--n-components", "1:3,5", "--covariance-type", "full,diag", "--n-init", "2",
                           "--max-iter", "20", "--seed", "4", "--device", "cpu", "--save", model});
  ASSERT_EQ(j["fits"].size(), 4u * 2 * 2);
  const Matrix x = open_matrix(kFaithful);
  double last = std::numeric_limits<double>::infinity();
  for (const json& f : j["fits"]) {
    MixtureOptions o;
    o.n_components = f["n_components"];
    o.covariance_type = f["covariance_type"] == "full" ? CovarianceType::full : CovarianceType::diag;
    o.seed = f["seed"];
    o.max_iter = 20;
    Mixture m(o, Device::cpu(1));
    EXPECT_EQ(m.fit(x).elbo, f["elbo"].get<double>());
    EXPECT_EQ(m.summary().n_iter, f["n_iter"].get<int>());
    EXPECT_LE(f["elbo"].get<double>(), last);
    last = f["elbo"];
  }
  EXPECT_EQ(j["best"]["elbo"], j["fits"][0]["elbo"]);
  EXPECT_EQ(Mixture::load(model, Device::cpu(1)).summary().elbo, j["best"]["elbo"].get<double>());

  const auto table = run_cavi({"fit", kFaithful, "--n-components", "1:30", "--n-init", "2", "--max-iter", "5"});
  EXPECT_EQ(table.code, 0) << table.err;
  expect_in(table.out, "rank     K  start               bound  sweeps  status\n   1 ");
  expect_in(table.out, "10 more; --json has all\n");
  expect_in(table.out, "components are active");
}

TEST(Selection, PriorsAreCompared) {
  const std::vector<std::string> arguments{kFaithful, "--n-components",
                                           "2",       "--mean-precision-prior",
                                           "0.01,1",  "--degrees-of-freedom-prior",
                                           "3,10",    "--max-iter",
                                           "20",      "--device",
                                           "cpu"};
  const json j = fit_json(arguments);
  ASSERT_EQ(j["fits"].size(), 4u);
  const Matrix x = open_matrix(kFaithful);
  std::set<std::pair<double, double>> seen;
  for (const json& f : j["fits"]) {
    MixtureOptions o;
    o.n_components = 2;
    o.mean_precision_prior = f["mean_precision_prior"];
    o.degrees_of_freedom_prior = f["degrees_of_freedom_prior"].get<double>();
    o.max_iter = 20;
    Mixture m(o, Device::cpu(1));
    EXPECT_EQ(m.fit(x).elbo, f["elbo"].get<double>());
    seen.emplace(o.mean_precision_prior, *o.degrees_of_freedom_prior);
  }
  EXPECT_EQ(seen, (std::set<std::pair<double, double>>{{0.01, 3}, {0.01, 10}, {1, 3}, {1, 10}}));

  std::vector<std::string> for_people = arguments;
  for_people.insert(for_people.begin(), "fit");
  const auto table = run_cavi(for_people);
  EXPECT_EQ(table.code, 0) << table.err;
  expect_in(table.out, "rank     K  mean precision deg. of freedom               bound  sweeps  status\n");
  expect_in(refusal({kFaithful, "--n-components", "2", "--mean-precision-prior", "1,x"}),
            "--mean-precision-prior: 'x' is not a number");
  expect_in(refusal({kFaithful, "--n-components", "2", "--degrees-of-freedom-prior", "3,0.5"}),
            "--degrees-of-freedom-prior must be greater than 1, not 0.5");
}

TEST(Selection, WrongValuesAreNamed) {
  expect_in(refusal({kFaithful, "--n-components", "3:1"}), "--n-components: '3:1' is no range");
  expect_in(refusal({kFaithful, "--n-components", "1:x"}), "--n-components: 'x' is not a whole number");
  expect_in(refusal({kFaithful, "--n-components", "1,"}), "--n-components: '' is not a whole number");
  expect_in(refusal({kFaithful, "--n-components", "0:2"}), "--n-components must be at least 1, not 0");
  expect_in(refusal({kFaithful, "--n-components", "2", "--covariance-type", "full,round"}), "'round' is none of full");
  expect_in(refusal({kFaithful, "--n-components", "1:2", "--checkpoint", "c.npz"}), "--checkpoint is for one fit");
  expect_in(refusal({kFaithful, "--n-components", "1:2", "--init", "labels.npy"}), "--init FILE is for one fit");
  expect_in(refusal({kFaithful, "--n-components", "2", "--n-init", "0"}), "--n-init must be at least 1, not 0");
  expect_in(refusal({kFaithful, "--n-components", "1:2", "--family", "poisson"}), "row 0, column 0 (from 0)");
}

TEST(Batch, FitsEveryDataSetOfAFile) {
  const Folder folder;
  const std::vector<std::int64_t> offsets{0, 50, 50, 120};
  const Matrix x = three_clouds(120, 2, 1);
  write_npy(folder.path / "x.npy", x.to_vector(), 120, 2);
  folder.write("offsets.csv", "0\n50\n50\n120\n");
  const std::string file = folder.path / "x.npy", batch = folder.path / "offsets.csv", saved = folder.path / "b.npz";
  const std::vector<std::string> arguments{
      file, "--batch",  batch, "--n-components", "3",   "--n-init",          "2",   "--seed",
      "6",  "--device", "cpu", "--save",         saved, "--covariance-type", "diag"};
  const json j = fit_json(arguments);
  MixtureOptions o;
  o.n_components = 3;
  o.n_init = 2;
  o.seed = 6;
  o.covariance_type = CovarianceType::diag;
  const MixtureBatch expected = fit_batch(o, x, offsets, Device::cpu(1));
  ASSERT_EQ(j["fits"].size(), 3u);
  EXPECT_EQ(j["fits"][1]["status"], "no_data");
  EXPECT_TRUE(j["fits"][1]["elbo"].is_null());
  for (const int b : {0, 2}) {
    EXPECT_EQ(j["fits"][std::size_t(b)]["elbo"].get<double>(), expected.summaries[std::size_t(b)].elbo);
    EXPECT_EQ(j["fits"][std::size_t(b)]["counts"].get<std::vector<double>>(), expected.posterior.problem(b).counts);
  }
  const io::NpzFile npz(saved);
  EXPECT_EQ(npz.array("means", {3, 3, 2})[0], expected.posterior.means[0]);
  EXPECT_EQ(npz.array("covariances", {3, 3, 2}).back(), expected.posterior.covariances.back());
  EXPECT_TRUE(std::isnan(npz.array("elbo", {3})[1]));
  EXPECT_EQ(npz.array("offsets", {4})[3], 120);

  std::vector<std::string> for_people = arguments;
  for_people.insert(for_people.begin(), "fit");
  const auto table = run_cavi(for_people);
  EXPECT_EQ(table.code, 0) << table.err;
  expect_in(table.out, "3 data sets: ");
  expect_in(table.out, "1 without a fit\n");
  expect_in(table.out, "no rows");
  for (const std::vector<std::string>& reader : {std::vector<std::string>{"info", saved}, {"predict", saved, file}})
    EXPECT_EQ(cavi::test::refusal(reader),
              saved + ": the results of a batch, not one model: numpy.load reads its arrays");
}

TEST(Batch, WithoutAnyFitIsAFailure) {
  const Folder folder;
  const std::string bad = folder.write("nan.csv", "nan,1\n2,3\n4,nan\n5,6\n"),
                    large = folder.write("large.csv", "1e200\n-1e200\n3e200\n2e200\n"),
                    half = folder.write("half.csv", "nan\n2\n1\n3\n"), batch = folder.write("o.csv", "0\n2\n4\n");
  const auto of = [&](const std::string& file) {
    return run_cavi({"fit", file, "--batch", batch, "--n-components", "1"});
  };
  EXPECT_EQ(of(bad).code, 2);
  expect_in(of(bad).err, bad + ": row 0, column 0 (from 0): NaN");
  expect_in(of(bad).out, "2 without a fit");
  EXPECT_EQ(of(large).code, 1);
  expect_in(of(large).err, "every fit failed; the first: ");
  EXPECT_EQ(of(half).code, 0) << of(half).err;
}

TEST(Batch, FilesLargerThanMemoryAreStreamed) {
  const Folder folder;
  const std::int64_t n = 20000;
  const Matrix a = three_clouds(int(n), 2, 2), b = three_clouds(int(n), 2, 3);
  const std::vector<double> wide = b.to_vector();
  write_npy(folder.path / "a.npy", a.to_vector(), n, 2);
  write_npy(folder.path / "b.npy", std::vector<float>(wide.begin(), wide.end()), n, 2);
  const auto elbo = [&](const char* memory) {
    const json j = fit_json({folder.path / "a.npy", folder.path / "b.npy", "--n-components", "3", "--device", "cpu",
                             "--max-iter", "5", "--memory", memory});
    return std::pair<double, double>(j["fits"][0]["elbo"], j["fits"][1]["elbo"]);
  };
  const auto in_memory = elbo("1G");
  for (const char* memory : {"0", "330K", "1K"}) EXPECT_EQ(elbo(memory), in_memory) << memory;
}

TEST(Batch, ColumnsOfFilesAreMatchedByName) {
  const Folder folder;
  const std::string a = folder.write("a.csv", "x,y\n1,20\n2,30\n4,50\n"),
                    b = folder.write("b.csv", "y,x\n20,1\n30,2\n50,4\n"),
                    c = folder.write("c.csv", "x,z\n1,20\n2,30\n4,50\n");
  const json j = fit_json({a, b, "--n-components", "1", "--device", "cpu"});
  EXPECT_EQ(j["fits"][0]["means"], j["fits"][1]["means"]);
  expect_in(refusal({a, c, "--n-components", "1"}), c + ": column 1 (from 0) is called 'z', but 'y' in " + a);
}

TEST(Batch, TakesSeveralFiles) {
  const Folder folder;
  const Matrix a = three_clouds(40, 2, 2), b = three_clouds(70, 2, 3);
  write_npy(folder.path / "a.npy", a.to_vector(), 40, 2);
  write_npy(folder.path / "b.npy", b.to_vector(), 70, 2);
  write_npy(folder.path / "wide.npy", b.to_vector(), 35, 4);
  const std::string first = folder.path / "a.npy", second = folder.path / "b.npy", wide = folder.path / "wide.npy";
  const json j = fit_json({first, second, "--n-components", "3", "--device", "cpu"});
  ASSERT_EQ(j["fits"].size(), 2u);
  MixtureOptions o;
  o.n_components = 3;
  Mixture m(o, Device::cpu(1));
  EXPECT_EQ(j["fits"][1]["elbo"].get<double>(), m.fit(b).elbo);
  expect_in(refusal({first, wide, "--n-components", "3"}), wide + ": 4 columns, but " + first + " has 2");
  expect_in(refusal({first, second, "--n-components", "1:3"}), "several data sets");
  expect_in(refusal({first, second, "--batch", first, "--n-components", "3"}), "--batch divides one file");
}

TEST(Batch, WrongOffsetsAreNamed) {
  const Folder folder;
  const auto says = [&](const std::string& numbers) {
    return refusal({kFaithful, "--n-components", "2", "--batch", folder.write("o.csv", numbers)});
  };
  expect_in(says("0\n100\n50\n272\n"), "number 2 (from 0) is 50; offsets ascend");
  expect_in(says("5\n272\n"), "number 0 (from 0) is 5");
  expect_in(says("0\n100.5\n272\n"), "number 1 (from 0) is 100.5");
  expect_in(says("0\n300\n"), "number 1 (from 0) is 300");
  expect_in(says("0\n100\n"), "ends with 100, not with the number of rows, 272");
}

}  // namespace
