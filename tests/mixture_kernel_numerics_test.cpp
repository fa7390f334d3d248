// SPDX-License-Identifier: Apache-2.0
// float32 arithmetic far from the origin: component means at Mahalanobis distance kappa, against float64.
#include "tests/mixture_kernel_oracle.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

namespace cavi::test {
namespace {

using kernels::cpu::ThreadPool;

constexpr int kComponents = 8, kFeatures = 16;
constexpr std::int64_t kRows = 20'000;

class NumericsTest : public testing::TestWithParam<std::tuple<Component, int, bool>> {};

// Statistics are compared about the component's mean, in its standard deviations (which are near one), per row of it.
TEST_P(NumericsTest, Float32HoldsInTheFrameOfTheComponent) {
  const auto [component, kappa, paired] = GetParam();
  Shape shape{component, kRows, kComponents, kFeatures, double(kappa)};
  shape.paired = paired;
  const MixtureProblem p = random_mixture(shape);
  ThreadPool pool(2);
  Bench narrow(p, Storage::float32, Scalar::float32), wide(p, Storage::float32, Scalar::float64);
  narrow.sweep(pool);
  wide.sweep(pool);

  EXPECT_NEAR(bound(p, narrow) / kRows, bound(p, wide) / kRows, 1e-6);
  // Where components share rows, the rounding of their parameters moves a logit by u kappa.
  const double tolerance = (kappa <= 100 ? 1e-5 : 3e-5) + (paired ? 0x1p-24 * kappa : 0);
  for (int k = 0; k < kComponents; ++k) {
    ASSERT_GT(wide.count()[k], 100) << "a component without rows tests nothing";
    std::vector<Real> mean(kFeatures);
    for (int d = 0; d < kFeatures; ++d) mean[d] = Real(wide.first()[k * kFeatures + d]) / wide.count()[k];
    const Local expected = about(p, wide, k, mean), got = about(p, narrow, k, mean);
    EXPECT_NEAR(got.count / expected.count, 1, tolerance) << k;
    for (std::size_t i = 0; i < got.first.size(); ++i)
      EXPECT_NEAR(got.first[i] / expected.count, expected.first[i] / expected.count, tolerance) << k << " first " << i;
    for (std::size_t i = 0; i < got.second.size(); ++i)
      EXPECT_NEAR(got.second[i] / expected.count, expected.second[i] / expected.count, tolerance)
          << k << " second " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Kappa, NumericsTest,
                         testing::Combine(testing::ValuesIn(kEveryComponent), testing::Values(0, 10, 15, 17, 100, 1000),
                                          testing::Bool()),
                         [](const auto& test) {
                           return name_of(std::get<0>(test.param)) + std::to_string(std::get<1>(test.param)) +
                                  (std::get<2>(test.param) ? "Paired" : "");
                         });

}  // namespace
}  // namespace cavi::test
