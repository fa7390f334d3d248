// SPDX-License-Identifier: Apache-2.0
// k-means on the emulated device against the host's: the same seeds, the same centres.
#include "emulator/control.hpp"
#include "kernels/cpu/mixture.hpp"
#include "kernels/ops.hpp"
#include "tests/models.hpp"

#include <cavi/matrix.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace cavi;
using kernels::Rows;

struct Shape {
  int rows, features, components;
};
std::string name_of(const ::testing::TestParamInfo<std::tuple<Shape, bool, Scalar>>& info) {
  const auto& [shape, weighted, precision] = info.param;
  return std::to_string(shape.rows) + "_" + std::to_string(shape.features) + "_" + std::to_string(shape.components) +
         (weighted ? "_weighted" : "") + (precision == Scalar::float32 ? "_float32" : "_float64");
}

class KMeans : public ::testing::TestWithParam<std::tuple<Shape, bool, Scalar>> {};

TEST_P(KMeans, FindsTheCentresOfTheHost) {
  const auto [shape, weighted, precision] = GetParam();
  const Matrix x(cavi::testing::clusters(shape.rows, shape.features, 3), shape.rows, shape.features);
  std::vector<double> weight, origin(std::size_t(shape.features), 0.25);
  for (int n = 0; weighted && n < shape.rows; ++n) weight.push_back(n % 3);
  const Rows rows{x.source().get(), 0, shape.rows, origin.data()};
  const double* w = weighted ? weight.data() : nullptr;
  kernels::cpu::ThreadPool pool(1);
  for (const bool lloyd : {false, true}) {
    const auto device = kernels::cuda_start_centres(rows, w, shape.components, lloyd, 7, precision, 0, 0);
    ASSERT_TRUE(device);
    const auto host = kernels::cpu::start_centres(rows, w, shape.components,
                                                  lloyd ? Init::kmeans : Init::kmeans_plus_plus, 7, precision, pool);
    ASSERT_EQ(device->size(), host.size());
    const double tolerance = precision == Scalar::float32 ? 1e-5 : 1e-12;
    for (std::size_t i = 0; i < host.size(); ++i) {
      if (std::isinf(host[i]))
        EXPECT_EQ((*device)[i], host[i]) << i;
      else
        EXPECT_NEAR((*device)[i], host[i], tolerance * (1 + std::abs(host[i]))) << (lloyd ? "mean " : "seed ") << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AwkwardSizes, KMeans,
                         ::testing::Combine(::testing::Values(Shape{1, 1, 1}, Shape{3, 2, 5}, Shape{127, 3, 4},
                                                              Shape{128, 31, 3}, Shape{129, 33, 2}, Shape{2500, 2, 6}),
                                            ::testing::Bool(), ::testing::Values(Scalar::float32, Scalar::float64)),
                         name_of);

TEST(KMeans, TheBitsAreTheSameUnderEverySchedule) {
  const Matrix x(cavi::testing::clusters(700, 3, 4), 700, 3);
  const Rows rows{x.source().get(), 0, 700, nullptr};
  const auto expected = kernels::cuda_start_centres(rows, nullptr, 5, true, 1, Scalar::float32, 0, 0);
  for (std::uint32_t seed = 0; seed < 16; ++seed) {
    emulator::reset(emulator::options_for(seed));
    EXPECT_EQ(kernels::cuda_start_centres(rows, nullptr, 5, true, 1, Scalar::float32, 0, 0), expected) << seed;
  }
}

TEST(KMeans, LeavesRowsThatDoNotFitToTheHost) {
  const Matrix x(cavi::testing::clusters(700, 3, 4), 700, 3);
  const Rows rows{x.source().get(), 0, 700, nullptr};
  EXPECT_FALSE(kernels::cuda_start_centres(rows, nullptr, 5, true, 1, Scalar::float32, 0, 1 << 16));
}

}  // namespace
