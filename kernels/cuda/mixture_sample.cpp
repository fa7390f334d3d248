// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/mixture_sample.hpp"

#include "kernels/cuda/range.hpp"
#include "kernels/cuda/runtime.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace cavi::kernels::cuda {
namespace {

constexpr std::int64_t kNumber = sizeof(double), kWave = 64 << 20;  // bytes of rows, at the most

/// All numbers of the mixture, in one piece.
std::vector<double> joined(const MixtureDraws& m) {
  std::vector<double> all;
  for (const auto* part : {&m.cumulative, &m.mean, &m.root, &m.stretch, &m.degrees_of_freedom, &m.ab})
    all.insert(all.end(), part->begin(), part->end());
  return all;
}

/// What a row takes: its values and its label.
std::int64_t row_bytes(const MixtureDraws& m) { return kNumber * m.features + std::int64_t(sizeof(std::int32_t)); }

/// Rows of a wave.
std::int64_t wave_of(const MixtureDraws& m, std::int64_t rows, std::int64_t parameters, std::int64_t budget) {
  const std::int64_t row = row_bytes(m);
  if (parameters + row > budget)
    throw DeviceError("to draw a row takes " + std::to_string(parameters + row) +
                      " bytes of device memory and there are " + std::to_string(budget) +
                      "; give the device a larger memory budget");
  return std::clamp<std::int64_t>(std::min(kWave, budget - parameters) / row, 1, rows);
}

class CudaSampler final : public Sampler {
 public:
  CudaSampler(const MixtureDraws& draws, std::int64_t wave, int ordinal, const std::vector<double>& parameters)
      : family_(draws.family),
        ordinal_(ordinal),
        wave_(wave),
        parameters_(to_device(parameters, "copying parameters to the device", stream_)),
        rows_(std::size_t(wave * row_bytes(draws))),
        host_(rows_.bytes()) {
    const double* next = parameters_.as<const double>();
    const auto take = [&](const std::vector<double>& part) {
      next += part.size();
      return next - part.size();
    };
    mixture_ = {draws.component,  draws.components, draws.features,      take(draws.cumulative),
                take(draws.mean), take(draws.root), take(draws.stretch), take(draws.degrees_of_freedom),
                take(draws.ab)};
  }

  ~CudaSampler() override { static_cast<void>(cudaStreamSynchronize(stream_)); }

  std::int64_t wave() const override { return wave_; }

  void sample(std::uint64_t seed, std::int64_t first, std::int64_t count, std::int32_t* labels,
              double* values) override {
    const OnDevice on(ordinal_);
    const Range range("cavi: sampling");
    const std::size_t numbers = std::size_t(count * mixture_.features) * kNumber,
                      all = numbers + std::size_t(count) * sizeof(std::int32_t);
    const DrawnRows rows{seed, first, count, reinterpret_cast<std::int32_t*>(rows_.data() + numbers),
                         rows_.as<double>()};
    check(enqueue_sampling(mixture_, family_, rows, stream_), "launching draws");
    check(cudaMemcpyAsync(host_.as<void>(), rows_.data(), all, cudaMemcpyDeviceToHost, stream_),
          "copying drawn rows to the host");
    stream_.wait();
    std::memcpy(values, host_.as<std::byte>(), numbers);
    std::memcpy(labels, host_.as<std::byte>() + numbers, all - numbers);
  }

 private:
  const ComponentFamily family_;
  const int ordinal_;
  const std::int64_t wave_;
  DrawnMixture mixture_;
  Stream stream_;
  DeviceMemory parameters_, rows_;
  PinnedMemory host_;
};

}  // namespace
}  // namespace cavi::kernels::cuda

namespace cavi::kernels {

std::unique_ptr<Sampler> make_cuda_sampler(const MixtureDraws& draws, std::int64_t rows, int ordinal,
                                           std::int64_t memory) {
  const cuda::OnDevice on(ordinal);
  const std::vector<double> parameters = cuda::joined(draws);
  const std::int64_t bytes = std::int64_t(parameters.size()) * cuda::kNumber;
  const std::int64_t wave = cuda::wave_of(draws, rows, bytes, cuda::usable_memory(memory));
  return std::make_unique<cuda::CudaSampler>(draws, wave, ordinal, parameters);
}

}  // namespace cavi::kernels
