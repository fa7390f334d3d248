// SPDX-License-Identifier: Apache-2.0
// Responsibilities that are given at the start: looked up, or made up anew wherever they are needed.
#pragma once

#include "kernels/cuda/device_ops.hpp"
#include "kernels/math/random.hpp"

namespace cavi::kernels::cuda {

/// Responsibility of component k for row n of the problem. A random one needs the sum over all components: see
/// given_scale.
__device__ inline double given_value(const DeviceResponsibilities& given, std::int64_t first_row, std::int64_t n, int k,
                                     int components) {
  if (given.labels) return given.labels[first_row + n] == k ? 1 : 0;
  if (given.dense) return given.dense[(first_row + n) * components + k];
  return random::start_responsibility(given.seed, std::uint64_t(n), k);
}
__device__ inline double given_scale(const DeviceResponsibilities& given, std::int64_t n, int components) {
  if (given.labels || given.dense) return 1;
  double sum = 0;
  for (int k = 0; k < components; ++k) sum += random::start_responsibility(given.seed, std::uint64_t(n), k);
  return sum;
}
__device__ inline double given_entropy(const DeviceResponsibilities& given, std::int64_t first_row, std::int64_t n,
                                       int components) {
  if (given.labels) return 0;
  const double scale = given_scale(given, n, components);
  double sum = 0;
  for (int k = 0; k < components; ++k)
    if (const double r = given_value(given, first_row, n, k, components) / scale; r > 0) sum -= r * log(r);
  return sum;
}

}  // namespace cavi::kernels::cuda
