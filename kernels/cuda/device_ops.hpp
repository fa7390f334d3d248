// SPDX-License-Identifier: Apache-2.0
/// \file
/// Operations as kernels execute them: the plain numbers of ops.hpp, found by lower.cpp. They lie in device memory.
///
/// An operation is cut into units that do not touch each other's results, each the work of one thread or of one warp.
/// What a unit computes depends neither on who computes it nor on how many there are, so the bits do not either.
#pragma once

#include "kernels/cuda/mixture_sweep.hpp"
#include "kernels/cuda/problem.hpp"
#include "kernels/ops.hpp"

#include <cstdint>

namespace cavi::kernels::cuda {

inline constexpr int kMaxLabels = 10, kMaxOperands = 6, kMaxGathers = 12, kMaxSlots = 4;
inline constexpr int kOut = 0;  ///< place of the output among the pointers; operands follow

/// An index map on a label: value v moves the pointer at `place` by stride * map[v].
struct DeviceGather {
  int label = 0, place = 0;
  std::int64_t stride = 0;
  const std::int32_t* map = nullptr;
};

/// Contract. A unit stands for one value of each of the labels [0, units), and for one slab. It goes through labels
/// [units, writes), which reach elements of out more than once, one value after the other; the labels left are summed
/// over, `lane` by the members of the unit's team in turn. The sum of slab s goes `s * slab_stride` behind the element.
struct DeviceContract {
  double coefficient = 1;
  int labels = 0, units = 0, writes = 0, operands = 0, gathers = 0;
  int lane = -1;  ///< or none: nothing is summed over
  bool accumulate = false;
  int slabs = 1;  ///< of the lane label, at the most; a problem has slabs_of(its extent)
  std::int64_t slab_stride = 0;
  Extent extent[kMaxLabels];
  Buffer buffer[kMaxOperands + 1] = {};
  std::int64_t offset[kMaxOperands + 1] = {};
  std::int64_t stride[kMaxOperands + 1][kMaxLabels] = {};
  DeviceGather gather[kMaxGathers];
};

/// Slabs of a loop of so many steps.
__host__ __device__ constexpr int slabs_of(std::int64_t extent) {
  return extent < 4096 ? 1 : extent < 64 * 2048 ? int(extent / 2048) : 64;
}

/// Fill and Copy: a unit per element.
struct DeviceFill {
  Buffer buffer = kNoBuffer, from = kNoBuffer;  ///< from: copy that one
  double value = 0;
  std::int64_t size = 1;
  int plate = -1;  ///< size times its extent
};

/// Moments: a unit per plate element, whose weighted entropy goes to `entropies` [elements].
struct DeviceMoments {
  Family family = Family::gaussian;
  int dimension = 1, inner = 1, slots = 0;
  Extent elements;
  Buffer eta[kMaxSlots] = {}, u[kMaxSlots] = {};
  std::int64_t size[kMaxSlots] = {};
  Buffer weight = kNoBuffer, entropies = kNoBuffer;
  int blocks = 0;  ///< gaussian: of its partition, or none
  const int *coordinates = nullptr, *offsets = nullptr;
  Buffer workspace = kNoBuffer;
  std::int64_t workspace_size = 0;  ///< per element
};

/// Given responsibilities: labels, else dense, else random.
struct DeviceResponsibilities {
  const std::int32_t* labels = nullptr;  ///< of all problems in order
  const double* dense = nullptr;         ///< [rows of all problems x K], every row sums to one
  std::uint64_t seed = 0;
};

/// MixtureStart: a unit sums a few neighbouring statistics of one component over one slab. `sums` is
/// [slabs x (count [K], first [K x D], second)], second [K x D] for a spherical family; one more unit per 32 rows finds
/// their `entropies` [N].
struct DeviceMixtureStart {
  Component component = Component::full;
  Scalar precision = Scalar::float64;
  int components = 0, features = 0, source = -1, slabs = 1;
  Extent elements;  ///< rows
  Buffer weight = kNoBuffer, sums = kNoBuffer, entropies = kNoBuffer;
  DeviceResponsibilities given;
};

__host__ __device__ constexpr std::int64_t start_size(Component c, int components, int features) {
  return components + std::int64_t(components) * features +
         quadratic_size(c == Component::spherical ? Component::diag : c, components, features);
}

/// The statistics of a component are a matrix of features, with a last feature that is one: its last column holds the
/// first moments and the count. A matrix is cut into squares of kAtOnce rows and columns; without one there are a
/// diagonal and the last column, kAtOnce rows at a time.
inline constexpr int kAtOnce = 8;
struct StartShape {
  bool matrix;
  int groups, columns, sets;  ///< groups of rows and of columns
  __host__ __device__ explicit StartShape(const DeviceMixtureStart& s)
      : matrix(s.component == Component::full || s.component == Component::tied),
        groups((s.features + kAtOnce) / kAtOnce),
        columns(matrix ? groups : 1),
        sets(s.components + (s.component == Component::tied ? 1 : 0)) {}
  /// Units of one slab, and of all slabs; those for the rows' entropies follow.
  __host__ __device__ std::int64_t per_slab() const { return std::int64_t(sets) * groups * columns; }
  __host__ __device__ std::int64_t sums(int slabs) const { return slabs * per_slab(); }
};
__host__ __device__ inline std::int64_t start_units(const DeviceMixtureStart& s, std::int64_t rows) {
  return StartShape(s).sums(s.slabs) + (rows + kWarp - 1) / kWarp;
}

/// Slabs of so many rows, whose sums take at most 64 MB in all.
__host__ __device__ constexpr int start_slabs(std::int64_t rows, std::int64_t size) {
  const std::int64_t most = (std::int64_t(8) << 20) / size, slabs = rows / 1024;
  const std::int64_t affordable = most < 8 ? 8 : most > 1024 ? 1024 : most;
  return slabs < 1 ? 1 : slabs < affordable ? int(slabs) : int(affordable);
}
/// First row of a slab: a multiple of kTile.
__host__ __device__ constexpr std::int64_t start_slab_begin(std::int64_t rows, std::int64_t slabs, std::int64_t slab) {
  const std::int64_t begin = (rows + kTile - 1) / kTile * slab / slabs * kTile;
  return begin < rows ? begin : rows;
}

/// AssignStart: a unit per row.
struct DeviceAssignStart {
  int components = 0;
  Extent elements;
  Buffer weight = kNoBuffer, r = kNoBuffer, entropies = kNoBuffer;
  DeviceResponsibilities given;
};

/// Bound: one unit. `last` of a list decides whether the problem goes on.
struct DeviceBound {
  int parts = 0;
  const Buffer* part = nullptr;
  Buffer record = kNoBuffer;
  bool last = false;
};

struct DeviceOp {
  enum class Kind { contract, fill, moments, mixture_sweep, mixture_start, assign_start, bound };
  Kind kind = Kind::fill;
  bool warp = false;  ///< a warp per unit, else a thread
  bool meet = false;  ///< what follows reads or overwrites what this or an earlier one wrote
  int number = 0;     ///< position among the program's operations, init before sweep: for failures
  union {
    DeviceContract contract;
    DeviceFill fill;
    DeviceMoments moments;
    MixtureSweepDevice mixture_sweep;
    DeviceMixtureStart mixture_start;
    DeviceAssignStart assign_start;
    DeviceBound bound;
  };
  DeviceOp() : fill() {}
};

}  // namespace cavi::kernels::cuda
