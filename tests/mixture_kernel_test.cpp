// SPDX-License-Identifier: Apache-2.0
// Mixture sweeps and starts against their definition in long double.
#include "tests/mixture_kernel_oracle.hpp"

#include <cavi/error.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace cavi::test {
namespace {

using kernels::cpu::ThreadPool;

const auto kComponents = testing::Values(Component::full, Component::tied, Component::diag, Component::spherical);

// Statistics against the definition, errors in units of what the rows of a component add up to.
void expect_moments(Bench& got, const Moments& expected, const MixtureProblem& p, double tolerance) {
  Real total = 1, spread = 1;
  for (std::int64_t n = 0; n < p.rows; ++n) {
    const Real w = p.weight.empty() ? 1 : p.weight[n];
    total += w;
    for (const Real x : row(p, n)) spread = std::max(spread, std::abs(x));
  }
  for (int k = 0; k < p.components; ++k) EXPECT_NEAR(got.count()[k], expected.count[k], tolerance * total) << k;
  for (std::size_t i = 0; i < got.first().size(); ++i)
    EXPECT_NEAR(got.first()[i], expected.first[i], tolerance * total * spread) << "first " << i;
  for (std::size_t i = 0; i < got.second().size(); ++i)
    EXPECT_NEAR(got.second()[i], expected.second[i], tolerance * total * spread * spread * p.features)
        << "second " << i;
  EXPECT_NEAR(got.entropy(), expected.entropy, 10 * tolerance * total * p.features);
}

// A logit is a sum whose rounding errors, and so those of a responsibility, scale with its size.
double tolerance_of(Scalar precision, const Moments& m) {
  return (precision == Scalar::float32 ? 0x1p-24 : 0x1p-53) * 8 * double(1 + m.magnitude);
}

void expect_definition(const Shape& shape) {
  const MixtureProblem p = random_mixture(shape);
  const Moments expected = definition(p);
  ThreadPool pool(2);
  for (const Scalar precision : {Scalar::float32, Scalar::float64})
    for (const Storage storage : {Storage::float32, Storage::float64, Storage::strided, Storage::file}) {
      SCOPED_TRACE(testing::Message() << name_of(shape.component) << " N " << shape.rows << " K " << shape.components
                                      << " D " << shape.features << " precision " << size_of(precision) << " storage "
                                      << int(storage));
      Bench bench(p, storage, precision);
      bench.sweep(pool);
      expect_moments(bench, expected, p, tolerance_of(precision, expected));
      if (precision == Scalar::float64) {
        std::vector<double> r(p.rows * p.components, std::nan(""));
        kernels::cpu::mixture_responsibilities(bench.op(), bench.problem(), r.data(), pool);
        for (std::size_t i = 0; i < r.size(); ++i) ASSERT_NEAR(r[i], expected.r[i], 1e-12) << "responsibility " << i;
      }
    }
}

class MixtureSweepTest : public testing::TestWithParam<Component> {};

TEST_P(MixtureSweepTest, FollowsTheDefinitionAtAwkwardSizes) {
  for (const std::int64_t rows : {0, 1, 15, 16, 17, 47, 48, 49, 255, 256, 257, 1000})
    expect_definition({GetParam(), rows, 5, 3, 3, rows % 2 == 1, rows % 3 == 1});
  for (int d = 1; d <= 33; ++d) expect_definition({GetParam(), 70, 3, d, 3, d % 3 == 0, d % 2 == 0, unsigned(d)});
  for (int k = 1; k <= 40; ++k) expect_definition({GetParam(), 65, k, 4, 3, false, k % 2 == 0, unsigned(k)});
}

INSTANTIATE_TEST_SUITE_P(Every, MixtureSweepTest, kComponents, [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace cavi::test
