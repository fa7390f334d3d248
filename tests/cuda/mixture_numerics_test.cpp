// SPDX-License-Identifier: Apache-2.0
// float32 arithmetic of every regime far from the origin: component means at Mahalanobis distance kappa.
#include "emulator/control.hpp"
#include "tests/cuda/mixture_device.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

namespace cavi::test {
namespace {

struct Case {
  Component component;
  int features;
  MixtureRegime regime;
  std::string name;
};

class DeviceNumericsTest : public testing::TestWithParam<std::tuple<Case, int>> {};

struct Expected {
  const Moments& m;
  const std::vector<Real>& count() const { return m.count; }
  const std::vector<Real>& first() const { return m.first; }
  const std::vector<Real>& second() const { return m.second; }
  Real entropy() const { return m.entropy; }
};

// Tensor cores cut sums off towards zero: squared distances of D features come out smaller, by 2^-23 of them or less.
double bound_tolerance(const Case& c) {
  return 1e-6 + (c.regime == MixtureRegime::tensor ? 0x1p-23 * c.features / 2 : 0);
}

// A sweep of random rows beside its definition, the bounds of which agree.
struct Swept {
  MixtureProblem p;
  Moments moments = definition(p);
  Expected expected{moments};
  DeviceSweep sweep;

  Swept(const Case& c, const Shape& shape) : p(random_mixture(shape)), sweep({p}, Scalar::float32, c.regime) {
    sweep.sweep();
    EXPECT_NEAR(bound(p, sweep) / double(p.rows), bound(p, expected) / double(p.rows), bound_tolerance(c));
  }
};

// Statistics are compared about the component's mean, in its standard deviations (which are near one), per row of it.
void expect_float32(const Case& c, int kappa, std::int64_t rows, double spread = 1) {
  for (const bool paired : {false, true}) {
    Shape shape{c.component, rows, 4, c.features, kappa / spread};
    shape.paired = paired;
    shape.spread = spread;
    Swept swept(c, shape);
    auto& [p, moments, expected, sweep] = swept;
    // Where components share rows, the rounding of their parameters moves a logit by u kappa. On a line they always do.
    const double tolerance = (kappa <= 100 ? 1e-5 : 3e-5) + (paired || c.features == 1 ? 0x1p-24 * kappa : 0);
    for (int k = 0; k < p.components; ++k) {
      ASSERT_GT(moments.count[k], 30) << "a component without rows tests nothing";
      std::vector<Real> mean(c.features);
      for (int d = 0; d < c.features; ++d) mean[d] = moments.first[k * c.features + d] / moments.count[k];
      const Local want = about(p, expected, k, mean), got = about(p, sweep, k, mean);
      EXPECT_NEAR(got.count / want.count, 1, tolerance) << k;
      for (std::size_t i = 0; i < got.first.size(); ++i)
        EXPECT_NEAR(got.first[i] / want.count, want.first[i] / want.count, tolerance) << k << " first " << i;
      for (std::size_t i = 0; i < got.second.size(); ++i)
        EXPECT_NEAR(got.second[i] / want.count, want.second[i] / want.count, tolerance) << k << " second " << i;
    }
  }
}

TEST_P(DeviceNumericsTest, Float32HoldsInTheFrameOfTheComponent) {
  const auto& [c, kappa] = GetParam();
  // Whitened rows of a tied family are rounded far from the origin; over many rows the errors average out.
  expect_float32(c, kappa, c.component == Component::tied && kappa == 1000 ? 20'000 : 3000);
}

// What the rounding of the parameters moves then is the same for all rows: the bound must be of the rounded ones.
TEST_P(DeviceNumericsTest, TheBoundIsThatOfTheParametersAsRounded) {
  const auto& [c, kappa] = GetParam();
  Shape shape{c.component, 1000, 3, c.features, double(kappa)};
  shape.drift = 1;
  const Swept swept(c, shape);
}

// Rows are scored in two ways by components of one sweep, features padded and not.
TEST(RecordNumericsTest, NearAndFarComponentsOfOneSweep) {
  for (const int features : {5, 16, 19, 32}) {
    SCOPED_TRACE(testing::Message() << features << " features");
    expect_float32({Component::full, features, MixtureRegime::fused, ""}, 960, 1000, 16);
    Shape shape{Component::full, 50, 4, features, 60};
    shape.spread = 16;
    DeviceSweep sweep({random_mixture(shape)}, Scalar::float32, MixtureRegime::fused);
    sweep.sweep();
    EXPECT_EQ(sweep.near(), 0.5);
  }
}

TEST(RecordNumericsTest, TheBoundIsThatOfTheParametersAsRounded) {
  for (const unsigned seed : {1, 2, 3, 4}) {
    Shape shape{Component::full, 1000, 3, 9, 160};
    shape.drift = 1;
    shape.seed = seed;
    const Swept swept({Component::full, 9, MixtureRegime::fused, ""}, shape);
    EXPECT_EQ(swept.sweep.near(), 1);
  }
}

TEST(TensorNumericsTest, HoweverTensorCoresSumUp) {
  for (const int products : {4, 8})
    for (const int guard_bits : {0, 2, 8}) {
      SCOPED_TRACE(testing::Message() << products << " products at a time, guard bits " << guard_bits);
      emulator::Options o;
      o.tensor_products = products, o.tensor_guard_bits = guard_bits;
      emulator::reset(o);
      expect_float32({Component::full, 36, MixtureRegime::tensor, ""}, 100, 1000);
    }
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const Component c : {Component::full, Component::tied, Component::diag, Component::spherical})
    for (const auto& [regime, name, features] :
         {std::tuple(MixtureRegime::tile, "Tile", 16), std::tuple(MixtureRegime::points, "Points", 1),
          std::tuple(MixtureRegime::points, "Points", 2), std::tuple(MixtureRegime::points, "Points", 3),
          std::tuple(MixtureRegime::points, "Points", 4), std::tuple(MixtureRegime::fused, "Fused", 16)})
      all.push_back({c, features, regime, name_of(c) + name + std::to_string(features) + "Kappa"});
  all.push_back({Component::full, 36, MixtureRegime::fused, "fullWideKappa"});
  all.push_back({Component::full, 17, MixtureRegime::chunked, "fullChunkedKappa"});
  all.push_back({Component::full, 36, MixtureRegime::tensor, "fullTensorKappa"});
  all.push_back({Component::full, 72, MixtureRegime::tensor, "fullTensorInPartsKappa"});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Kappa, DeviceNumericsTest,
                         testing::Combine(testing::ValuesIn(all_cases()), testing::Values(0, 10, 100, 1000)),
                         [](const auto& test) {
                           return std::get<0>(test.param).name + std::to_string(std::get<1>(test.param));
                         });

}  // namespace
}  // namespace cavi::test
