// SPDX-License-Identifier: Apache-2.0
// Wrong usage and wrong files: one line on standard error, nothing on standard output, exit code 2.
#include <cavi/io.hpp>

#include "tests/cli/run_cavi.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using cavi::test::Folder;
using cavi::test::refusal;
using cavi::test::test_file;

const std::string kFaithful = test_file("data/faithful.csv");

std::string fit_refusal(const std::string& data, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"fit", data, "--n-components", "3"});
  return refusal(more);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

#define EXPECT_SAYS(text, part) EXPECT_PRED2(contains, text, part)

TEST(WrongUsage, IsOneLine) {
  EXPECT_SAYS(refusal({}), "a command is missing; see cavi --help");
  EXPECT_SAYS(refusal({"frobnicate"}), "frobnicate");
  EXPECT_SAYS(refusal({"--frobnicate"}), "--frobnicate");
  EXPECT_EQ(refusal({"fit"}), "--n-components is required; DATA is required: a .npy or .csv file");
  EXPECT_EQ(refusal({"fit", kFaithful}), "--n-components is required");
  EXPECT_SAYS(refusal({"fit", kFaithful, "--n-components"}), "--n-components");
  EXPECT_SAYS(fit_refusal(kFaithful, {"another.csv"}), "another.csv");
  EXPECT_SAYS(fit_refusal(kFaithful, {"--frobnicate", "7"}), "--frobnicate");
}

TEST(WrongOptions, AreAllNamedAtOnce) {
  const std::string line = refusal({"fit",
                                    kFaithful,
                                    "--n-components",
                                    "0",
                                    "--max-iter",
                                    "-1",
                                    "--tol",
                                    "-1e-3",
                                    "--concentration",
                                    "0",
                                    "--discount",
                                    "0.5",
                                    "--mean-precision-prior",
                                    "nan",
                                    "--degrees-of-freedom-prior",
                                    "1",
                                    "--precision",
                                    "float16",
                                    "--seed",
                                    "-4",
                                    "--weight-prior",
                                    "dp",
                                    "--covariance-type",
                                    "round",
                                    "--init",
                                    "kmean",
                                    "--mean-prior",
                                    "one",
                                    "--covariance-prior",
                                    "unit",
                                    "--device",
                                    "gpu",
                                    "--threads",
                                    "x"});
  for (const char* part :
       {"--n-components must be at least 1, not 0", "--max-iter must be 0 or more, not -1", "--tol must be 0 or more",
        "--concentration must be greater than 0", "--discount needs",
        "--mean-precision-prior must be positive, not nan", "--degrees-of-freedom-prior must be greater than 1, not 1",
        "--precision: 'float16' is none of float32, float64", "--seed: '-4' is not a whole number",
        "--weight-prior: 'dp' is none of dirichlet, dirichlet-process, pitman-yor",
        "--covariance-type: 'round' is none of full, tied, diag, spherical",
        "--init: 'kmean' is none of kmeans, k-means++, random, random-from-data, nor a .npy or .csv file",
        "--mean-prior: 'one' is none of mean, zero, nor",
        "--covariance-prior: 'unit' is none of empirical, identity, nor",
        "--device: 'gpu' is none of auto, cpu, cuda, cuda:N", "--threads: 'x' is not a whole number"})
    EXPECT_SAYS(line, part);
  EXPECT_EQ(std::count(line.begin(), line.end(), ';'), 15) << line;
}

TEST(WrongOptions, NumbersMustBeNumbers) {
  EXPECT_EQ(refusal({"fit", kFaithful, "--n-components", "3.5"}), "--n-components: '3.5' is not a whole number");
  EXPECT_EQ(refusal({"fit", kFaithful, "--n-components", ""}), "--n-components: '' is not a whole number");
  EXPECT_EQ(refusal({"fit", kFaithful, "--n-components", "99999999999"}),
            "--n-components: 99999999999 is out of range");
  EXPECT_EQ(fit_refusal(kFaithful, {"--tol", "1e-6x"}), "--tol: '1e-6x' is not a number");
  EXPECT_EQ(fit_refusal(kFaithful, {"--threads", "-1"}), "--threads must be 0 (all processors) to 1024, not -1");
  EXPECT_SAYS(fit_refusal(kFaithful, {"--weight-prior", "pitman-yor", "--discount", "1"}),
              "--discount must be in [0, 1)");
  EXPECT_SAYS(fit_refusal(kFaithful, {"--weight-prior", "pitman-yor", "--discount", "0.25", "--concentration", "-0.3"}),
              "--concentration must be greater than -0.25");
}

TEST(WrongOptions, ADeviceThatIsNotThereIsAnError) {
  EXPECT_SAYS(fit_refusal(kFaithful, {"--device", "cuda:4321"}), "4321");
  EXPECT_SAYS(fit_refusal(kFaithful, {"--device", "cuda:x"}), "'cuda:x' is no device");
  EXPECT_SAYS(fit_refusal(kFaithful, {"--device", "cuda:-1"}), "'cuda:-1' is no device");
  EXPECT_SAYS(fit_refusal(kFaithful, {"--device", "cuda:"}), "'cuda:' is no device");
  EXPECT_SAYS(fit_refusal(kFaithful, {"--device", "cudax"}), "'cudax' is no device");
}

TEST(WrongData, NamesFilePlaceAndCause) {
  const Folder folder;
  const auto expect = [&](const std::string& name, const std::string& bytes, const std::string& says) {
    const std::string file = folder.write(name, bytes);
    EXPECT_EQ(fit_refusal(file), file + ": " + says);
  };
  EXPECT_EQ(fit_refusal("none.npy"), "none.npy: No such file or directory");
  EXPECT_EQ(fit_refusal("a\nb.csv"), "a; b.csv: No such file or directory");
  EXPECT_SAYS(fit_refusal(folder.path), "the name ends in none of .npy, .csv, .h5:DATASET");
  expect("x.csv", "", "the file is empty");
  expect("x.npy", "", "the file is empty");
  expect("x.csv", "a,b\n", "line 1: names but no rows");
  expect("x.csv", "1,2\n3\n", "line 2, column 2: the line ends after 1 of the 2 fields of line 1");
  expect("x.csv", "1,2\n3,x\n", "line 2, column 3: 'x' is not a number");
  expect("x.csv", "a,b\n1,2\n3,NaN\n", "row 1, column 1 (from 0): NaN; drop or impute such rows");
  expect("x.csv", "1,2\n-inf,4\n", "row 1, column 0 (from 0): infinity; drop or impute such rows");
  expect("x.npy", "a,b\n1,2\n", "byte 0: not a .npy file (it does not begin with \\x93NUMPY)");
  const std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2), }";
  expect("x.npy", cavi::test::npy(header, "12345"), "byte 128: expected 64 bytes of data, the file has 5");
  expect("x.npy", cavi::test::npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2), }", ""),
         "byte 60: the array has zero rows");
}

TEST(WrongWeights, NameTheFile) {
  const Folder folder;
  std::vector<double> weights(272, 1.0);
  const std::string file = folder.path / "w.npy";
  const auto says = [&](std::int64_t rows) {
    cavi::write_npy(file, weights, rows, int(std::int64_t(weights.size()) / rows));
    return fit_refusal(kFaithful, {"--sample-weights", file});
  };
  weights[5] = -0.5;
  EXPECT_EQ(says(272), file + ": row 5 (from 0): the weight -0.5 is negative");
  weights[5] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(says(272), file + ": row 5, column 0 (from 0): NaN; drop or impute such rows");
  weights.assign(272, 0.0);
  EXPECT_EQ(says(272), file + ": all weights are zero");
  EXPECT_EQ(says(136), file + ": 136 x 2 numbers, expected 272 x 1 for the sample weights");
  weights.pop_back();
  EXPECT_EQ(says(271), file + ": 271 x 1 numbers, expected 272 x 1 for the sample weights");
  EXPECT_EQ(fit_refusal(kFaithful, {"--sample-weights", "none.npy"}), "none.npy: No such file or directory");
}

TEST(WrongStart, NamesTheFile) {
  const Folder folder;
  const std::string file = folder.path / "start.npy";
  const auto says = [&] { return fit_refusal(kFaithful, {"--init", file}); };
  std::vector<std::int32_t> labels(272, 2);
  labels[7] = 3;
  cavi::write_npy(file, labels);
  EXPECT_EQ(says(), file + ": row 7 (from 0): the label 3 is not one of 0 to 2");
  labels[7] = -1;
  cavi::write_npy(file, labels);
  EXPECT_EQ(says(), file + ": row 7 (from 0): the label -1 is not one of 0 to 2");
  EXPECT_EQ(fit_refusal(kFaithful, {"--init", file, "--n-init", "5"}),
            "--init FILE is one start: leave out --n-init, or name a random --init");
  labels.pop_back();
  cavi::write_npy(file, labels);
  EXPECT_EQ(says(), file + ": 271 labels, expected 272");

  std::vector<double> r(272 * 3, 1.0 / 3);
  cavi::write_npy(file, r, 272 * 3, 1);
  EXPECT_EQ(says(), file + ": 816 x 1 numbers, expected 272 labels or 272 x 3 responsibilities");
  r[3 * 9] = 0.5;
  cavi::write_npy(file, r, 272, 3);
  EXPECT_TRUE(says().starts_with(file + ": ")) << says();
  EXPECT_SAYS(says(), "row 9 sums to");
  r[3 * 9] = -1;
  cavi::write_npy(file, r, 272, 3);
  EXPECT_SAYS(says(), "row 9");
  r[3 * 9] = std::numeric_limits<double>::infinity();
  cavi::write_npy(file, r, 272, 3);
  EXPECT_EQ(says(), file + ": row 9, column 0 (from 0): infinity; drop or impute such rows");
}

TEST(WrongPriors, NameTheFile) {
  const Folder folder;
  const std::string file = folder.write("p.csv", "1,2,3\n");
  EXPECT_EQ(fit_refusal(kFaithful, {"--mean-prior", file}),
            file + ": 1 x 3 numbers, expected 2 x 1 for the mean prior");
  EXPECT_EQ(fit_refusal(kFaithful, {"--covariance-prior", file}),
            file + ": 1 x 3 numbers, expected 2 x 2 for the covariance prior");
  EXPECT_EQ(fit_refusal(kFaithful, {"--covariance-prior", file, "--covariance-type", "diag"}),
            file + ": 1 x 3 numbers, expected 2 x 1 for the covariance prior");
  EXPECT_EQ(fit_refusal(kFaithful, {"--covariance-prior", file, "--covariance-type", "spherical"}),
            file + ": 1 x 3 numbers, expected 1 x 1 for the covariance prior");
  for (const char* wrong : {"1,2\n2,1\n", "1,0.5\n0,1\n", "0,0\n0,0\n", "-1,0\n0,1\n"}) {
    folder.write("p.csv", wrong);
    for (const char* type : {"full", "tied"})
      EXPECT_SAYS(fit_refusal(kFaithful, {"--covariance-prior", file, "--covariance-type", type}),
                  file + "' must be symmetric and positive definite");
  }
  folder.write("p.csv", "0,1\n");
  EXPECT_EQ(fit_refusal(kFaithful, {"--covariance-prior", file, "--covariance-type", "diag"}),
            "--covariance-prior must be positive, not 0");
  folder.write("p.csv", "nan,1\n");
  EXPECT_SAYS(fit_refusal(kFaithful, {"--mean-prior", file}), file + ": row 0, column 0 (from 0): NaN");
}

}  // namespace
