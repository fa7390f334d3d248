// SPDX-License-Identifier: Apache-2.0
// The pass for few features in float32: statistics of a whole slab in registers.
//
//   work     `slots` components of a thread, two points at a time; where there are more components, neighbouring lanes
//            share a point and each has `slots` of its own
//   memory   rows once; parameters in shared memory, read for two points; nothing else until the slab ends
//   order    a thread's points in turn, then lanes and warps in a fixed order; float64 from there on
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_regimes.hpp"
#include "kernels/cuda/mixture_tile.cuh"

namespace cavi::kernels::cuda {
namespace {

constexpr int kThreads = kPointsThreads, kWarps = kThreads / kWarp;
constexpr int kPoints = 2;  // of a thread at a time

CAVI_HOST_DEVICE constexpr int roots(Component c, int features) {
  switch (c) {
    case Component::full: return features * (features + 1) / 2;
    case Component::diag: return features;
    case Component::spherical: return 1;
    case Component::tied:
    case Component::linear: break;
  }
  return 0;
}
// Centre, offset and root of a component.
CAVI_HOST_DEVICE constexpr int record_size(Component c, int features) {
  return padded(features + 1 + roots(c, features));
}
// Count, first and second moments.
CAVI_HOST_DEVICE constexpr int stats(Component c, int features) { return 1 + features + roots(c, features); }

template <class F, int D>
struct Record {
  static constexpr int kSize = record_size(F::kind, D);
  float v[kSize];

  __device__ explicit Record(const float* from) {
#pragma unroll
    for (int i = 0; i < kSize; i += 4) {
      const Four<float> four = *reinterpret_cast<const Four<float>*>(from + i);
#pragma unroll
      for (int j = 0; j < 4; ++j) v[i + j] = four.v[j];
    }
  }
  __device__ float offset() const { return v[D]; }
  // Element d of a point in the frame of the component.
  __device__ float frame(int d, float x) const {
    return F::kind == Component::diag ? std::fma(v[D + 1 + d], x, v[d]) : x - v[d];
  }
  __device__ float logit(const float (&x)[D]) const {
    constexpr bool spherical = F::kind == Component::spherical;
    float z[D], sum = spherical ? 0 : offset();
#pragma unroll
    for (int d = 0; d < D; ++d) z[d] = frame(d, x[d]);
    int at = D + 1;
#pragma unroll
    for (int i = 0; i < D; ++i) {
      float y = z[i];
      if constexpr (F::kind == Component::full) {
        y *= v[at++];
#pragma unroll
        for (int j = i + 1; j < D; ++j) y = std::fma(v[at++], z[j], y);
      }
      sum = std::fma(-y, y, sum);
    }
    return spherical ? std::fma(v[D + 1], sum, offset()) : sum;
  }
};

template <class F, int D>
__device__ inline void fill_records(const MixtureView<F, float>& view, int slots, int sharing, float* records) {
  constexpr int kSize = record_size(F::kind, D);
  for (int k = threadIdx.x; k < slots * sharing; k += kThreads) {
    float* at = records + k * kSize + k / slots * 4;  // the lanes that share a point read from different banks
    for (int i = 0; i < kSize; ++i) at[i] = 0;
    if (k >= view.components) {
      at[D] = -HUGE_VALF;
      continue;
    }
    const float* centre = view.packed_centre_of(k);
    for (int d = 0; d < D; ++d) at[d] = centre[d];
    at[D] = view.offsets[k];
    if constexpr (F::kind == Component::full) {
      float* root = at + D + 1;
      for (int i = 0; i < D; ++i)
        for (int j = i; j < D; ++j) *root++ = view.packed_root_of(k)[j * kCell + i];
    } else if constexpr (!F::shared) {
      for (int i = 0; i < F::root_size(D); ++i) at[D + 1 + i] = view.packed_root_of(k)[i];
    }
  }
}

// A sum of many numbers of like size as if in twice the precision (Kahan).
struct Compensated {
  float sum = 0, lost = 0;
  __device__ void add(float x) {
    const float y = x - lost, next = sum + y;
    lost = (next - sum) - y;
    sum = next;
  }
};

template <class F, int D>
struct Points {
  float x[kPoints][D], weight[kPoints];

  // Rows `row` and the next, which lie in one tile.
  __device__ Points(const MixtureView<F, float>& view, std::int64_t row, bool inside) {
    const std::int64_t tile = row / kTile;
    const float* from = view.x + tile * D * kTile + row % kTile;
#pragma unroll
    for (int d = 0; d < D; ++d) {
      const float2 two = inside ? *reinterpret_cast<const float2*>(from + d * kTile) : float2{0, 0};
      x[0][d] = two.x;
      x[1][d] = two.y;
    }
#pragma unroll
    for (int p = 0; p < kPoints; ++p)
      weight[p] = !inside || row + p >= view.rows ? 0 : view.weight ? float(view.weight[row + p]) : 1;
  }
  // Rows as they are scored: tied ones whitened, in float64.
  __device__ void whiten(const MixtureView<F, float>& view) {
    if constexpr (F::shared) {
#pragma unroll
      for (int p = 0; p < kPoints; ++p) {
        double y[D] = {};
#pragma unroll
        for (int i = 0; i < D; ++i)
#pragma unroll
          for (int j = i; j < D; ++j) y[i] = std::fma(view.packed_root[j * kCell + i], double(x[p][j]), y[i]);
#pragma unroll
        for (int i = 0; i < D; ++i) x[p][i] = float(y[i]);
      }
    }
  }
};

// Where statistic s of component k is summed.
template <class F, int D>
__device__ inline double* place_of(const MixtureView<F, float>& view, int k, int s, double* sums) {
  if (s == 0) return view.count(sums) + k;
  if (s <= D) return view.first(sums) + k * D + s - 1;
  s -= D + 1;
  double* second = view.second(sums) + k * second_sums(F::kind, D);
  if constexpr (F::kind == Component::full) {
    int i = 0;
    for (; s >= D - i; ++i) s -= D - i;
    return second + (i + s) * kCell + i;
  }
  return second + s;
}

// Sums of the threads' numbers to the sums of the slab. parts: [kWarps x sharing x numbers].
template <class F, int D, int slots>
__device__ inline void store_sums(const MixtureView<F, float>& view, const float (&sum)[slots * stats(F::kind, D)],
                                  int sharing, float* parts, double* sums) {
  constexpr int kStats = stats(F::kind, D), kNumbers = slots * kStats;
  const int lane = Warp::rank(), warp = threadIdx.x / kWarp;
  float* mine = parts + warp * sharing * kNumbers;
  if (sharing == 1) {
#pragma unroll
    for (int from = 0; from < kNumbers; from += 16) {
      float some[16];
#pragma unroll
      for (int i = 0; i < 16; ++i) some[i] = from + i < kNumbers ? sum[from + i < kNumbers ? from + i : 0] : 0;
      const float total = sum_of_16(some);
      if (lane % 2 == 0 && from + lane / 2 < kNumbers) mine[from + lane / 2] = total;
    }
  } else {
#pragma unroll
    for (int i = 0; i < kNumbers; ++i) {
      float total = sum[i];
      for (int step = kWarp / 2; step >= sharing; step /= 2) total += __shfl_xor_sync(kAllLanes, total, step);
      if (lane < sharing) mine[lane * kNumbers + i] = total;
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < sharing * kNumbers; i += kThreads) {
    const int k = i / kStats;
    if (k >= view.components) continue;
    double total = 0;
    for (int w = 0; w < kWarps; ++w) total += double(parts[w * sharing * kNumbers + i]);
    *place_of<F, D>(view, k, i % kStats, sums) = total;
  }
}

template <class F, int D, int slots>
__device__ inline void points_slab(const MixtureView<F, float>& view, std::int64_t slab, int sharing, float* pool) {
  constexpr int kStats = stats(F::kind, D), kRecord = record_size(F::kind, D);
  CAVI_SHARED(double, lse_parts, [kWarps]);
  const int lane = Warp::rank(), warp = threadIdx.x / kWarp, group = lane % sharing;
  float* records = pool;
  float* parts = pool + sharing * (slots * kRecord + 4);
  double* sums = view.sums + slab * view.slab_sums;
  for (std::int64_t i = threadIdx.x; i < view.slab_sums; i += kThreads) sums[i] = 0;
  fill_records<F, D>(view, slots, sharing, records);
  __syncthreads();

  const unsigned tiles = tile_count(view.rows);
  const std::int64_t first = std::int64_t(slab_tile(tiles, view.slabs, slab)) * kTile;
  const std::int64_t last = std::int64_t(slab_tile(tiles, view.slabs, slab + 1)) * kTile;
  const int step = kPoints * kThreads / sharing;  // points of a round
  const float* mine = records + group * (slots * kRecord + 4);
  float sum[slots * kStats] = {};
  Compensated lse;
  std::int64_t row = first + kPoints * (threadIdx.x / sharing);
  Points<F, D> next(view, row, row < last);
#pragma unroll 1
  for (std::int64_t start = first; start < last; start += step) {
    Points<F, D> point = next;
    row += step;
    next = Points<F, D>(view, row, row < last);
    point.whiten(view);

    float e[kPoints][slots], largest[kPoints] = {-FLT_MAX, -FLT_MAX}, total[kPoints] = {}, scale[kPoints];
#pragma unroll
    for (int k = 0; k < slots; ++k) {
      const Record<F, D> record(mine + k * kRecord);
#pragma unroll
      for (int p = 0; p < kPoints; ++p) {
        e[p][k] = record.logit(point.x[p]);
        largest[p] = fmaxf(largest[p], e[p][k]);
      }
    }
#pragma unroll
    for (int p = 0; p < kPoints; ++p) {
      for (int s = 1; s < sharing; s *= 2) largest[p] = fmaxf(largest[p], __shfl_xor_sync(kAllLanes, largest[p], s));
#pragma unroll
      for (int k = 0; k < slots; ++k) {
        e[p][k] = approximate_exp2(e[p][k] - largest[p]);
        total[p] += e[p][k];
      }
      for (int s = 1; s < sharing; s *= 2) total[p] += __shfl_xor_sync(kAllLanes, total[p], s);
      scale[p] = __fdividef(point.weight[p], total[p]);
      lse.add(point.weight[p] * largest[p]);
      lse.add(point.weight[p] * approximate_log2(total[p]));
    }
#pragma unroll
    for (int k = 0; k < slots; ++k) {
      const Record<F, D> record(mine + k * kRecord);
      float* at = sum + k * kStats;
#pragma unroll
      for (int p = 0; p < kPoints; ++p) {
        const float r = e[p][k] * scale[p];
        at[0] += r;
        float z[D], weighted[D];
#pragma unroll
        for (int d = 0; d < D; ++d) {
          z[d] = record.frame(d, point.x[p][d]);
          weighted[d] = r * z[d];
          at[1 + d] += weighted[d];
        }
        int n = 1 + D;
#pragma unroll
        for (int i = 0; i < D; ++i) {
          if constexpr (F::kind == Component::full) {
#pragma unroll
            for (int j = i; j < D; ++j, ++n) at[n] = std::fma(weighted[i], z[j], at[n]);
          } else if constexpr (!F::shared) {
            at[n] = std::fma(weighted[i], z[i], at[n]);
            if (F::kind == Component::diag) ++n;
          }
        }
      }
    }
  }
  store_sums<F, D, slots>(view, sum, sharing, parts, sums);
  const double lse_part = warp_sum(group == 0 ? double(lse.sum) : 0.0);
  if (lane == 0) lse_parts[warp] = lse_part;
  __syncthreads();
  if (threadIdx.x == 0) {
    double total = 0;
    for (const double part : lse_parts) total += part;
    *view.lse(sums) = total * kNatsPerBit;
    *view.live(sums) = NAN;  // to count is an instruction for every pair
  }
}

template <class F, int D, int slots>
__global__ void __launch_bounds__(kThreads, 1)
    points_kernel(MixtureSweepDevice op, const DeviceProblem* problems, MixtureSlice slice, int sharing) {
  CAVI_DYNAMIC_SHARED(float, pool);
  op.regime = MixtureRegime::points;  // so that the compiler knows the layout
  const std::int64_t slab = slice.first_slab + blockIdx.x;
  const DeviceProblem& problem = problems[blockIdx.y];
  if (*problem.active == 0) return;
  const MixtureView<F, float> view(op, problem);
  if (slab < view.slabs) points_slab<F, D, slots>(view, slab, sharing, pool);
}

template <class F, int D, int slots>
cudaError_t enqueue(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count, MixtureSlice slice,
                    cudaStream_t stream) {
  const int sharing = points_sharing(op.components, D);
  const int floats = sharing * (slots * record_size(F::kind, D) + 4 + kWarps * slots * stats(F::kind, D));
  return launch(points_kernel<F, D, slots>, dim3(unsigned(slice.slabs), unsigned(count)), kThreads,
                floats * sizeof(float), stream, op, problems, slice, sharing);
}

template <class F, int D>
cudaError_t enqueue_slots(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                          MixtureSlice slice, cudaStream_t stream) {
  switch (points_slots(op.components, D)) {
    case 4: return enqueue<F, D, 4>(op, problems, count, slice, stream);
    case 8:
      if constexpr (D <= 3) return enqueue<F, D, 8>(op, problems, count, slice, stream);
      break;
    case 16:
      if constexpr (D <= 2) return enqueue<F, D, 16>(op, problems, count, slice, stream);
      break;
  }
  return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t enqueue_points_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                MixtureSlice slice, cudaStream_t stream) {
  return components::with_gaussian_family(op.component, [&]<class F>(F) {
    switch (op.features) {
      case 1: return enqueue_slots<F, 1>(op, problems, count, slice, stream);
      case 2: return enqueue_slots<F, 2>(op, problems, count, slice, stream);
      case 3: return enqueue_slots<F, 3>(op, problems, count, slice, stream);
      case 4: return enqueue_slots<F, 4>(op, problems, count, slice, stream);
    }
    return cudaErrorInvalidValue;
  });
}

}  // namespace cavi::kernels::cuda
