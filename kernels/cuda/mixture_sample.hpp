// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows drawn on a device; formulas in mixture_draws.hpp, the CPU twin in kernels/cpu/mixture_sample.cpp.
#pragma once

#include "kernels/mixture_draws.hpp"

#include <cuda_runtime.h>

#include <cstdint>

namespace cavi::kernels::cuda {

/// Rows [first, first + count) of a seed: labels [count], values [count x D].
struct DrawnRows {
  std::uint64_t seed = 0;
  std::int64_t first = 0, count = 0;
  std::int32_t* labels = nullptr;
  double* values = nullptr;
};

cudaError_t enqueue_sampling(const DrawnMixture& mixture, ComponentFamily family, const DrawnRows& rows,
                             cudaStream_t stream);

}  // namespace cavi::kernels::cuda
