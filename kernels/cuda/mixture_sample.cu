// SPDX-License-Identifier: Apache-2.0
// Rows drawn from a mixture.
//
//   work    a thread per row: rows differ in their component and in how often a variate is refused
//   memory  a thread has its row in place, float64; they go to the host, which is far slower than that
//   order   a row depends on seed and number alone
#include "kernels/cuda/mixture_sample.hpp"

#include "kernels/cuda/launch.hpp"
#include "kernels/math/mixture_draw.hpp"

namespace cavi::kernels::cuda {
namespace {

constexpr int kThreads = 128;

template <class Row>
__global__ void __launch_bounds__(kThreads, 8) draw_rows(DrawnMixture mixture, DrawnRows rows) {
  const std::int64_t n = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (n >= rows.count) return;
  rows.labels[n] =
      math::draw_row<Row>(mixture, rows.seed, std::uint64_t(rows.first + n), rows.values + n * mixture.features);
}

}  // namespace

cudaError_t enqueue_sampling(const DrawnMixture& mixture, ComponentFamily family, const DrawnRows& rows,
                             cudaStream_t stream) {
  const dim3 grid(unsigned((rows.count + kThreads - 1) / kThreads));
  return math::with_row_of(
      family, [&]<class Row>(Row) { return launch(draw_rows<Row>, grid, dim3(kThreads), 0, stream, mixture, rows); });
}

}  // namespace cavi::kernels::cuda
