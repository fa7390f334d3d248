// SPDX-License-Identifier: Apache-2.0
// The cost model takes a shape to be swept by the kernel that does sweep it.
#include "src/cost_model.hpp"
#include "kernels/cuda/mixture_layout.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace cavi {
namespace {

using kernels::Component;
using kernels::cuda::MixtureRegime;

std::string_view name_of(MixtureRegime regime) {
  switch (regime) {
    case MixtureRegime::automatic:
    case MixtureRegime::tile: break;
    case MixtureRegime::points: return "points";
    case MixtureRegime::fused: return "fused";
    case MixtureRegime::chunked: return "chunked";
    case MixtureRegime::tensor: return "tensor";
  }
  return "tile";
}

TEST(CostModel, KnowsTheRegimes) {
  const Component components[] = {Component::full, Component::tied, Component::diag, Component::spherical};
  for (const Scalar precision : {Scalar::float32, Scalar::float64})
    for (int type = 0; type < 4; ++type)
      for (const int d : {1, 2, 3, 4, 5, 16, 32, 33, 64, 65, 96, 128, 160, 256})
        for (const int k : {1, 4, 8, 9, 16, 32, 64, 65, 128, 129, 256, 1024}) {
          kernels::cuda::MixtureSweepDevice op;
          op.component = components[type];
          op.components = k;
          op.features = d;
          op.precision = precision;
          SweepShape shape;
          shape.rows = 1e7;
          shape.features = d;
          shape.components = k;
          shape.covariance_type = CovarianceType(type);
          shape.precision = precision;
          EXPECT_EQ(gpu_regime(shape), name_of(regime_of(op))) << "type " << type << ", D = " << d << ", K = " << k;
        }
}

}  // namespace
}  // namespace cavi
