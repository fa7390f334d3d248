// SPDX-License-Identifier: Apache-2.0
// Row-major rows into feature-major tiles.
//
//   work    a block per tile and group of kColumns features
//   memory  read along rows, turned in shared memory, written along points: both coalesced
//   order   every number by itself
#include "kernels/cuda/rows.hpp"

#include "kernels/cuda/launch.hpp"

namespace cavi::kernels::cuda {
namespace {

constexpr int kColumns = 32;
constexpr int kThreads = 256;

template <class From, class To>
__global__ void __launch_bounds__(kThreads) turn(RowsIn in) {
  CAVI_SHARED(To, part, [kTile][kColumns + 1]);
  const From* raw = static_cast<const From*>(in.raw);
  const int first_feature = int(blockIdx.y) * kColumns, features = min(kColumns, in.features - first_feature);
  const std::int64_t tile = blockIdx.x, row = tile * kTile;
  for (int i = int(threadIdx.x); i < kTile * features; i += kThreads) {
    const int n = i / features, f = i % features;
    const double origin = in.origin ? in.origin[first_feature + f] : 0;
    part[n][f] = row + n < in.count ? To(double(raw[(row + n) * in.stride + first_feature + f]) - origin) : To(0);
  }
  __syncthreads();
  To* x = static_cast<To*>(in.x) + ((in.first / kTile + tile) * in.features + first_feature) * kTile;
  for (int i = int(threadIdx.x); i < kTile * features; i += kThreads) x[i] = part[i % kTile][i / kTile];
}

template <class From>
cudaError_t enqueue(const RowsIn& in, dim3 grid, cudaStream_t stream) {
  return in.to == Scalar::float32 ? launch(turn<From, float>, grid, dim3(kThreads), 0, stream, in)
                                  : launch(turn<From, double>, grid, dim3(kThreads), 0, stream, in);
}

static __global__ void point(DeviceRows* rows, std::uintptr_t x) { rows->x = reinterpret_cast<const void*>(x); }

}  // namespace

cudaError_t enqueue_point(DeviceRows* rows, std::uintptr_t x, cudaStream_t stream) {
  return launch(point, dim3(1), dim3(1), 0, stream, rows, x);
}

cudaError_t enqueue_tiles(const RowsIn& in, cudaStream_t stream) {
  if (in.count == 0) return cudaSuccess;
  const dim3 grid(unsigned((in.count + kTile - 1) / kTile), unsigned((in.features + kColumns - 1) / kColumns));
  return in.from == Scalar::float32 ? enqueue<float>(in, grid, stream) : enqueue<double>(in, grid, stream);
}

}  // namespace cavi::kernels::cuda
