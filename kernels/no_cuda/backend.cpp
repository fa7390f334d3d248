// SPDX-License-Identifier: Apache-2.0
// What a build without a CUDA compiler says of CUDA.
#include "kernels/device_source.hpp"
#include "kernels/mixture_draws.hpp"
#include "kernels/mixture_scores.hpp"
#include "kernels/ops.hpp"

#include <cavi/error.hpp>

namespace cavi::kernels {

std::unique_ptr<Backend> make_cuda_backend(int, std::int64_t) { throw DeviceError(no_cuda_reason()); }

std::optional<std::vector<double>> cuda_start_centres(const Rows&, const double*, int, bool, std::uint64_t, Scalar, int,
                                                      std::int64_t) {
  throw DeviceError(no_cuda_reason());
}

std::unique_ptr<Predictor> make_cuda_predictor(const MixtureScores&, const Question&, std::int64_t, int, std::int64_t) {
  throw DeviceError(no_cuda_reason());
}

std::unique_ptr<Sampler> make_cuda_sampler(const MixtureDraws&, std::int64_t, int, std::int64_t) {
  throw DeviceError(no_cuda_reason());
}

void cuda_copy_rows(const void*, std::size_t, std::size_t, std::int64_t, void*, int, void*) {
  throw DeviceError(no_cuda_reason());
}

std::vector<CudaDevice> cuda_devices() { return {}; }

std::string no_cuda_reason() { return "this build has the CPU backend only"; }

}  // namespace cavi::kernels
