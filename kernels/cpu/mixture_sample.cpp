// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/cpu/waves.hpp"
#include "kernels/math/mixture_draw.hpp"

#include <algorithm>

namespace cavi::kernels::cpu {
namespace {

class CpuSampler final : public Sampler {
 public:
  CpuSampler(const MixtureDraws& draws, std::int64_t rows, int threads)
      : draws_(draws), pool_(threads_for(rows, threads)) {}

  std::int64_t wave() const override { return wave_rows(draws_.features * std::int64_t(sizeof(double))); }

  void sample(std::uint64_t seed, std::int64_t first, std::int64_t count, std::int32_t* labels,
              double* values) override {
    constexpr std::int64_t kTask = 256;  // rows
    const MixtureDraws& m = draws_;
    const DrawnMixture drawn{m.component,   m.components,  m.features,       m.cumulative.data(),
                             m.mean.data(), m.root.data(), m.stretch.data(), m.degrees_of_freedom.data(),
                             m.ab.data()};
    math::with_row_of(m.family, [&]<class Row>(Row) {
      pool_.run((count + kTask - 1) / kTask, [&](std::int64_t task, int) {
        for (std::int64_t n = task * kTask; n < std::min(count, (task + 1) * kTask); ++n)
          labels[n] = math::draw_row<Row>(drawn, seed, std::uint64_t(first + n), values + n * m.features);
      });
    });
  }

 private:
  const MixtureDraws& draws_;
  ThreadPool pool_;
};

}  // namespace
}  // namespace cavi::kernels::cpu

namespace cavi::kernels {

std::unique_ptr<Sampler> make_cpu_sampler(const MixtureDraws& draws, std::int64_t rows, int threads) {
  return std::make_unique<cpu::CpuSampler>(draws, rows, threads);
}

}  // namespace cavi::kernels
