// SPDX-License-Identifier: Apache-2.0
// Small matrices against Eigen, and Gaussian vectors updated block by block against conditionals and the exact
// posterior.
#include "tests/family_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace {

using namespace cavi::family_test;  // NOLINT

TEST(Cholesky, FactorsSolvesAndInverts) {
  Random random(9);
  for (const int n : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33, 64, 100}) {
    const Matrix a = random.positive(n);
    Matrix u = a;
    u.triangularView<Eigen::StrictlyLower>().setConstant(kNaN);  // nobody reads it
    ASSERT_EQ(math::cholesky(u.data(), n), -1);
    const Matrix upper = u.triangularView<Eigen::Upper>();
    EXPECT_LE((upper.transpose() * upper - a).cwiseAbs().maxCoeff(), 1e-14 * n * a.cwiseAbs().maxCoeff());
    const double log_det = a.ldlt().vectorD().array().log().sum();
    EXPECT_NEAR(math::log_determinant(u.data(), n), log_det, 1e-13 * n);
    const Vector b = random.vector(n);
    Vector x = b;
    math::solve(u.data(), n, x.data());
    EXPECT_LE((a * x - b).cwiseAbs().maxCoeff(), 1e-13 * n * (1 + x.norm()));
    math::inverse(u.data(), n);
    EXPECT_LE((a * u - Matrix::Identity(n, n)).cwiseAbs().maxCoeff(), 1e-12 * n);
    EXPECT_EQ(u, Matrix(u.transpose()));
  }
}

TEST(Cholesky, NamesTheFirstBadPivot) {
  for (const int n : {1, 2, 5, 12})
    for (int bad = 0; bad < n; ++bad)
      for (const double pivot : {0., -1., kNaN, kInfinity}) {
        Matrix a = Matrix::Identity(n, n);
        a(bad, bad) = pivot;
        EXPECT_EQ(math::cholesky(a.data(), n), bad);
      }
}

struct Blocks {
  std::vector<int> coordinates, offsets{0};
  math::Partition partition() const { return {coordinates.data(), offsets.data(), int(offsets.size()) - 1}; }
  std::vector<int> block(int b) const {
    return {coordinates.begin() + offsets[b], coordinates.begin() + offsets[b + 1]};
  }
};

Blocks random_blocks(int m, int blocks, std::mt19937& rng) {
  Blocks b;
  b.coordinates.resize(m);
  std::iota(b.coordinates.begin(), b.coordinates.end(), 0);
  std::shuffle(b.coordinates.begin(), b.coordinates.end(), rng);
  for (int i = 1; i < blocks; ++i) b.offsets.push_back(i * m / blocks);
  b.offsets.push_back(m);
  return b;
}

// One round from the means in `mean`, which it replaces.
Result block_round(const Slots& eta, const Blocks& blocks, std::vector<double>& mean) {
  const int m = int(mean.size());
  std::vector<double> workspace(math::workspace_size(blocks.partition()), kNaN);
  Result r{{mean, std::vector<double>(m * m, kNaN)}, 0, Failure::none};
  const double* in[] = {eta[0].data(), eta[1].data()};
  double* out[] = {r.u[0].data(), r.u[1].data()};
  const auto moment = math::gaussian_blocks(in, out, m, blocks.partition(), workspace.data());
  r.entropy = moment.entropy, r.failure = moment.failure;
  mean = r.u[0];
  return r;
}

TEST(GaussianBlocks, OneBlockIsTheWhole) {
  Random random(7);
  std::mt19937 rng(7);
  for (const int m : {1, 2, 5, 9}) {
    const Slots eta = {flat(random.vector(m)), random.unsymmetric(-0.5 * random.positive(m))};
    std::vector<double> mean = flat(random.vector(m));
    const Result whole = run(gaussian(m), eta), block = block_round(eta, random_blocks(m, 1, rng), mean);
    ASSERT_EQ(block.failure, Failure::none);
    EXPECT_NEAR(block.entropy, whole.entropy, 1e-12);
    for (int s = 0; s < 2; ++s)
      for (std::size_t i = 0; i < whole.u[s].size(); ++i) EXPECT_NEAR(block.u[s][i], whole.u[s][i], 1e-12);
  }
}

TEST(GaussianBlocks, RoundsAreConditionalsAndEndAtTheExactMean) {
  Random random(8);
  std::mt19937 rng(8);
  for (const int m : {2, 3, 8, 12})
    for (const int n_blocks : {2, m / 2 + 1, m}) {
      const Matrix precision = random.positive(m);
      const Vector h = random.vector(m), exact = precision.ldlt().solve(h);
      const Slots eta = {flat(h), random.unsymmetric(-0.5 * precision)};
      const double log_normaliser = 0.5 * (m * std::log(2 * M_PI) - std::log(precision.determinant()) + h.dot(exact));
      const Blocks blocks = random_blocks(m, n_blocks, rng);
      std::vector<double> mean = flat(random.vector(m));
      double bound = -kInfinity;
      Result r;
      for (int round = 0; round < 2000; ++round) {
        Vector expected = Eigen::Map<const Vector>(mean.data(), m);
        for (int b = 0; b < n_blocks; ++b) {  // x_b | the rest at their means
          const auto in = blocks.block(b);
          std::vector<int> rest;
          for (int i = 0; i < m; ++i)
            if (std::find(in.begin(), in.end(), i) == in.end()) rest.push_back(i);
          const Vector to_rest = precision(in, rest) * expected(rest);
          expected(in) = Vector(precision(in, in).ldlt().solve(Vector(h(in) - to_rest)));
        }
        r = block_round(eta, blocks, mean);
        ASSERT_EQ(r.failure, Failure::none);
        for (int i = 0; i < m; ++i) ASSERT_NEAR(mean[i], expected[i], 1e-11 * (1 + std::abs(expected[i])));
        const double now = r.entropy + inner(eta, r.u);
        ASSERT_GE(now, bound - 1e-11 * (1 + std::abs(now))) << "a round lowered the bound";
        ASSERT_LE(now, log_normaliser + 1e-11 * (1 + std::abs(now))) << "the bound is above the evidence";
        bound = now;
      }
      double entropy = 0;
      Matrix covariance = Matrix::Zero(m, m);
      for (int b = 0; b < n_blocks; ++b) {
        const auto in = blocks.block(b);
        const Matrix block = precision(in, in);
        covariance(in, in) = Matrix(block.inverse());
        entropy += 0.5 * (double(in.size()) * (1 + std::log(2 * M_PI)) - std::log(block.determinant()));
      }
      EXPECT_NEAR(r.entropy, entropy, 1e-11 * (1 + std::abs(entropy)));
      for (int i = 0; i < m; ++i) {
        EXPECT_NEAR(r.u[0][i], exact[i], 1e-8) << "the fixed point has the exact mean";
        for (int j = 0; j < m; ++j)
          EXPECT_NEAR(r.u[1][i * m + j], covariance(i, j) + r.u[0][i] * r.u[0][j],
                      1e-12 * (1 + std::abs(r.u[1][i * m + j])));
      }
    }
}

TEST(GaussianBlocks, BadParametersFailWithTheirReason) {
  const Blocks halves{{1, 0}, {0, 1, 2}};
  std::vector<double> mean(2, 0.);
  EXPECT_EQ(block_round({{0, 0}, {-1, 2, 2, -1}}, halves, mean).failure, Failure::none) << "its diagonal is fine";
  EXPECT_EQ(block_round({{0, 0}, {-1, 0, 0, 1}}, halves, mean).failure, Failure::precision);
  EXPECT_EQ(block_round({{kNaN, 0}, {-1, 0, 0, -1}}, halves, mean).failure, Failure::not_finite);
}

}  // namespace
