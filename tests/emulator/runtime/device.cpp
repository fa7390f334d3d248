// SPDX-License-Identifier: Apache-2.0
// Questions about the device, errors, and the control side.
#include "emulator/control.hpp"
#include "emulator/executor.hpp"
#include "emulator/memory.hpp"
#include "emulator/runtime/api.hpp"
#include "emulator/runtime/capture.hpp"
#include "emulator/runtime/entry.hpp"
#include "emulator/runtime/library.hpp"

#include <cstring>
#include <map>

namespace emulator {
namespace {

std::map<std::string, int> handles;  // of libraries, by kind

cudaError_t check_device(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

}  // namespace

Options& options() {
  static Options in_force;
  return in_force;
}

void count_handles(const char* kind, int change) { handles[kind] += change; }

void reset_launches();

void reset(const Options& o) {
  address_space();
  options() = o;
  reset_captures();
  reset_graphs();
  reset_entry();
  reset_launches();
  reset_memory();
  reset_operations();
  reset_streams();
  reset_executor();
  clear_reports();
  clear_traffic();
  handles.clear();
}

std::vector<std::string> leaks() {
  std::vector<std::string> all = leaked_memory();
  for (const auto& more : {leaked_streams(), leaked_graphs()}) all.insert(all.end(), more.begin(), more.end());
  for (const auto& [kind, count] : handles)
    if (count) all.push_back(std::to_string(count) + " " + kind);
  return all;
}

std::string verdict() {
  {
    const DeviceAccess open;
    check_red_zones("the end");
  }
  std::string text;
  for (const Report& r : reports()) text += std::string(name(r.finding)) + ": " + r.text + "\n";
  for (const std::string& leak : leaks()) text += "leak: " + leak + "\n";
  return text;
}

}  // namespace emulator

using namespace emulator;

cudaError_t cudaGetLastError() { return take_last_error(); }
cudaError_t cudaPeekAtLastError() { return peek_last_error(); }

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define EMULATOR_NAME(e) \
  case e: return #e;
    EMULATOR_NAME(cudaSuccess)
    EMULATOR_NAME(cudaErrorInvalidValue)
    EMULATOR_NAME(cudaErrorMemoryAllocation)
    EMULATOR_NAME(cudaErrorInitializationError)
    EMULATOR_NAME(cudaErrorInvalidConfiguration)
    EMULATOR_NAME(cudaErrorInvalidSymbol)
    EMULATOR_NAME(cudaErrorInvalidDevicePointer)
    EMULATOR_NAME(cudaErrorInvalidMemcpyDirection)
    EMULATOR_NAME(cudaErrorInsufficientDriver)
    EMULATOR_NAME(cudaErrorInvalidDeviceFunction)
    EMULATOR_NAME(cudaErrorNoDevice)
    EMULATOR_NAME(cudaErrorInvalidDevice)
    EMULATOR_NAME(cudaErrorInvalidResourceHandle)
    EMULATOR_NAME(cudaErrorNotReady)
    EMULATOR_NAME(cudaErrorIllegalAddress)
    EMULATOR_NAME(cudaErrorLaunchOutOfResources)
    EMULATOR_NAME(cudaErrorMisalignedAddress)
    EMULATOR_NAME(cudaErrorLaunchFailure)
    EMULATOR_NAME(cudaErrorNotPermitted)
    EMULATOR_NAME(cudaErrorNotSupported)
    EMULATOR_NAME(cudaErrorStreamCaptureUnsupported)
    EMULATOR_NAME(cudaErrorStreamCaptureInvalidated)
    EMULATOR_NAME(cudaErrorStreamCaptureUnmatched)
    EMULATOR_NAME(cudaErrorStreamCaptureUnjoined)
    EMULATOR_NAME(cudaErrorStreamCaptureIsolation)
    EMULATOR_NAME(cudaErrorStreamCaptureImplicit)
    EMULATOR_NAME(cudaErrorCapturedEvent)
    EMULATOR_NAME(cudaErrorUnknown)
#undef EMULATOR_NAME
  }
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

cudaError_t cudaGetDeviceCount(int* count) {
  return enter("cudaGetDeviceCount", Call::device, kAnywhere, [&] {
    *count = 1;
    return cudaSuccess;
  });
}
cudaError_t cudaGetDevice(int* device) {
  return enter("cudaGetDevice", Call::device, kAnywhere, [&] {
    *device = 0;
    return cudaSuccess;
  });
}
cudaError_t cudaSetDevice(int device) {
  return enter("cudaSetDevice", Call::device, kAnywhere, [&] { return check_device(device); });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  return enter("cudaGetDeviceProperties", Call::device, kAnywhere, [&] {
    if (const cudaError_t error = check_device(device)) return error;
    const Architecture& a = options().architecture;
    *p = {};
    std::strcpy(p->name, "emulated device");
    p->totalGlobalMem = options().device_bytes;
    p->sharedMemPerBlock = a.shared_per_block;
    p->sharedMemPerBlockOptin = a.shared_per_block_optin;
    p->sharedMemPerMultiprocessor = a.shared_per_multiprocessor;
    p->totalConstMem = a.constant_bytes;
    p->regsPerBlock = a.registers_per_block;
    p->warpSize = 32;
    p->maxThreadsPerBlock = a.threads_per_block;
    p->maxThreadsPerMultiProcessor = a.threads_per_multiprocessor;
    p->multiProcessorCount = a.multiprocessors;
    p->major = a.major;
    p->minor = a.minor;
    p->l2CacheSize = 50 << 20;
    p->canMapHostMemory = p->concurrentKernels = 1;
    p->asyncEngineCount = 2;
    const int threads[] = {1024, 1024, 64}, blocks[] = {0x7fffffff, 65535, 65535};
    std::memcpy(p->maxThreadsDim, threads, sizeof threads);
    std::memcpy(p->maxGridSize, blocks, sizeof blocks);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return enter("cudaDeviceGetAttribute", Call::device, kAnywhere, [&] {
    if (const cudaError_t error = check_device(device)) return error;
    const Architecture& a = options().architecture;
    switch (attribute) {
      case cudaDevAttrMaxThreadsPerBlock: *value = a.threads_per_block; break;
      case cudaDevAttrMaxSharedMemoryPerBlock: *value = static_cast<int>(a.shared_per_block); break;
      case cudaDevAttrMultiProcessorCount: *value = a.multiprocessors; break;
      case cudaDevAttrComputeCapabilityMajor: *value = a.major; break;
      case cudaDevAttrComputeCapabilityMinor: *value = a.minor; break;
      case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(a.shared_per_block_optin); break;
      default: return refuse(cudaErrorInvalidValue, Finding::bad_argument, "a device attribute that is not emulated");
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return enter("cudaMemGetInfo", Call::device, kAnywhere, [&] {
    *total = options().device_bytes;
    *free = *total - device_bytes_in_use();
    return cudaSuccess;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return enter("cudaRuntimeGetVersion", Call::device, kAnywhere, [&] {
    *version = 13000;
    return cudaSuccess;
  });
}
