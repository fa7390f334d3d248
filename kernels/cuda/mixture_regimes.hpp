// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pass over the rows, by regime, and what their launches share.
#pragma once

#include "kernels/cuda/mixture_layout.hpp"
#include "kernels/cuda/mixture_sweep.hpp"

#include <cstdint>

namespace cavi::kernels::cuda {

cudaError_t enqueue_tile_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                              MixtureSlice slice, cudaStream_t stream);

/// The y of a grid over problems.
inline unsigned grid_of(std::int64_t count) { return unsigned(count < 65535 ? count : 65535); }

/// Calls visit(F{}, T{}) with the family and the precision of a sweep.
template <class Visit>
auto with_sweep_types(const MixtureSweepDevice& op, Visit visit) {
  return components::with_family(op.component, [&]<class F>(F family) {
    return op.precision == Scalar::float32 ? visit(family, float()) : visit(family, double());
  });
}

}  // namespace cavi::kernels::cuda
