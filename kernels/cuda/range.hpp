// SPDX-License-Identifier: Apache-2.0
/// \file
/// A named stretch of host time for profilers, where the toolkit has NVTX.
#pragma once

#if __has_include(<nvtx3/nvToolsExt.h>) && !defined(CUDA_EMULATOR)
#include <nvtx3/nvToolsExt.h>

namespace cavi::kernels::cuda {
class Range {
 public:
  explicit Range(const char* name) { nvtxRangePushA(name); }
  ~Range() { nvtxRangePop(); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};
}  // namespace cavi::kernels::cuda
#else
namespace cavi::kernels::cuda {
struct Range {
  explicit Range(const char*) {}
};
}  // namespace cavi::kernels::cuda
#endif
