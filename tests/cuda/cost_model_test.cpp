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
  kernels::cuda::MixtureSweepDevice op;
  SweepShape shape;
  shape.rows = 1e7;
  for (const Scalar precision : {Scalar::float32, Scalar::float64})
    for (const bool tensor_cores : {true, false})
      for (int type = 0; type < 4; ++type)
        for (const int d : {1, 2, 3, 4, 5, 16, 17, 31, 32, 33, 64, 65, 96, 128, 129, 160, 172, 176, 180, 256})
          for (int k = 1; k <= 2000; ++k) {
            op.component = components[type];
            shape.covariance_type = CovarianceType(type);
            op.components = shape.components = k;
            op.features = shape.features = d;
            op.precision = shape.precision = precision;
            op.tensor_cores = shape.tensor_cores = tensor_cores;
            ASSERT_EQ(gpu_regime(shape), mixture_regime(op, std::int64_t(shape.rows)))
                << "type " << type << ", D = " << d << ", K = " << k << (tensor_cores ? "" : ", no tensor cores");
          }
}

}  // namespace
}  // namespace cavi
