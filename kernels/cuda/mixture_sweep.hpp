// SPDX-License-Identifier: Apache-2.0
/// \file
/// The mixture sweep on a device; formulas in ops.hpp, the CPU twin in kernels/cpu/mixture_sweep.cpp.
///
/// A sweep is three stages on a stream: the frame of the parameters, one pass over the rows in slabs, and the end,
/// where the slabs' sums meet in a fixed order and move back to the origin of the rows. Slabs, kernel and tiles are
/// functions of one problem's shape, so that bits depend neither on the batch, nor on the grid, nor on the device's
/// size.
#pragma once

#include "kernels/cuda/problem.hpp"
#include "kernels/ops.hpp"

#include <cstdint>
#include <string>

namespace cavi::kernels::cuda {

/// Which kernel passes over the rows.
enum class MixtureRegime {
  automatic,  ///< the best for the shape
  tile,       ///< any shape: a tile of rows at a time
  points,     ///< float32, few features, not too many components: statistics in registers
  fused,      ///< float32: half a tile of rows to two in shared memory
  chunked,    ///< float32, full, many statistics: rounds over a few tiles of every slab
  tensor,     ///< float32, full, 32 to 128 features: such rounds by tensor cores
};

/// MixtureSweep in plain numbers.
struct MixtureSweepDevice {
  Component component = Component::full;
  int components = 1, features = 1;
  int source = 0;  ///< position in DeviceProblem::rows
  Scalar precision = Scalar::float32;
  Buffer weight = kNoBuffer;
  Buffer count = kNoBuffer, first = kNoBuffer, second = kNoBuffer, entropy = kNoBuffer;
  Buffer quadratic = kNoBuffer, linear = kNoBuffer, constant = kNoBuffer;
  int operation = 0;         ///< for report_failure
  bool tensor_cores = true;  ///< the device has some that multiply float32 numbers: sm_80 and later
  // For tests and benchmarks:
  MixtureRegime regime = MixtureRegime::automatic;
  int most_slabs = 1024;  ///< several blocks for each multiprocessor
};

/// Causes of failure; the element is the component (the tied precision is component 0's).
inline constexpr int kNotPositiveDefinite = 1, kLogitNotFinite = 2, kAllSwitchedOff = 3;

/// Slabs [first, first + count) of a problem, whose rows are there.
struct MixtureSlice {
  std::int64_t first_slab = 0, slabs = 0;
};

/// Slabs of a problem of so many rows, at least one: without rows it is empty. More rows never have fewer slabs.
std::int64_t mixture_slabs(const MixtureSweepDevice& op, std::int64_t rows);
/// The row where a slab begins, a multiple of kTile; for slab = mixture_slabs() the number of rows.
std::int64_t mixture_slab_begin(const MixtureSweepDevice& op, std::int64_t rows, std::int64_t slab);
/// Most rows of a problem that mixture_sweep_block (mixture_block.cuh) may get.
inline constexpr std::int64_t kBlockRows = 4096;
/// Bytes of DeviceProblem::scratch, aligned to 256, that one problem of so many rows wants from the first stage to the
/// last.
std::int64_t mixture_sweep_scratch(const MixtureSweepDevice& op, std::int64_t rows);
/// Which kernel a problem of so many rows gets.
std::string mixture_regime(const MixtureSweepDevice& op, std::int64_t rows);

/// Each stage works on `count` problems of a device array that are active. max_rows: of the longest of them.
cudaError_t enqueue_mixture_frame(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                  cudaStream_t stream);
/// The sums of a slice of slabs; every slab in one slice of a sweep.
cudaError_t enqueue_mixture_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                 std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream);
/// Writes count, first, second (not for tied), entropy, and the share of negligible pairs to the course.
cudaError_t enqueue_mixture_finish(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                   std::int64_t max_rows, cudaStream_t stream);

}  // namespace cavi::kernels::cuda
