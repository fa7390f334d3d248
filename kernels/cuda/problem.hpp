// SPDX-License-Identifier: Apache-2.0
/// \file
/// What kernels see of a program's problems. All of it lies in device memory; an array of DeviceProblem, one per
/// problem of the batch, is what every kernel gets.
#pragma once

#include "kernels/cuda/simt.hpp"
#include "kernels/ops.hpp"

#include <cstdint>
#include <limits>

namespace cavi::kernels::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;
inline constexpr int kTile = 128;  ///< points of a tile

/// Rows of a fused source minus their origin, in the precision of the sweeps: tiles of kTile points, feature-major
/// inside a tile, x[(tile * D + d) * kTile + i]. The last tile is padded with zeros. When rows are streamed, x is where
/// tile 0 would be if all were there, and a launch touches the tiles of its chunk only.
struct DeviceRows {
  const void* x = nullptr;
  std::int64_t count = 0;
};

/// The first thing that went wrong in a problem, as one number: operation, element and cause, so that the smallest is
/// the one that the host would have met first.
using Failure = unsigned long long;
inline constexpr Failure kNoFailure = ~0ull;

/// How far a problem has come: written by the bound (and the end of a mixture sweep), read by the host between rounds
/// of sweeps.
struct Course {
  int active = 0;  ///< kernels leave a problem alone that is not
  int sweeps = 0;  ///< done
  int limit = 0;   ///< stop when so many are done
  int bounds = 0;  ///< written to the trace in this round
  int converged = 0;
  double before = 0;  ///< the bound before the one at hand, and before this sweep
  double sweep_before = 0;
  double least_gain = 0;  ///< converged when a sweep gains less; 0: never
  double slack = 0;       ///< a fall of more than slack times the bound's magnitude is a failure ...
  double rows = 0;        ///< ... which counts the observed rows, too
  Failure failure = kNoFailure;
  double negligible = std::numeric_limits<double>::quiet_NaN();  ///< share of pairs; see Summary::negligible
  double near = std::numeric_limits<double>::quiet_NaN();        ///< share of components; see Summary::near
};

struct DeviceProblem {
  double* const* buffers = nullptr;       ///< by Buffer
  const std::int64_t* extents = nullptr;  ///< by plate
  const DeviceRows* rows = nullptr;       ///< by source
  std::byte* scratch = nullptr;           ///< as large as the operation that wants most; contents do not survive it
  Failure* failure = nullptr;
  const int* active = nullptr;  ///< 0: this problem is over, and kernels leave it alone
  Course* course = nullptr;
  double* trace = nullptr;               ///< bounds of this round, in host memory
  std::int64_t number = 0;               ///< in the batch
  const std::int64_t* firsts = nullptr;  ///< by ragged plate: elements of the problems before this one

  __device__ double* operator[](Buffer b) const { return buffers[b]; }
  /// Where the problem's elements of a plate begin among those of all problems.
  __device__ std::int64_t first(const Extent& e) const { return e.plate < 0 ? number * e.size : firsts[e.plate]; }
  __device__ std::int64_t size(const Extent& e) const { return e.plate < 0 ? e.size : extents[e.plate]; }
};

#if defined(__CUDACC__) || defined(CUDA_EMULATOR)
/// `operation`: position among the operations of the program, init before sweep. `element`: below 2^32.
__device__ inline void report_failure(const DeviceProblem& problem, int operation, std::int64_t element, int cause) {
  atomicMin(problem.failure, (Failure(operation) << 40) | (Failure(element & 0xffffffff) << 8) | Failure(cause));
}
#endif

}  // namespace cavi::kernels::cuda
