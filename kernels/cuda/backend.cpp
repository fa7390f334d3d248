// SPDX-License-Identifier: Apache-2.0
// Which CUDA devices there are, and the backend on one of them.
#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/session.hpp"
#include "kernels/device_source.hpp"
#include "kernels/ops.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace cavi::kernels {

namespace cuda {
namespace {

class CudaBackend : public Backend {
 public:
  CudaBackend(int ordinal, std::int64_t budget) : ordinal_(ordinal), budget_(budget) {}
  std::string name() const override { return "cuda:" + std::to_string(ordinal_); }
  std::unique_ptr<Session> prepare(const Program& program) override { return make_session(program, ordinal_, budget_); }

 private:
  int ordinal_;
  std::int64_t budget_;
};

}  // namespace
}  // namespace cuda

std::unique_ptr<Backend> make_cuda_backend(int ordinal, std::int64_t memory) {
  return std::make_unique<cuda::CudaBackend>(ordinal, memory);
}

void cuda_copy_rows(const void* from, std::size_t pitch, std::size_t row_bytes, std::int64_t rows, void* to,
                    int ordinal, void* stream) {
  if (rows == 0 || row_bytes == 0) return;
  const cuda::OnDevice on(ordinal);
  const auto in = static_cast<cudaStream_t>(stream);
  // Rows with gaps come with what is between them, and are packed here.
  const std::size_t bytes = std::size_t(rows - 1) * pitch + row_bytes;
  std::vector<char> spread(pitch == row_bytes ? 0 : bytes);
  cuda::check(cudaMemcpyAsync(spread.empty() ? to : spread.data(), from, bytes, cudaMemcpyDeviceToHost, in),
              "copying rows to the host");
  cuda::check(cudaStreamSynchronize(in), "waiting for rows from the device");
  for (std::size_t n = 0; !spread.empty() && n < std::size_t(rows); ++n)
    std::copy_n(spread.data() + n * pitch, row_bytes, static_cast<char*>(to) + n * row_bytes);
}

std::vector<CudaDevice> cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return {};
  }
  std::vector<CudaDevice> out;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p{};
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      continue;
    }
    out.push_back({i, p.name, p.major * 10 + p.minor, p.multiProcessorCount, std::int64_t(p.totalGlobalMem)});
  }
  return out;
}

std::string no_cuda_reason() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  static_cast<void>(cudaGetLastError());
  if (error != cudaSuccess) return cudaGetErrorString(error);
  return count == 0 ? "no device was found" : "there are devices 0 to " + std::to_string(count - 1);
}

}  // namespace cavi::kernels
