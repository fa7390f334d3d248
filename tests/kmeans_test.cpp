// SPDX-License-Identifier: Apache-2.0
// First labels and the moments of rows.
#include "kernels/cpu/mixture.hpp"
#include "tests/mixture_kernel_oracle.hpp"

#include <cavi/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <vector>

namespace cavi::test {
namespace {

using kernels::Rows;
using kernels::cpu::row_moments;
using kernels::cpu::ThreadPool;

struct Blobs {
  std::vector<double> x;
  std::vector<std::int32_t> truth;
  std::int64_t rows;
  int features;
  Matrix matrix() const { return Matrix(x, rows, features); }
};

Blobs blobs(std::int64_t rows, int components, int features, double distance, unsigned seed = 1) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<double> gauss;
  std::vector<double> centre(std::size_t(components) * features);
  for (int k = 0; k < components; ++k)
    for (int d = 0; d < features; ++d) centre[k * features + d] = distance * ((k >> (d % 8)) % 2) + distance * k / 2;
  Blobs b{{}, {}, rows, features};
  for (std::int64_t n = 0; n < rows; ++n) {
    const int k = int(rng() % components);
    b.truth.push_back(k);
    for (int d = 0; d < features; ++d) b.x.push_back(centre[k * features + d] + gauss(rng));
  }
  return b;
}

Rows rows_of(const Matrix& m) { return {m.source().get(), 0, m.rows(), nullptr}; }

/// The component that every row starts in.
std::vector<std::int32_t> start_labels(const Matrix& m, const double* weight, int components, Init init,
                                       std::uint64_t seed, Scalar precision, ThreadPool& pool) {
  const auto centres = kernels::cpu::start_centres(rows_of(m), weight, components, init, seed, precision, pool);
  const Matrix r = kernels::cpu::nearest_centres(
      {m, {0, m.rows()}, std::vector<double>(std::size_t(m.cols())), centres, components, precision});
  const std::vector<double> values = r.to_vector();
  std::vector<std::int32_t> labels;
  for (auto row = values.begin(); row != values.end(); row += components) {
    EXPECT_EQ(std::count(row, row + components, 1.0), 1);
    EXPECT_EQ(std::count(row, row + components, 0.0), components - 1);
    labels.push_back(std::int32_t(std::find(row, row + components, 1.0) - row));
  }
  return labels;
}

double inertia(const Blobs& b, const std::vector<std::int32_t>& label, int components,
               const std::vector<double>& weight = {}) {
  std::vector<double> sum(std::size_t(components) * b.features), mass(components);
  const auto w = [&](std::int64_t n) { return weight.empty() ? 1 : weight[n]; };
  for (std::int64_t n = 0; n < b.rows; ++n) {
    mass[label[n]] += w(n);
    for (int d = 0; d < b.features; ++d) sum[label[n] * b.features + d] += w(n) * b.x[n * b.features + d];
  }
  double total = 0;
  for (std::int64_t n = 0; n < b.rows; ++n)
    for (int d = 0; d < b.features; ++d) {
      const double z = b.x[n * b.features + d] - sum[label[n] * b.features + d] / mass[label[n]];
      total += w(n) * z * z;
    }
  return total;
}

constexpr Init kInits[] = {Init::kmeans, Init::kmeans_plus_plus, Init::random_from_data};

TEST(StartLabels, FindWellSeparatedGroups) {
  ThreadPool pool(2);
  for (const Scalar precision : {Scalar::float32, Scalar::float64})
    for (int components : {1, 2, 3, 8})
      for (const Init init : {Init::kmeans, Init::kmeans_plus_plus}) {
        const Blobs b = blobs(3000, components, 3, 60);
        const Matrix m = b.matrix();
        const auto label = start_labels(m, nullptr, components, init, 7, precision, pool);
        std::set<std::pair<int, int>> pairs;
        for (std::int64_t n = 0; n < b.rows; ++n) pairs.insert({label[n], b.truth[n]});
        EXPECT_EQ(int(pairs.size()), components) << "a renaming of the groups, init " << int(init);
      }
}

TEST(StartLabels, DoNotDependOnThreads) {
  const Blobs b = blobs(20'000, 9, 5, 2);
  const Matrix m = b.matrix();
  for (const Init init : kInits) {
    ThreadPool one(1);
    const auto expected = start_labels(m, nullptr, 12, init, 3, Scalar::float32, one);
    for (int threads : {2, 8}) {
      ThreadPool pool(threads);
      EXPECT_EQ(start_labels(m, nullptr, 12, init, 3, Scalar::float32, pool), expected);
    }
    std::vector<std::int32_t> nested;
    one.run(1, [&](std::int64_t, int) { nested = start_labels(m, nullptr, 12, init, 3, Scalar::float32, one); });
    EXPECT_EQ(nested, expected);
  }
}

TEST(StartLabels, DependOnTheSeed) {
  const Blobs b = blobs(2000, 9, 2, 1);
  const Matrix m = b.matrix();
  ThreadPool pool(1);
  for (const Init init : kInits) {
    std::set<std::vector<std::int32_t>> all;
    for (std::uint64_t seed = 0; seed < 5; ++seed)
      all.insert(start_labels(m, nullptr, 6, init, seed, Scalar::float64, pool));
    EXPECT_EQ(all.size(), 5u) << int(init);
  }
}

TEST(StartLabels, LloydImprovesItsSeedsToAFixedPoint) {
  const Blobs b = blobs(4000, 5, 4, 1.5);
  const Matrix m = b.matrix();
  ThreadPool pool(2);
  const auto seeds = start_labels(m, nullptr, 5, Init::kmeans_plus_plus, 1, Scalar::float64, pool);
  const auto label = start_labels(m, nullptr, 5, Init::kmeans, 1, Scalar::float64, pool);
  EXPECT_LT(inertia(b, label, 5), 0.98 * inertia(b, seeds, 5));
}

TEST(StartLabels, ARowOfWeightZeroIsNeverASeedAndCountsForNothing) {
  Blobs b = blobs(500, 3, 2, 40);
  std::vector<double> weight(500, 1.0);
  for (int n = 0; n < 50; ++n) {
    weight[n * 10] = 0;
    b.x[n * 20] = 1e6 + 1e5 * n;  // far away: k-means++ would surely take it
  }
  const Matrix m = b.matrix();
  ThreadPool pool(2);
  for (const Init init : {Init::kmeans, Init::kmeans_plus_plus})
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const auto label = start_labels(m, weight.data(), 3, init, seed, Scalar::float64, pool);
      std::set<std::pair<int, int>> pairs;
      for (std::int64_t n = 0; n < b.rows; ++n)
        if (weight[n] > 0) pairs.insert({label[n], b.truth[n]});
      EXPECT_EQ(pairs.size(), 3u) << "seed " << seed;
    }
}

// Two of the rows 0, 10 and 21 are drawn. Only without the last does it share its label with the one before, and both
// others come first with probability 2 * 1/10 * 1/9.
TEST(StartLabels, RandomRowsAreDrawnByWeight) {
  const Matrix m(std::vector<double>{0, 10, 21}, 3, 1);
  const std::vector<double> weight{1, 1, 8};
  ThreadPool pool(1);
  int without = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const auto label = start_labels(m, weight.data(), 2, Init::random_from_data, seed, Scalar::float64, pool);
    without += label[1] == label[2];
  }
  EXPECT_NEAR(without, 4000.0 * 2 / 90, 5 * std::sqrt(4000.0 * 2 / 90));
}

TEST(StartLabels, FewerDistinctRowsThanComponentsLeaveSomeEmpty) {
  ThreadPool pool(2);
  const Matrix m(std::vector<double>{1, 1, 2, 2, 1, 2}, 6, 1);
  for (const Init init : kInits) {
    const auto label = start_labels(m, nullptr, 5, init, 0, Scalar::float32, pool);
    ASSERT_EQ(label.size(), 6u);
    for (const int l : label) EXPECT_TRUE(l >= 0 && l < 5);
    if (init == Init::random_from_data) continue;  // five equal rows may be drawn
    EXPECT_EQ(label[0], label[1]);
    EXPECT_EQ(label[2], label[3]);
    EXPECT_NE(label[0], label[2]);
  }
}

TEST(StartLabels, TakeNoRowsOneRowAndNoWeight) {
  ThreadPool pool(2);
  const Matrix none(std::vector<double>{}, 0, 2), one(std::vector<double>{3, 4}, 1, 2);
  const std::vector<double> zero{0};
  for (const Init init : kInits) {
    EXPECT_TRUE(start_labels(none, nullptr, 3, init, 0, Scalar::float32, pool).empty());
    EXPECT_EQ(start_labels(one, nullptr, 3, init, 0, Scalar::float32, pool), std::vector<std::int32_t>{0});
    EXPECT_EQ(start_labels(one, zero.data(), 3, init, 0, Scalar::float32, pool), std::vector<std::int32_t>{0});
  }
}

TEST(RowMoments, FollowTheDefinition) {
  ThreadPool pool(2);
  for (const std::int64_t n : {1, 2, 47, 48, 49, 1000})
    for (const int d : {1, 2, 3, 4, 5, 17})
      for (const bool weighted : {false, true}) {
        Shape shape{Component::full, n, 2, d, 3};
        shape.origin = d % 2 == 1;
        shape.weights = weighted && n > 2;
        const MixtureProblem p = random_mixture(shape);
        const Matrix m = store(p, Storage::strided);
        const Rows rows{m.source().get(), 0, n, p.origin.empty() ? nullptr : p.origin.data()};
        const auto got = row_moments(rows, p.weight.empty() ? nullptr : p.weight.data(), true, pool);
        Real total = 0;
        std::vector<Real> mean(d), covariance(d * d);
        const auto w = [&](std::int64_t i) { return p.weight.empty() ? Real(1) : Real(p.weight[i]); };
        for (std::int64_t i = 0; i < n; ++i) {
          total += w(i);
          for (int j = 0; j < d; ++j) mean[j] += w(i) * row(p, i)[j];
        }
        for (Real& v : mean) v /= total;
        for (std::int64_t i = 0; i < n; ++i)
          for (int j = 0; j < d; ++j)
            for (int l = 0; l < d; ++l)
              covariance[j * d + l] += w(i) * (row(p, i)[j] - mean[j]) * (row(p, i)[l] - mean[l]) / total;
        EXPECT_NEAR(got.weight, total, 1e-12 * total);
        for (int j = 0; j < d; ++j) EXPECT_NEAR(got.mean[j], mean[j], 1e-12);
        for (int j = 0; j < d * d; ++j) EXPECT_NEAR(got.covariance[j], covariance[j], 1e-12) << n << " x " << d;
      }
}

TEST(RowMoments, HoldFarFromTheOriginAndOnAnyNumberOfThreads) {
  Blobs b = blobs(30'000, 3, 3, 2);
  const Matrix near = b.matrix();
  for (double& x : b.x) x += 1e6;
  const Matrix far = b.matrix();
  ThreadPool one(1), many(8);
  const auto expected = row_moments(rows_of(near), nullptr, true, one),
             got = row_moments(rows_of(far), nullptr, true, one);
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(got.covariance[i], expected.covariance[i], 1e-8);
  const auto again = row_moments(rows_of(far), nullptr, true, many);
  EXPECT_EQ(again.mean, got.mean);
  EXPECT_EQ(again.covariance, got.covariance);
  EXPECT_TRUE(row_moments(rows_of(far), nullptr, false, one).covariance.empty());
}

TEST(RowMoments, RejectNoRowsAndNoWeight) {
  ThreadPool pool(1);
  const Matrix none(std::vector<double>{}, 0, 2), one(std::vector<double>{3, 4}, 1, 2);
  const double zero = 0;
  EXPECT_THROW(row_moments(rows_of(none), nullptr, true, pool), ShapeError);
  EXPECT_THROW(row_moments(rows_of(one), &zero, true, pool), ShapeError);
}

}  // namespace
}  // namespace cavi::test
