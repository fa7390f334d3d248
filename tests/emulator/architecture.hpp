// SPDX-License-Identifier: Apache-2.0
/// \file
/// Limits of a GPU that a launch can break (CUDA C++ Programming Guide, "Compute Capabilities").
#pragma once

#include <cstddef>

namespace emulator {

struct Architecture {
  int major = 9, minor = 0;
  int multiprocessors = 132;
  std::size_t shared_per_block_optin = 227 << 10;  ///< after cudaFuncSetAttribute
  std::size_t shared_per_block = 48 << 10;         ///< without it
  std::size_t shared_per_multiprocessor = 228 << 10;
  int registers_per_block = 64 << 10;
  int registers_per_thread = 255;
  int threads_per_block = 1024;
  int threads_per_multiprocessor = 2048;
  std::size_t parameter_bytes = 4 << 10;  ///< kernels that keep to it run on every toolkit and device
  std::size_t constant_bytes = 64 << 10;
};

inline Architecture sm_80() {
  Architecture a;
  a.major = 8;
  a.multiprocessors = 108;
  a.shared_per_block_optin = 163 << 10;
  a.shared_per_multiprocessor = 164 << 10;
  return a;
}
inline Architecture sm_86() {
  Architecture a;
  a.major = 8;
  a.minor = 6;
  a.multiprocessors = 84;
  a.shared_per_block_optin = 99 << 10;
  a.shared_per_multiprocessor = 100 << 10;
  a.threads_per_multiprocessor = 1536;
  return a;
}
inline Architecture sm_90() { return {}; }

}  // namespace emulator
