// SPDX-License-Identifier: Apache-2.0
// The pass for a precision matrix each by tensor cores, in rounds.
#include "kernels/cuda/mixture_rounds.cuh"
#include "kernels/cuda/mixture_tensor_accumulate.cuh"
#include "kernels/cuda/mixture_tensor_respond.cuh"

#include <utility>

namespace cavi::kernels::cuda {
namespace {

constexpr int kWhole = 4;  // sixteens of features whose moments a warp holds

// Calls work(Shape(), row, column) for part `part` of the moments of `sixteens` sixteens of features.
template <int sixteens, class Work>
__device__ inline void with_part(int part, Work work) {
  if constexpr (sixteens <= kWhole) {
    work(Triangle<sixteens>(), 0, 0);
  } else {
    constexpr int rest = sixteens - kWhole, edge = kWhole * kSixteen;
    if (part == 0) {
      work(Triangle<kWhole>(), 0, 0);
    } else if (part == 1) {
      work(Triangle<rest>(), edge, edge);
    } else {
      work(MomentShape<kWhole / 2, 2 * rest, false>(), (part - 2) * edge / 2, edge);
    }
  }
}

constexpr int most_products(int sixteens) {
  return sixteens < kWhole ? sixteens * (sixteens + 1) : kWhole * (kWhole + 1);
}
constexpr int parts_of(int sixteens) { return sixteens <= kWhole ? 1 : TensorBlock::warps; }
constexpr int groups_of(int sixteens, int components) {
  return (components * parts_of(sixteens) + TensorBlock::warps - 1) / TensorBlock::warps;
}

__global__ void __launch_bounds__(TensorBlock::threads, 2)
    tensor_respond_kernel(MixtureSweepDevice op, const DeviceProblem* problems, Round round) {
  CAVI_DYNAMIC_SHARED(float, pool);
  respond_round<TensorBlock>(op, problems, round, tensor_padded(op.features), pool,
                             [](const FullView& view, const float* x, float* r) { respond_tensor(view, x, r); });
}

template <int sixteens>
__global__ void __launch_bounds__(TensorBlock::threads, 2)
    tensor_accumulate_kernel(MixtureSweepDevice op, const DeviceProblem* problems, Round round) {
  CAVI_DYNAMIC_SHARED(float, pool);
  constexpr int kParts = parts_of(sixteens), kComponents = TensorBlock::warps / kParts;  // of a block
  const int groups = groups_of(sixteens, op.components), warp = int(threadIdx.x) / kWarp;
  const std::int64_t slab = round.first_slab + blockIdx.x / groups;
  const int first = int(blockIdx.x % groups) * kComponents, k = first + warp / kParts;
  // Parts differ in size, and a warp's number says where on the multiprocessor it runs.
  const int my_part = (warp + first) % kParts;
  double total = 0;
  with_problem(op, problems, slab, [&](const FullView& shared) {
    const auto sums_of = [=](const FullView& view) { return view.sums + slab * view.slab_sums; };
    if (round.number == 0) {
      const FullView view = shared.local();
      clear_sums(view, first, min(first + kComponents, view.components), sums_of(view));
    }
    const RoundTile begin(shared, slab, round.number, 0);
    const int tiles = min(begin.last - begin.tile, kRoundTiles);
    const TileShared<TensorBlock> in(pool, sixteens * kSixteen, 0);
    Live* live = reinterpret_cast<Live*>(in.list());
    MomentSums<most_products(sixteens)> moments;
    int points = 0;  // since the last flush
#pragma unroll 1
    for (int part = 0; part < tiles; ++part) {
      load_tile<TensorBlock>(shared.local(), begin.tile + part, sixteens * kSixteen, in.x);
      int lives = 0;
      {
        const FullView view = shared.local();
        const int own = anew(k);
        if (own < view.components) {
          const RoundParts parts(view, slab, part);
          float weight;
          lives = list_live(parts.r + own * kTile, parts.scale, live, weight);
          total += double(weight);
          take_roots(live, lives);
        }
      }
      __syncthreads();
      if (lives > 0)
        with_part<sixteens>(my_part, [&]<class Shape>(Shape, int row, int column) {
          add_live<Shape>(shared.local(), k, row, column, in.x, live, lives, moments);
        });
      points += lives;
      if (points > (part + 1 == tiles ? 0 : kTensorFlush - kTile)) {
        with_part<sixteens>(my_part, [&]<class Shape>(Shape, int row, int column) {
          const FullView view = shared.local();
          flush_moments<Shape>(view, k, row, column, sums_of(view), moments);
        });
        const FullView view = shared.local();
        if (my_part == 0 && Warp::rank() == 0) view.live(sums_of(view))[k] += points;
        points = 0;
      }
      __syncthreads();
    }
    const FullView view = shared.local();
    if (total != 0 && my_part == 0 && Warp::rank() == 0) view.count(sums_of(view))[k] += total;
    if (round.last && first == 0 && threadIdx.x == 0) sum_lse(view, slab, sums_of(view));
  });
}

}  // namespace

cudaError_t enqueue_tensor_pass(const MixtureSweepDevice& op, const DeviceProblem* problems, std::int64_t count,
                                std::int64_t max_rows, MixtureSlice slice, cudaStream_t stream) {
  const int height = tensor_padded(op.features);
  const auto enqueue = [&]<int sixteens>(std::integral_constant<int, sixteens>) {
    return launch_rounds<TensorBlock>(tensor_respond_kernel, tensor_accumulate_kernel<sixteens>, height,
                                      groups_of(sixteens, op.components), op, problems, count, max_rows, slice, stream);
  };
  const auto choose = [&]<int... n>(std::integer_sequence<int, n...>) {
    cudaError_t error = cudaErrorInvalidValue;
    static_cast<void>(
        ((height == (n + 1) * kSixteen && (error = enqueue(std::integral_constant<int, n + 1>()), true)) || ...));
    return error;
  };
  return choose(std::make_integer_sequence<int, kTensorMost / kSixteen>());
}

}  // namespace cavi::kernels::cuda
