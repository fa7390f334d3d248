// SPDX-License-Identifier: Apache-2.0
#include <cavi/device.hpp>
#include <cavi/error.hpp>

#include <algorithm>
#include <thread>

namespace cavi {

Device Device::cpu(int threads) {
  if (threads < 0) throw OptionError("threads must be 0 (all processors) or more, not " + std::to_string(threads));
  return Device(Kind::cpu, threads > 0 ? threads : std::max(1, int(std::thread::hardware_concurrency())), 0);
}

Device Device::cuda(int ordinal) {
  throw DeviceError("no CUDA device " + std::to_string(ordinal) + ": this build has the CPU backend only");
}

Device Device::best() { return cpu(); }

std::vector<Device> Device::all() { return {cpu()}; }

std::string Device::name() const { return kind_ == Kind::cpu ? "cpu" : "cuda:" + std::to_string(ordinal_); }

}  // namespace cavi
