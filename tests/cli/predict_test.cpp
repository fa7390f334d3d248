// SPDX-License-Identifier: Apache-2.0
// cavi predict, score and sample: what the library says, on standard output and in files.
#include <cavi/io.hpp>
#include <cavi/mixture.hpp>

#include "tests/cli/run_cavi.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace {

using cavi::test::bytes_of;
using cavi::test::Folder;
using cavi::test::refusal;
using cavi::test::run_cavi;
using cavi::test::test_file;

const std::string kFaithful = test_file("data/faithful.csv");

/// Numbers of a .csv with a head.
struct Table {
  std::string head;
  std::vector<double> values;
};
Table parse(const std::string& text) {
  std::istringstream in(text);
  Table t;
  std::getline(in, t.head);
  for (std::string field, line; std::getline(in, line);)
    for (std::istringstream fields(line); std::getline(fields, field, ',');) t.values.push_back(std::stod(field));
  return t;
}

class Model : public testing::Test {
 protected:
  Model() : model(folder.path / "m.npz") {
    EXPECT_EQ(run_cavi({"fit", kFaithful, "--n-components", "4", "--max-iter", "30", "--save", model, "--quiet"}).code,
              0);
    library = cavi::Mixture::load(model);
  }
  /// Standard output of `cavi command model more...`.
  std::string out(const std::string& command, std::vector<std::string> more) const {
    more.insert(more.begin(), {command, model});
    const auto run = run_cavi(more);
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(run.err, "");
    return run.out;
  }

  Folder folder;
  std::string model;
  std::optional<cavi::Mixture> library;
  cavi::Matrix x = cavi::open_matrix(kFaithful);
};

TEST_F(Model, PredictPrintsLabels) {
  const Table t = parse(out("predict", {kFaithful}));
  EXPECT_EQ(t.head, "component");
  const auto labels = library->predict(x);
  EXPECT_EQ(t.values, std::vector<double>(labels.begin(), labels.end()));
}

TEST_F(Model, PredictPrintsProbabilities) {
  const Table t = parse(out("predict", {kFaithful, "--proba"}));
  EXPECT_EQ(t.head, "p0,p1,p2,p3");
  EXPECT_EQ(t.values, library->predict_proba(x));  // to the last bit
}

TEST_F(Model, PredictPrintsTheMostProbable) {
  const Table t = parse(out("predict", {kFaithful, "--top", "2"}));
  EXPECT_EQ(t.head, "component1,component2,probability1,probability2");
  const cavi::TopComponents top = library->predict_top(x, 2);
  ASSERT_EQ(t.values.size(), 4u * 272);
  for (std::size_t n = 0; n < 272; ++n)
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(t.values[4 * n + k], top.components[2 * n + k]);
      EXPECT_EQ(t.values[4 * n + 2 + k], top.probabilities[2 * n + k]);
    }
}

TEST_F(Model, ScorePrintsTheMeanOrEveryRow) {
  EXPECT_EQ(out("score", {kFaithful}), fmt::format("{}\n", library->score(x)));
  const Table t = parse(out("score", {kFaithful, "--per-row"}));
  EXPECT_EQ(t.head, "log_density");
  EXPECT_EQ(t.values, library->score_samples(x));
}

TEST_F(Model, SamplePrintsRows) {
  const Table t = parse(out("sample", {"--rows", "7", "--seed", "18446744073709551615"}));
  EXPECT_EQ(t.head, "eruptions,waiting");
  EXPECT_EQ(t.values, library->sample(7, 18446744073709551615u).rows);
  EXPECT_EQ(out("sample", {"--rows", "0"}), "eruptions,waiting\n");
}

TEST_F(Model, ResultsGoToFilesOfEveryKind) {
  const std::string npy = folder.path / "o.npy", csv = folder.path / "o.csv", raw = folder.path / "o.bin";
  EXPECT_EQ(out("predict", {kFaithful, "--out", npy}), "");
  EXPECT_EQ(cavi::read_labels(npy), library->predict(x));
  EXPECT_EQ(out("predict", {kFaithful, "--proba", "--out", npy}), "");
  EXPECT_EQ(cavi::open_matrix(npy).to_vector(), library->predict_proba(x));
  EXPECT_EQ(out("score", {kFaithful, "--out", csv}), "");
  EXPECT_EQ(cavi::open_matrix(csv).to_vector(), library->score_samples(x));
  EXPECT_EQ(out("score", {kFaithful, "--out", raw}), "");
  EXPECT_EQ(bytes_of(raw), cavi::test::raw(library->score_samples(x)));
  const std::string components = folder.path / "components.npy";
  EXPECT_EQ(out("sample", {"--rows", "300", "--out", npy, "--components", components}), "");
  EXPECT_EQ(cavi::open_matrix(npy).to_vector(), library->sample(300).rows);
  EXPECT_EQ(cavi::read_labels(components), library->sample(300).components);
  EXPECT_EQ(folder.size(), 5);
}

TEST_F(Model, ThreadsDoNotChangeABit) {
  for (const char* threads : {"1", "3"}) {
    EXPECT_EQ(out("predict", {kFaithful, "--proba", "--threads", threads}), out("predict", {kFaithful, "--proba"}));
    EXPECT_EQ(out("sample", {"--rows", "5000", "--threads", threads}), out("sample", {"--rows", "5000"}));
  }
}

TEST_F(Model, ColumnsAreSelected) {
  const std::string turned = folder.write("t.csv", "name,waiting,eruptions\nold,79,3.6\nfaithful,54,1.8\n");  // NOLINT
  const auto first = library->predict_proba(cavi::Matrix(std::vector<double>{3.6, 79, 1.8, 54}, 2, 2));
  EXPECT_EQ(parse(out("predict", {turned, "--columns", "eruptions,waiting", "--proba"})).values, first);
}

TEST_F(Model, ColumnsAreFoundByName) {
  const std::string as_fitted = folder.write("f.csv", "eruptions,waiting\n3.6,79\n1.8,54\n"),
                    swapped = folder.write("s.csv", "waiting,eruptions\n79,3.6\n54,1.8\n"),
                    other = folder.write("o.csv", "eruptions,height\n3.6,79\n"),
                    nameless = folder.write("n.csv", "3.6,79\n1.8,54\n");
  for (const std::string& file : {swapped, nameless}) {
    EXPECT_EQ(out("score", {file}), out("score", {as_fitted}));
    EXPECT_EQ(out("predict", {file, "--proba"}), out("predict", {as_fitted, "--proba"}));
    EXPECT_EQ(out("score", {file, "--memory", "0"}), out("score", {as_fitted}));
  }
  for (const char* command : {"score", "predict"})
    EXPECT_EQ(
        refusal({command, model, other}),
        other + ": column 1 (from 0) is called 'height', but 'waiting' in the mixture; give the same names or none");
}

TEST_F(Model, AWriteErrorIsNoWrongUse) {
  for (const std::string& command : {"sample '" + model + "' --rows 100000", "predict '" + model + "' " + kFaithful}) {
    const int status = std::system(("'" CAVI_CLI "' " + command + " >/dev/full 2>/dev/null").c_str());  // NOLINT
    EXPECT_EQ(WEXITSTATUS(status), 1) << command;
  }
  const std::string file = folder.path / "z.csv";
  const int status = std::system(  // NOLINT
      ("ulimit -f 1; exec '" CAVI_CLI "' sample '" + model + "' --rows 9999 --out '" + file + "' 2>/dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST_F(Model, WrongUseIsOneLineAndLeavesNothing) {
  const std::string npy = folder.path / "o.npy", none = folder.path / "none.npz";
  EXPECT_EQ(refusal({"predict"}),
            "MODEL is required: a file that `cavi fit --save` wrote; DATA is required: a .npy or .csv file");
  EXPECT_EQ(refusal({"score", model}), "DATA is required: a .npy or .csv file");
  EXPECT_EQ(refusal({"sample", model}), "--rows is required");
  EXPECT_EQ(refusal({"sample", model, "--rows", "-1"}), "--rows must be 0 or more, not -1");
  EXPECT_EQ(refusal({"sample", model, "--rows", "2", "--out", npy, "--components", npy}),
            "--out and --components both name " + npy + "; give two files");
  EXPECT_EQ(refusal({"sample", model, "--rows", "2", "--seed", "x"}), "--seed: 'x' is not a whole number from 0 on");
  EXPECT_EQ(refusal({"score", none, kFaithful}), none + ": No such file or directory");
  EXPECT_EQ(refusal({"predict", model, kFaithful, "--top", "5"}), "--top must be 1 to 4, not 5");
  EXPECT_EQ(refusal({"predict", model, kFaithful, "--top", "0"}), "--top must be 1 to 4, not 0");
  EXPECT_EQ(refusal({"predict", model, kFaithful, "--top", "2", "--proba"}), "--top and --proba exclude each other");
  EXPECT_EQ(refusal({"predict", model, kFaithful, "--out", "o.txt"}),
            "o.txt: the name ends in none of .npy, .csv, .bin");
  EXPECT_NE(refusal({"predict", model, kFaithful, "--out", "no/folder/o.npy"}).find("cannot be written"),
            std::string::npos);
  EXPECT_NE(refusal({"score", kFaithful, kFaithful}).find(kFaithful), std::string::npos);

  const std::string wide = folder.write("wide.csv", "1,2,3\n"), bad = folder.write("bad.csv", "1,2\n3,nan\n");
  for (const auto& output : {std::vector<std::string>{}, {"--out", npy}})
    for (const char* command : {"predict", "score"}) {
      std::vector<std::string> arguments{command, model, wide};
      arguments.insert(arguments.end(), output.begin(), output.end());
      EXPECT_EQ(refusal(arguments),
                wide + ": 3 columns, but the mixture was fitted to data with 2 (eruptions, waiting)");
      arguments[2] = bad;
      EXPECT_EQ(refusal(arguments), bad + ": row 1, column 1 (from 0): NaN; drop or impute such rows");
    }
  EXPECT_EQ(folder.size(), 3);  // the model and two files of rows
}

}  // namespace
