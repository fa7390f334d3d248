// SPDX-License-Identifier: Apache-2.0
// The cost model takes a shape to be swept by the kernel that does sweep it.
#include "src/cost_model.hpp"
#include "kernels/cuda/mixture_sweep.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace cavi {
namespace {

using kernels::Component;

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
          EXPECT_EQ(gpu_regime(shape), mixture_regime(op, std::int64_t(shape.rows)))
              << "type " << type << ", D = " << d << ", K = " << k;
        }
}

}  // namespace
}  // namespace cavi
