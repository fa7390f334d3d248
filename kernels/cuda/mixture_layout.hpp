// SPDX-License-Identifier: Apache-2.0
/// \file
/// How a mixture sweep cuts a problem into slabs, and where in the problem's scratch it keeps what.
#pragma once

#include "kernels/cuda/mixture_cells.hpp"
#include "kernels/cuda/mixture_float32.hpp"
#include "kernels/cuda/mixture_sweep.hpp"
#include "kernels/math/components/families.hpp"

#include <cstdint>
#include <type_traits>

namespace cavi::kernels::cuda {

/// Logits are in bits: 2^x is what the special-function unit takes.
inline constexpr double kBitsPerNat = 1.4426950408889634074, kNatsPerBit = 0.69314718055994530942;

/// Sums over a slab in the frame of the family, float64, one array after the other: count [K], live [K], first [K x D],
/// second (full [K x cells_size(D)], diag [K x D], spherical [K]) and, last, the sum of lse in nats. live: pairs of row
/// and component that are not negligible, all in all; which of its places a pass puts them into is its own affair.
CAVI_HOST_DEVICE constexpr std::int64_t second_sums(Component c, int features) {
  if (c == Component::full) return cells_size(features);
  return c == Component::diag ? features : c == Component::spherical ? 1 : 0;
}
CAVI_HOST_DEVICE constexpr std::int64_t sums_size(const MixtureSweepDevice& op) {
  return op.components * (2 + op.features + second_sums(op.component, op.features)) + 1;
}

inline constexpr unsigned kTilesOfASlab = 2;                         ///< at least, but in the last slab
inline constexpr std::int64_t kSlabBytes = std::int64_t(320) << 20;  ///< of all slabs together
inline constexpr unsigned kSlabWave = 132;                           ///< few slabs come in whole waves of an H100

/// The regime of a sweep, the best one unless it is forced.
CAVI_HOST_DEVICE constexpr MixtureRegime regime_of(const MixtureSweepDevice& op) {
  if (op.regime != MixtureRegime::automatic) return op.regime;
  if (op.precision == Scalar::float64) return MixtureRegime::tile;
  if (op.features <= kPointsFeatures && op.components <= kPointsComponents) return MixtureRegime::points;
  if (op.tensor_cores && op.component == Component::full && op.features >= kTensorFewest && op.features <= kTensorMost)
    return MixtureRegime::tensor;
  const bool fits = fused_choice(op.component, op.components, op.features).points > 0;
  if (op.component == Component::full && RoundBlock::bytes(op.features, 0) <= kTileBytes &&
      (!fits || 8 * kSlabWave * sums_size(op) > kSlabBytes))
    return MixtureRegime::chunked;
  return fits ? MixtureRegime::fused : MixtureRegime::tile;
}

/// Whether a component is scored from a record.
CAVI_HOST_DEVICE constexpr bool in_records(const MixtureSweepDevice& op) {
  return regime_of(op) == MixtureRegime::fused && record_bytes(op.component, op.features) > 0;
}

CAVI_HOST_DEVICE constexpr int scalar_size(const MixtureSweepDevice& op) {
  return op.precision == Scalar::float32 ? 4 : 8;
}
/// Numbers of the sweep's precision that a slab wants beside its sums: responsibilities of a tile, whitened rows.
CAVI_HOST_DEVICE constexpr std::int64_t workspace_size(const MixtureSweepDevice& op) {
  const std::int64_t k = op.components;
  if (regime_of(op) == MixtureRegime::points) return 0;
  if (regime_of(op) == MixtureRegime::fused) {
    const FusedChoice choice = fused_choice(op.component, op.components, op.features);
    return choice.r_shared ? 0 : k * (choice.points + kWarp);  // at most: see BlockTile::r_stride
  }
  if (regime_of(op) == MixtureRegime::chunked || regime_of(op) == MixtureRegime::tensor)
    return kRoundTiles * ((k + 1) * kTile + 2);  // the 2: a double
  return kTile * (k + (op.component == Component::tied ? op.features : 0));
}

/// Tiles are counted in 32 bits, and divided in them: every kernel asks where its slab begins.
CAVI_HOST_DEVICE constexpr unsigned tile_count(std::int64_t rows) { return unsigned((rows + kTile - 1) / kTile); }

CAVI_HOST_DEVICE constexpr int slab_count(const MixtureSweepDevice& op, std::int64_t rows) {
  const std::int64_t bytes = 8 * sums_size(op) + scalar_size(op) * workspace_size(op);
  const unsigned tiles = tile_count(rows), fitting = bytes > kSlabBytes ? 0 : unsigned(kSlabBytes) / unsigned(bytes);
  unsigned slabs = (tiles + kTilesOfASlab - 1) / kTilesOfASlab;
  if (slabs > unsigned(op.most_slabs)) slabs = op.most_slabs;
  if (slabs > fitting) slabs = fitting < kSlabWave ? fitting : fitting / kSlabWave * kSlabWave;
  return slabs < 1 ? 1 : int(slabs);
}
/// First tile of a slab: sizes differ by one at most, the longer ones come first.
CAVI_HOST_DEVICE constexpr int slab_tile(unsigned tiles, unsigned slabs, unsigned slab) {
  const unsigned size = tiles / slabs, longer = tiles % slabs;
  return int(slab * size + (slab < longer ? slab : longer));
}

/// Offsets in bytes into DeviceProblem::scratch.
struct MixtureLayout {
  std::int64_t root, centre, offset;                 ///< float64, as rounded: [K x root_size], [K x D], [K]
  std::int64_t packed_root, packed_centre, offsets;  ///< the same in the sweep's precision, packed
  std::int64_t product, work;                        ///< float64 [K], [K x D]
  std::int64_t sums;                                 ///< float64 [slabs x sums_size]
  std::int64_t workspace;                            ///< [slabs x workspace_size]
  std::int64_t bytes = 0;

  CAVI_HOST_DEVICE constexpr MixtureLayout(const MixtureSweepDevice& op, std::int64_t rows) {
    const std::int64_t k = op.components, d = op.features, slabs = slab_count(op, rows), wide = 8;
    const bool shared = op.component == Component::tied;
    const std::int64_t roots = shared ? 1 : k;
    const bool matrix = shared || op.component == Component::full, tensor = regime_of(op) == MixtureRegime::tensor;
    const std::int64_t axes = op.component == Component::diag ? d : 1;
    root = take(wide * roots * (matrix ? d * d : axes));
    centre = take(wide * k * d);
    offset = take(wide * k);
    packed_root = take((shared ? wide : scalar_size(op)) * roots *
                       (tensor           ? blocks_size(op.features)
                        : in_records(op) ? record_size(op.features)
                                         : packed_size(op.component, op.features)));
    packed_centre = take(scalar_size(op) * k * (tensor ? tensor_padded(op.features) : padded(op.features)));
    offsets = take(scalar_size(op) * k);
    product = take(wide * k);
    work = take(wide * k * d);
    sums = take(wide * slabs * sums_size(op));
    workspace = take(scalar_size(op) * slabs * workspace_size(op));
  }

 private:
  CAVI_HOST_DEVICE constexpr std::int64_t take(std::int64_t size) {
    const std::int64_t at = bytes;
    bytes += (size + 255) / 256 * 256;
    return at;
  }
};

/// A problem as the kernels of a sweep see it.
template <class F, class T>
struct MixtureView {
  using Root = std::conditional_t<F::shared, double, T>;  ///< the tied root whitens in float64 and is not rounded

  int components, features;
  std::int64_t rows;
  int slabs;
  const T* x;                      ///< tiles of rows
  const double* weight;            ///< [rows] or nullptr
  double *root, *centre, *offset;  ///< see MixtureLayout
  Root* packed_root;
  T *packed_centre, *offsets;
  double *product, *work, *sums;
  T* workspace;
  std::int64_t slab_sums, slab_workspace;  ///< numbers of one slab

  __device__ MixtureView(const MixtureSweepDevice& op, const DeviceProblem& problem)
      : components(op.components),
        features(op.features),
        rows(problem.rows[op.source].count),
        slabs(slab_count(op, rows)),
        x(static_cast<const T*>(problem.rows[op.source].x)),
        weight(op.weight == kNoBuffer ? nullptr : problem[op.weight]),
        slab_sums(sums_size(op)),
        slab_workspace(workspace_size(op)) {
    CAVI_ASSUME_GLOBAL(x);
    const MixtureLayout at(op, rows);
    root = take<double>(problem, at.root);
    centre = take<double>(problem, at.centre);
    offset = take<double>(problem, at.offset);
    packed_root = take<Root>(problem, at.packed_root);
    packed_centre = take<T>(problem, at.packed_centre);
    offsets = take<T>(problem, at.offsets);
    product = take<double>(problem, at.product);
    work = take<double>(problem, at.work);
    sums = take<double>(problem, at.sums);
    workspace = take<T>(problem, at.workspace);
  }

  /// A copy of a view in shared memory: what the caller does not use it does not read.
  __device__ MixtureView local() const {
    MixtureView view = *this;
    CAVI_ASSUME_GLOBAL(view.x);
    CAVI_ASSUME_GLOBAL(view.weight);
    CAVI_ASSUME_GLOBAL(view.packed_root);
    CAVI_ASSUME_GLOBAL(view.packed_centre);
    CAVI_ASSUME_GLOBAL(view.offsets);
    CAVI_ASSUME_GLOBAL(view.sums);
    CAVI_ASSUME_GLOBAL(view.workspace);
    return view;
  }

  __device__ double* root_of(int k) const { return F::shared ? root : root + k * F::root_size(features); }
  __device__ double* centre_of(int k) const { return centre + std::int64_t(k) * features; }
  __device__ Root* packed_root_of(int k) const {
    return F::shared ? packed_root : packed_root + k * packed_size(F::kind, features);
  }
  __device__ const T* packed_centre_of(int k) const { return packed_centre + std::int64_t(k) * padded(features); }
  __device__ Root* record_of(int k) const { return packed_root + std::int64_t(k) * record_size(features); }
  /// The same for tensor cores.
  __device__ Root* blocks_of(int k) const { return packed_root + k * blocks_size(features); }
  __device__ T* tensor_centre_of(int k) const { return packed_centre + std::int64_t(k) * tensor_padded(features); }

  /// Parts of a slab's sums.
  __device__ double* count(double* slab) const { return slab; }
  __device__ double* live(double* slab) const { return slab + components; }
  __device__ double* first(double* slab) const { return slab + 2 * components; }
  __device__ double* second(double* slab) const { return first(slab) + std::int64_t(components) * features; }
  __device__ double* lse(double* slab) const { return slab + slab_sums - 1; }

 private:
  template <class U>
  __device__ static U* take(const DeviceProblem& problem, std::int64_t at) {
    U* pointer = reinterpret_cast<U*>(problem.scratch + at);
    CAVI_ASSUME_GLOBAL(pointer);
    return pointer;
  }
};

using FullView = MixtureView<components::Full, float>;

}  // namespace cavi::kernels::cuda
