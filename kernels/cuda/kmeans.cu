// SPDX-License-Identifier: Apache-2.0
// Steps of k-means.
//
//   work    nearest: a block per slab, a thread per point of a tile; sums: a block per slab and a group of centres, a
//           warp per centre, whose lanes look for its points and then take features each
//   memory  rows are read along points for distances; for sums only the rows of the centre at hand are gathered
//   order   threads add what they see in order, meet in a fixed tree; slabs are added in their order
#include "kernels/cuda/kmeans.hpp"

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/team.hpp"

namespace cavi::kernels::cuda {
namespace {

constexpr int kWarps = kTile / kWarp;

template <class T>
__global__ void __launch_bounds__(kTile) nearest(Clusters c, int first, int end, bool afresh) {
  CAVI_SHARED(double, parts, [kWarps]);
  const T* x = static_cast<const T*>(c.x);
  const T* centres = static_cast<const T*>(c.centres);
  T* distances = static_cast<T*>(c.distance);
  const std::int64_t slab = blockIdx.x;
  const std::int64_t stop = cluster_slab_begin(c.rows, c.slabs, slab + 1);
  double inertia = 0;
  for (std::int64_t n = cluster_slab_begin(c.rows, c.slabs, slab) + threadIdx.x; n < stop; n += kTile) {
    const T* row = x + (n / kTile) * c.features * kTile + n % kTile;
    T least = afresh ? T(HUGE_VAL) : distances[n];
    std::int32_t winner = afresh ? 0 : c.label[n];
    for (int k = first; k < end; ++k) {
      T square = 0;
      for (int f = 0; f < c.features; ++f) {
        const T z = row[std::int64_t(f) * kTile] - centres[std::int64_t(k) * c.features + f];
        square = std::fma(z, z, square);
      }
      if (square < least) least = square, winner = k;
    }
    distances[n] = least;
    c.label[n] = winner;
    inertia += (c.weight ? c.weight[n] : 1) * double(least);
  }
  inertia = warp_sum(inertia);
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = inertia;
  __syncthreads();
  if (threadIdx.x == 0) c.sums[slab] = (parts[0] + parts[1]) + (parts[2] + parts[3]);
}

template <class T>
__global__ void __launch_bounds__(kTile) centre_on_row(Clusters c, int k, std::int64_t n) {
  const T* row = static_cast<const T*>(c.x) + (n / kTile) * c.features * kTile + n % kTile;
  for (int f = int(threadIdx.x); f < c.features; f += kTile)
    static_cast<T*>(c.centres)[std::int64_t(k) * c.features + f] = row[std::int64_t(f) * kTile];
}

__device__ inline double* cluster_sums(const Clusters& c, int centres, std::int64_t slab, int k) {
  return c.sums + c.slabs + (slab * centres + k) * (c.features + 1);
}

/// Sums of one centre's rows over a slab, features along the lanes; the last is the weight.
template <class T>
__global__ void __launch_bounds__(kTile) sum_rows(Clusters c, int centres) {
  const int k = int(blockIdx.y) * kWarps + int(threadIdx.x) / kWarp, lane = Warp::rank();
  if (k >= centres) return;
  const T* x = static_cast<const T*>(c.x);
  const std::int64_t slab = blockIdx.x;
  const std::int64_t begin = cluster_slab_begin(c.rows, c.slabs, slab),
                     end = cluster_slab_begin(c.rows, c.slabs, slab + 1);
  double* sums = cluster_sums(c, centres, slab, k);
  for (int first = 0; first <= c.features; first += kWarp) {
    const int f = first + lane;
    double sum = 0;
    for (std::int64_t n = begin; n < end; n += kWarp) {
      const bool mine = n + lane < end && c.label[n + lane] == k;
      for (unsigned found = __ballot_sync(kAllLanes, mine); found != 0; found &= found - 1) {
        const std::int64_t row = n + __ffs(int(found)) - 1;
        const double w = c.weight ? c.weight[row] : 1;
        if (f < c.features)
          sum += w * double(x[(row / kTile) * c.features * kTile + std::int64_t(f) * kTile + row % kTile]);
        else if (f == c.features)
          sum += w;
      }
    }
    if (f <= c.features) sums[f] = sum;
  }
}

template <class T>
__global__ void __launch_bounds__(kTile) means(Clusters c, int centres) {
  const int i = int(blockIdx.x) * kTile + int(threadIdx.x), k = i / c.features, f = i % c.features;
  if (k >= centres) return;
  double sum = 0, mass = 0;
  for (std::int64_t slab = 0; slab < c.slabs; ++slab) {
    sum += cluster_sums(c, centres, slab, k)[f];
    mass += cluster_sums(c, centres, slab, k)[c.features];
  }
  if (mass > 0) static_cast<T*>(c.centres)[i] = T(sum / mass);
}

template <class... P, class... A>
cudaError_t launch_for(Scalar precision, void (*narrow)(P...), void (*wide)(P...), dim3 grid, cudaStream_t stream,
                       const A&... arguments) {
  return launch(precision == Scalar::float32 ? narrow : wide, grid, dim3(kTile), 0, stream, arguments...);
}

}  // namespace

cudaError_t enqueue_move_to_nearest(const Clusters& c, int first, int end, bool afresh, cudaStream_t stream) {
  return launch_for(c.precision, nearest<float>, nearest<double>, dim3(unsigned(c.slabs)), stream, c, first, end,
                    afresh);
}

cudaError_t enqueue_centre_on_row(const Clusters& c, int k, std::int64_t n, cudaStream_t stream) {
  return launch_for(c.precision, centre_on_row<float>, centre_on_row<double>, dim3(1), stream, c, k, n);
}

cudaError_t enqueue_means(const Clusters& c, int centres, cudaStream_t stream) {
  const dim3 sums(unsigned(c.slabs), unsigned((centres + kWarps - 1) / kWarps));
  const cudaError_t error = launch_for(c.precision, sum_rows<float>, sum_rows<double>, sums, stream, c, centres);
  if (error != cudaSuccess) return error;
  const std::int64_t numbers = std::int64_t(centres) * c.features;
  return launch_for(c.precision, means<float>, means<double>, dim3(unsigned((numbers + kTile - 1) / kTile)), stream, c,
                    centres);
}

}  // namespace cavi::kernels::cuda
