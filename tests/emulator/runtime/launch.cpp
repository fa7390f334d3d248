// SPDX-License-Identifier: Apache-2.0
// Kernel launches, and the limits they must keep.
#include "emulator/executor.hpp"
#include "emulator/runtime/api.hpp"
#include "emulator/runtime/capture.hpp"
#include "emulator/runtime/entry.hpp"
#include "emulator/runtime/library.hpp"
#include "emulator/symbol.hpp"

#include <unordered_map>

namespace emulator {
namespace {

std::unordered_map<const void*, std::size_t> dynamic_shared_allowed;  // by kernel

std::string text(const dim3& d) {
  return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

// How CUDA lays parameters out: each at the next multiple of its alignment.
std::size_t parameter_bytes(const std::vector<Argument>& arguments) {
  std::size_t end = 0;
  for (const Argument& argument : arguments) end = round_up(end, argument.alignment) + argument.bytes;
  return end;
}

cudaError_t check_limits(const KernelLaunch& launch, const std::string& name) {
  const Architecture& limit = options().architecture;
  const dim3 grid = launch.config.gridDim, block = launch.config.blockDim;
  const auto broken = [&](cudaError_t error, Finding finding, const std::string& why) {
    return refuse(error, finding, name + ": " + why);
  };
  if (!grid.x || !grid.y || !grid.z || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    return broken(cudaErrorInvalidConfiguration, Finding::launch_limit, "grid " + text(grid));
  const std::uint64_t threads = std::uint64_t(block.x) * block.y * block.z;
  if (!threads || threads > std::uint64_t(limit.threads_per_block) || block.z > 64)
    return broken(cudaErrorInvalidConfiguration, Finding::launch_limit, "block " + text(block));
  if (const std::size_t bytes = parameter_bytes(launch.arguments); bytes > limit.parameter_bytes)
    return broken(cudaErrorInvalidValue, Finding::launch_limit, std::to_string(bytes) + " bytes of parameters");
  if (constant_bytes() > limit.constant_bytes)
    return broken(cudaErrorInvalidSymbol, Finding::constant_memory_limit,
                  std::to_string(constant_bytes()) + " bytes of __constant__ variables");

  const auto allowed = dynamic_shared_allowed.find(launch.kernel);
  const std::size_t most = allowed == dynamic_shared_allowed.end() ? limit.shared_per_block : allowed->second;
  if (launch.config.dynamicSmemBytes > most)
    return broken(cudaErrorInvalidValue, Finding::shared_memory_limit,
                  std::to_string(launch.config.dynamicSmemBytes) + " bytes of dynamic shared memory; " +
                      std::to_string(most) + " are allowed (cudaFuncSetAttribute)");

  if (const auto known = options().registers.find(name); known != options().registers.end()) {
    // Registers are handed out to warps, eight per thread at a time.
    const std::uint64_t needed = round_up(threads, 32) * round_up(known->second, 8);
    if (known->second > limit.registers_per_thread || needed > std::uint64_t(limit.registers_per_block))
      return broken(cudaErrorLaunchOutOfResources, Finding::launch_limit,
                    std::to_string(known->second) + " registers for each of " + std::to_string(threads) + " threads");
  }
  return cudaSuccess;
}

}  // namespace

cudaError_t launch_kernel(const KernelLaunch& launch) {
  return enter("cudaLaunchKernelExC", Call::launch, kAnywhere, [&] {
    cudaStream_t stream = checked(launch.config.stream);
    if (!stream) return cudaErrorInvalidResourceHandle;
    const std::string name = function_name(launch.kernel);
    if (const cudaError_t error = check_limits(launch, name)) return error;
    // A GPU would notice only when the kernel touches it; a launch that cannot work is better refused.
    if (!valid_arguments(launch.arguments, name)) return cudaErrorInvalidValue;

    Launch shape;
    shape.kernel = launch.kernel;
    shape.grid = launch.config.gridDim;
    shape.block = launch.config.blockDim;
    shape.dynamic_shared = launch.config.dynamicSmemBytes;
    shape.shared_limit = dynamic_shared_allowed.count(launch.kernel) ? options().architecture.shared_per_block_optin
                                                                     : options().architecture.shared_per_block;
    shape.instrumented = launch.instrumented;
    const auto run = [shape, name, body = launch.body, arguments = launch.arguments](Operation& operation) {
      if (!valid_arguments(arguments, name)) {
        fail_device(cudaErrorIllegalAddress);
        return true;
      }
      mark_uses(arguments, operation);
      execute(shape, body);
      if (!shape.instrumented) assume_everything_written();
      check_red_zones(name);
      return true;
    };
    const Enqueued queued = enqueue(*stream, {.name = name, .run = run});
    if (queued.operation) mark_uses(launch.arguments, *queued.operation);
    return queued.error;
  });
}

cudaError_t set_function_attribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return enter("cudaFuncSetAttribute", Call::device, kAnywhere, [&] {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    if (value < 0 || std::size_t(value) > options().architecture.shared_per_block_optin)
      return refuse(cudaErrorInvalidValue, Finding::shared_memory_limit,
                    function_name(kernel) + ": " + std::to_string(value) + " bytes of dynamic shared memory");
    dynamic_shared_allowed[kernel] = value;
    return cudaSuccess;
  });
}

cudaError_t library_call(cudaStream_t handle, const char* call, std::vector<Range> ranges, std::function<void()> body) {
  return enter(call, Call::library, kAnywhere, [&] {
    cudaStream_t stream = checked(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    for (const Range& range : ranges) {
      if (!find_allocation(range.address))
        return refuse(cudaErrorInvalidValue, Finding::host_pointer, std::string(call) + " with pageable host memory");
      if (!valid_range(range.address, range.bytes, call)) return cudaErrorInvalidValue;
    }
    const auto run = [=](Operation& operation) {
      for (const Range& range : ranges) {
        if (!valid_range(range.address, range.bytes, operation.name)) {
          fail_device(cudaErrorIllegalAddress);
          return true;
        }
        mark_use(range.address, operation);
        touch(range, operation);
      }
      body();
      check_red_zones(operation.name);
      return true;
    };
    const Enqueued queued = enqueue(*stream, {.name = call, .run = run});
    if (queued.operation)
      for (const Range& range : ranges) mark_use(range.address, *queued.operation);
    return queued.error;
  });
}

void reset_launches() { dynamic_shared_allowed.clear(); }

}  // namespace emulator
