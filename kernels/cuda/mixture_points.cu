// SPDX-License-Identifier: Apache-2.0
// The pass for few features in float32: parameters and statistics of a whole slab in registers.
//
//   work     four components of a thread, as many points at a time as registers hold; neighbouring lanes share points,
//            each has components of its own
//   memory   rows once, nothing else until a stretch of the slab ends
//   order    a thread's points in turn, then lanes, warps and stretches in a fixed order; float64 from there on
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_points_record.cuh"
#include "kernels/cuda/mixture_regimes.hpp"
#include "kernels/cuda/mixture_tile.cuh"

namespace cavi::kernels::cuda {
namespace {

constexpr int kThreads = kPointsThreads, kWarps = kThreads / kWarp;
constexpr int kStretch = 512;  // points of a thread that float32 sums can bear

// Of a thread: even.
CAVI_HOST_DEVICE constexpr int points_at_once(int features) { return features <= 2 ? 4 : 2; }

// Count, first and second moments.
CAVI_HOST_DEVICE constexpr int stats(Component c, int features) {
  return 1 + features + (c == Component::full ? features * (features + 1) / 2 : int(second_sums(c, features)));
}

// A slab, as one thread finds it for its block: what loops do not use is not to take their registers.
struct Slab {
  const float* x;
  const double* weight;
  double *sums, *lse;
  int count, plain;  // rows, and those of them that weigh one: all points of a thread at once
};
template <class F>
__device__ inline Slab find_slab(const MixtureView<F, float>& view, std::int64_t slab, int points) {
  const unsigned tiles = tile_count(view.rows), first = slab_tile(tiles, view.slabs, slab);
  const std::int64_t before = std::int64_t(first) * kTile;
  const std::int64_t after = std::int64_t(slab_tile(tiles, view.slabs, slab + 1)) * kTile;
  const int count = int(min(after, view.rows) - before);
  double* sums = view.sums + slab * view.slab_sums;
  return {view.x + before * view.features,
          view.weight ? view.weight + before : nullptr,
          sums,
          view.lse(sums),
          count,
          view.weight ? 0 : count / points * points};
}

template <int n>
struct alignas(n * sizeof(float)) Several {
  float v[n];
};

// Rows `row`, `row` + 1, ... of a slab, which lie in one tile.
template <int D, int points>
__device__ inline void read_points(const float* x, unsigned row, float (&point)[points][D]) {
  x += row + row / kTile * (kTile * (D - 1));
#pragma unroll
  for (int d = 0; d < D; ++d) {
    const auto several = *reinterpret_cast<const Several<points>*>(x + d * kTile);
#pragma unroll
    for (int p = 0; p < points; ++p) point[p][d] = several.v[p];
  }
}

// Numbers of the lanes that share points, joined.
template <int n, class Join>
__device__ inline void join_lanes(float (&a)[n], int sharing, Join join) {
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    if (step >= sharing) break;
#pragma unroll
    for (int i = 0; i < n; ++i) a[i] = join(a[i], __shfl_xor_sync(kAllLanes, a[i], step));
  }
}
template <int n>
__device__ inline void sum_lanes(float (&a)[n], int sharing) {
  join_lanes(a, sharing, [](float x, float y) { return x + y; });
}

// A product of many numbers: its logarithm is cheaper than the sum of theirs, and rounded less.
struct Product {
  float mantissa = 1;
  int exponent = 0;

  __device__ void multiply(float x) {
    const int bits = __float_as_int(mantissa * x);
    exponent += (bits >> 23) - 127;
    mantissa = __int_as_float((bits & 0x7fffff) | 0x3f800000);
  }
};

// A sum of many numbers of like size as if in twice the precision (Kahan).
struct Compensated {
  float sum = 0, lost = 0;
  __device__ void add(float x) {
    const float y = x - lost, next = sum + y;
    lost = (next - sum) - y;
    sum = next;
  }
};

// Points whose exponentials add up to so much, multiplied by those of another point, lose nothing that matters below
// the smallest float; nor do two such products multiplied.
constexpr float kNear = 0x1p-60f;

template <int points>
__device__ inline bool near(const float (&total)[points], float& all) {
  all = total[0] * total[1];
  float least = all;
#pragma unroll
  for (int p = 2; p < points; p += 2) {
    const float two = total[p] * total[p + 1];
    least = fminf(least, two);
    all *= two;
  }
  return least >= kNear;
}

// Points that have weights, or are so far from all components that logits must be relative to a point's largest.
template <class F, int D, int points>
__device__ inline void respond_with_care(const LaneRecords<F, D>& records, const float (&u)[points][kPointsSlots][D],
                                         const float (&weight)[points], int sharing, float (&e)[points][kPointsSlots],
                                         float (&scale)[points], Compensated& lse) {
  float largest[points], total[points] = {};
#pragma unroll
  for (int p = 0; p < points; ++p) {
    largest[p] = -FLT_MAX;
#pragma unroll
    for (int k = 0; k < kPointsSlots; ++k) {
      e[p][k] = records.of[k].logit(u[p][k]);
      largest[p] = fmaxf(largest[p], e[p][k]);
    }
  }
  join_lanes(largest, sharing, [](float x, float y) { return fmaxf(x, y); });
#pragma unroll
  for (int p = 0; p < points; ++p)
#pragma unroll
    for (int k = 0; k < kPointsSlots; ++k) total[p] += e[p][k] = approximate_exp2(e[p][k] - largest[p]);
  sum_lanes(total, sharing);
#pragma unroll
  for (int p = 0; p < points; ++p) {
    scale[p] = __fdividef(weight[p], total[p]);
    lse.add(weight[p] * largest[p]);
    lse.add(weight[p] * approximate_log2(total[p]));
  }
}

template <class F, int D>
__device__ inline void accumulate_point(const float (&u)[D], float r, float (&sum)[stats(F::kind, D)]) {
  sum[0] += r;
  int n = 1 + D;
#pragma unroll
  for (int i = 0; i < D; ++i) {
    const float weighted = r * u[i];
    sum[1 + i] += weighted;
    if constexpr (F::kind == Component::full) {
#pragma unroll
      for (int j = i; j < D; ++j, ++n) sum[n] = std::fma(weighted, u[j], sum[n]);
    } else if constexpr (!F::shared) {
      sum[n] = std::fma(weighted, u[i], sum[n]);
      if (F::kind == Component::diag) ++n;
    }
  }
}

// Adds to statistic s of a component: moments are about the centre there, here they are scaled as rows are, too.
template <class F, int D>
__device__ inline void add_to_statistic(const MixtureView<F, float>& view, const PointsRecord<F, D>& record, int k,
                                        int s, double total, double* sums) {
  const auto unit = [&](int i) { return F::kind == Component::diag || F::shared ? 1 : double(record.scale(i)); };
  if (s == 0) {
    view.count(sums)[k] += total;
  } else if (s <= D) {
    view.first(sums)[k * D + s - 1] += total / unit(s - 1);
  } else {
    int i = 0, j = s - D - 1;
    if constexpr (F::kind == Component::full) {
      for (; j >= D; ++i) j -= D - 1 - i;
    } else {
      i = j;
    }
    const int at = F::kind == Component::full ? j * kCell + i : i;
    view.second(sums)[k * second_sums(F::kind, D) + at] += total / (unit(i) * unit(j));
  }
}

// Adds the threads' numbers to the sums of the slab. parts: [kWarps x sharing x numbers].
template <class F, int D>
__device__ inline void add_sums(const MixtureView<F, float>& view, const float (&sum)[kPointsSlots][stats(F::kind, D)],
                                int sharing, const LaneRecords<F, D>* records, float* parts, double* sums) {
  constexpr int kStats = stats(F::kind, D), kNumbers = kPointsSlots * kStats;
  const int lane = Warp::rank(), warp = threadIdx.x / kWarp;
  float* mine = parts + warp * sharing * kNumbers;
#pragma unroll
  for (int i = 0; i < kNumbers; ++i) {
    float total = sum[i / kStats][i % kStats];
    for (int step = kWarp / 2; step >= sharing; step /= 2) total += __shfl_xor_sync(kAllLanes, total, step);
    if (lane < sharing) mine[lane * kNumbers + i] = total;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < sharing * kNumbers; i += kThreads) {
    const int k = i / kStats, s = i % kStats;
    if (k >= view.components) continue;
    double total = 0;
    for (int w = 0; w < kWarps; ++w) total += double(parts[w * sharing * kNumbers + i]);
    add_to_statistic(view, records[k / kPointsSlots].of[k % kPointsSlots], k, s, total, sums);
  }
  __syncthreads();
}

template <class F, int D>
__device__ inline void points_slab(const MixtureView<F, float>& view, std::int64_t slab, int sharing, float* pool) {
  constexpr int points = points_at_once(D);
  CAVI_SHARED(Slab, shared, [1]);
  CAVI_SHARED(double, lse_parts, [kWarps]);
  const int lane = Warp::rank(), warp = threadIdx.x / kWarp, group = lane & (sharing - 1);
  auto* records = reinterpret_cast<LaneRecords<F, D>*>(pool);
  auto* parts = reinterpret_cast<float*>(records + sharing);
  for (std::int64_t i = threadIdx.x; i < view.slab_sums; i += kThreads) view.sums[slab * view.slab_sums + i] = 0;
  float largest = -FLT_MAX;
#pragma unroll 1
  for (int k = lane; k < view.components; k += kWarp) largest = fmaxf(largest, view.offsets[k]);
  largest = warp_max(largest);
#pragma unroll 1
  for (int k = threadIdx.x; k < kPointsSlots * sharing; k += kThreads) {
    PointsRecord<F, D>& record = records[k / kPointsSlots].of[k % kPointsSlots];
    record.fill(view, k, largest);
    if (slab == 0 && k < view.components) record.keep(view, k);
  }
  if (threadIdx.x == 0) shared[0] = find_slab(view, slab, points);
  __syncthreads();

  const float* x = shared[0].x;
  CAVI_ASSUME_GLOBAL(x);
  const int count = shared[0].count, plain = shared[0].plain;
  const int step = points * kThreads / sharing;  // of a round of the block
  PointsRecord<F, D> mine[kPointsSlots];
#pragma unroll
  for (int k = 0; k < kPointsSlots; ++k)
#pragma unroll
    for (int i = 0; i < PointsRecord<F, D>::kSize; ++i) mine[k].v[i] = records[group].of[k].v[i];
  int row = points * (threadIdx.x / sharing);
  float point[points][D] = {};
  if (row < count) read_points(x, row, point);
  Product product;
  Compensated lse;
  for (int start = 0; start < count;) {
    const int end = min(count, start + kStretch / points * step);
    float sum[kPointsSlots][stats(F::kind, D)] = {};
#pragma unroll 1
    for (; start < end; start += step, row += step) {
      float u[points][kPointsSlots][D], e[points][kPointsSlots], total[points], scale[points], all;
#pragma unroll
      for (int p = 0; p < points; ++p)
#pragma unroll
        for (int k = 0; k < kPointsSlots; ++k) mine[k].frame(mine[F::shared ? 0 : k], point[p], u[p][k]);
      if (row + step < count) read_points(x, row + step, point);
#pragma unroll
      for (int p = 0; p < points; ++p)
#pragma unroll
        for (int k = 0; k < kPointsSlots; ++k) {
          e[p][k] = approximate_exp2(mine[k].logit(u[p][k]));
          total[p] = k == 0 ? e[p][k] : total[p] + e[p][k];
        }
      sum_lanes(total, sharing);
      const bool all_near = near(total, all);
      if (Warp::all(all_near && row < plain)) {
        product.multiply(all);
#pragma unroll
        for (int p = 0; p < points; ++p) scale[p] = approximate_reciprocal(total[p]);
      } else {
        float weight[points];
#pragma unroll
        for (int p = 0; p < points; ++p)
          weight[p] = row + p >= count ? 0 : shared[0].weight ? float(shared[0].weight[row + p]) : 1;
        respond_with_care(records[group], u, weight, sharing, e, scale, lse);
      }
#pragma unroll
      for (int k = 0; k < kPointsSlots; ++k)
#pragma unroll
        for (int p = 0; p < points; ++p) accumulate_point<F>(u[p][k], e[p][k] * scale[p], sum[k]);
    }
    add_sums<F, D>(view, sum, sharing, records, parts, shared[0].sums);
  }
  const double bits = double(product.exponent) + double(approximate_log2(product.mantissa)) + double(lse.sum);
  const double lse_part = warp_sum(group == 0 ? bits : 0.0);
  if (lane == 0) lse_parts[warp] = lse_part;
  __syncthreads();
  if (threadIdx.x == 0) {
    double total = 0;
    for (const double part : lse_parts) total += part;
    *shared[0].lse = total * kNatsPerBit;
    *view.live(shared[0].sums) = NAN;  // to count is an instruction for every pair
  }
}

// Blocks of a multiprocessor whose threads have the registers they want.
template <class F, int D>
constexpr int kResident = kPointsSlots*(PointsRecord<F, D>::kSize + stats(F::kind, D)) <= 96 ? 3 : 2;

template <class F, int D>
__global__ void __launch_bounds__(kThreads, kResident<F, D>)
    points_kernel(MixtureSweepDevice op, const DeviceProblem* problems, MixtureSlice slice, int sharing) {
  CAVI_DYNAMIC_SHARED(float, pool);
  op.regime = MixtureRegime::points;  // so that the compiler knows the layout
  const std::int64_t slab = slice.first_slab + blockIdx.x;
  const DeviceProblem& problem = problems[blockIdx.y];
  if (*problem.active == 0) return;
  const MixtureView<F, float> view(op, problem);
  if (slab < view.slabs) points_slab<F, D>(view, slab, sharing, pool);
}

template <class F, int D>
cudaError_t enqueue(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count, MixtureSlice slice,
                    cudaStream_t stream) {
  const int sharing = points_sharing(op.components);
  const std::size_t bytes =
      sharing * (sizeof(LaneRecords<F, D>) + sizeof(float) * kWarps * kPointsSlots * stats(F::kind, D));
  return launch(points_kernel<F, D>, dim3(unsigned(slice.slabs), unsigned(count)), kThreads, bytes, stream, op,
                problems, slice, sharing);
}

}  // namespace

cudaError_t enqueue_points_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                MixtureSlice slice, cudaStream_t stream) {
  return components::with_gaussian_family(op.component, [&]<class F>(F) {
    switch (op.features) {
      case 1: return enqueue<F, 1>(op, problems, count, slice, stream);
      case 2: return enqueue<F, 2>(op, problems, count, slice, stream);
      case 3: return enqueue<F, 3>(op, problems, count, slice, stream);
      case 4: return enqueue<F, 4>(op, problems, count, slice, stream);
    }
    return cudaErrorInvalidValue;
  });
}

}  // namespace cavi::kernels::cuda
