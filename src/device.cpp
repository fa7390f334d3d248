// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops.hpp"

#include <cavi/device.hpp>
#include <cavi/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace cavi {

namespace {

int processors() { return std::max(1, int(std::thread::hardware_concurrency())); }

}  // namespace

Device Device::cpu(int threads) {
  if (threads < 0) throw OptionError("threads must be 0 (all processors) or more, not " + std::to_string(threads));
  return Device(Kind::cpu, threads > 0 ? threads : processors(), 0, 0);
}

Device Device::cuda(int ordinal, std::int64_t memory) {
  if (memory < 0)
    throw OptionError("the memory of a device must be 0 (what is free) or more bytes, not " + std::to_string(memory));
  for (const kernels::CudaDevice& d : kernels::cuda_devices())
    if (d.ordinal == ordinal) return Device(Kind::cuda, processors(), ordinal, memory);
  throw DeviceError("no CUDA device " + std::to_string(ordinal) + ": " + kernels::no_cuda_reason());
}

Device Device::best() {
  const auto found = kernels::cuda_devices();
  return found.empty() ? cpu() : Device(Kind::cuda, processors(), found[0].ordinal, 0);
}

std::vector<Device> Device::all() {
  std::vector<Device> out = {cpu()};
  for (const kernels::CudaDevice& d : kernels::cuda_devices()) out.push_back(cuda(d.ordinal));
  return out;
}

std::string Device::name() const { return kind_ == Kind::cpu ? "cpu" : "cuda:" + std::to_string(ordinal_); }

std::string Device::description() const {
  if (kind_ == Kind::cpu) return fmt::format("{} {}", threads_, threads_ == 1 ? "thread" : "threads");
  for (const kernels::CudaDevice& d : kernels::cuda_devices())
    if (d.ordinal == ordinal_)
      return fmt::format("{}, sm_{}, {} multiprocessors, {:.1f} GiB", d.name, d.architecture, d.multiprocessors,
                         double(d.memory) / (1 << 30));
  return "not there any more";
}

}  // namespace cavi
