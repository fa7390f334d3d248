// SPDX-License-Identifier: Apache-2.0
/// \file
/// The inner loops of mixtures, one set per instruction set, chosen at run time.
///
/// Points run along the lanes: a block holds its rows feature-major, x[d * stride + i], in a whole number of tiles;
/// points beyond its rows are zero and have weight zero. Sums inside a block are of type T, what is added to is
/// float64.
#pragma once

#include "kernels/ops.hpp"

#include <cstdint>

namespace cavi::kernels::cpu {

/// Units of the tiles' logits per nat: bits, as 2^x is what they take; of a full family two bits, because it wants the
/// square roots of responsibilities.
constexpr double logit_scale(Component family) {
  constexpr double kBits = 1.4426950408889634074;
  return family == Component::full ? kBits / 2 : kBits;
}

/// logit_nk = offset_k - |root_k z_nk|^2 in these units, in the frame of the family; see math/components/. Linear:
/// offset_k + <centre_k, x_n>.
template <class T>
struct TileParameters {
  Component family;
  int components, features;
  const T* root;           ///< full [K x D (D + 1) / 2]: as Tiles::pack_root leaves it; diag [K x D]; spherical [K]
  const double* whitener;  ///< tied: the root, as Tiles<double>::pack_root leaves it
  const T* centre;         ///< [K x D]
  const T* offset;         ///< [K], -infinity: switched off
  const double *exact_centre, *exact_offset;  ///< linear: what it has in place of the two
  bool plain;                                 ///< sums are those of r t(x)
  const T* coefficient;  ///< [K x plain_numbers()] or null: logit = offset_k + <coefficient_k, t(x)>
};

/// Numbers of t(x): (x, x^2) for diag, (x, |x|^2) for spherical and, whitened, tied.
constexpr int plain_numbers(Component family, int features) {
  return family == Component::diag ? 2 * features : features + 1;
}

/// Points of one block.
template <class T>
struct TileBlock {
  T* x;                 ///< [D x stride]; responses of a tied family leave it whitened
  T* weight;            ///< [stride]
  T* r;                 ///< [K x stride] weighted responsibilities; full: their square roots
  T* scratch;           ///< Tiles::scratch numbers
  std::int64_t stride;  ///< at least `points`
  int points;           ///< a multiple of Tiles::tile
  const char* next;     ///< what will be read after this block: fetched on the way
  std::int64_t next_bytes;
};

/// Sums over points in the frame of the family: z = x - m (full, spherical), root x - centre (tied), root x + centre
/// (diag), x (linear). Plain: z = x, tied root x.
struct TileSums {
  double* count;   ///< [K] sum of r
  double* first;   ///< [K x D] sum of r z
  double* second;  ///< full [K x cells_size(D)], diag [K x D], spherical [K]: sum of r z z'
};

/// The upper triangle of a D x D matrix as 4 x 4 cells, row of cells by row, each cell column-major.
constexpr int kCell = 4;
constexpr std::int64_t cells_size(int features) {
  const std::int64_t n = (features + kCell - 1) / kCell;
  return n * (n + 1) / 2 * kCell * kCell;
}
/// Where the row of cells that begins with feature i, a multiple of kCell, lies.
constexpr std::int64_t cells_before(int features, int i) { return cells_size(features) - cells_size(features - i); }
/// out [D x D]: its upper triangle, or all of it.
void unpack_cells(const double* cells, int features, double* out);
void unpack_symmetric(const double* cells, int features, double* out);

constexpr int kScreenedFeatures = 32;

template <class T>
struct Tiles {
  int tile;          ///< points
  const char* name;  ///< of the instruction set
  /// Numbers of scratch for a block.
  std::int64_t (*scratch)(int components, int features, int points);

  /// The upper triangle of a root [D x D] in the order in which the tiles read it: D (D + 1) / 2 numbers.
  void (*pack_root)(const double* root, int features, T* packed);

  /// x = T(row - origin), from rows `row_stride` numbers apart. `rows` holds 4 * tile * D numbers.
  void (*load_float32)(const float* from, std::int64_t row_stride, const double* origin, int count, int features,
                       T* rows, T* x, std::int64_t stride);
  void (*load_float64)(const double* from, std::int64_t row_stride, const double* origin, int count, int features,
                       T* rows, T* x, std::int64_t stride);

  /// Fills r from x and weight; returns the weighted sum of the logarithms of the normalisers, in nats.
  double (*respond)(const TileParameters<T>&, const TileBlock<T>&);
  /// The same for a full family of kScreenedFeatures or more, faster when few components matter to a point. Brings
  /// points of x, weight and r into another order; responsibilities that are negligible may be zero.
  double (*respond_screened)(const TileParameters<T>&, const TileBlock<T>&);
  /// Adds the sums of a block to float64 ones. Returns how many pairs of point and component have a responsibility
  /// that is not negligible, which is less than 2^-40, in float64 2^-80; of few features all of them.
  std::int64_t (*accumulate)(const TileParameters<T>&, const TileBlock<T>&, const TileSums&);
  /// The nearest of `centres` [count x D] to every point: r[0 .. stride) holds squared distances and keeps the smaller,
  /// r[stride .. 2 stride) becomes the number of the centre that was nearer, or -1.
  void (*nearest)(const TileBlock<T>&, int features, const T* centres, int count);
};

/// float and double; of the best instruction set that this machine has.
template <class T>
const Tiles<T>& tiles();

/// r[0 .. points) = log sum_k exp(constant_k - exponent_k log(1 + factor_k q_k)) in nats, in the frame of the family
/// with unit scale and offsets of zero. diag: the sum over features of log(1 + q_kd), and the root holds the factor.
struct StudentParameters {
  const double *constant, *exponent, *factor;  ///< [K]
};
void log_density(const TileParameters<double>& distances, const StudentParameters& student,
                 const TileBlock<double>& block);

/// weight[i] becomes the number of the component with the largest r, the first among equals.
void largest_response(const TileBlock<double>& block, int components);

}  // namespace cavi::kernels::cpu
