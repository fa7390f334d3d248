// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every call of the runtime does first: counts itself, fails if it was told to, refuses where it is not allowed.
#pragma once

#include "emulator/options.hpp"
#include "emulator/report.hpp"
#include "emulator/runtime/types.hpp"

#include <mutex>
#include <string>

namespace emulator {

enum Rules : unsigned {
  kAnywhere = 0,
  kNotInCapture = 1,  ///< ends a capture that is under way, unless that is a relaxed one
  kCleansUp = 2,      ///< frees something: still works after an error of the device, and is never made to fail
};

/// Remembers the error for cudaGetLastError() and returns it.
cudaError_t remember(cudaError_t error);
/// Reports, remembers and returns.
cudaError_t refuse(cudaError_t error, Finding finding, const std::string& text);
cudaError_t take_last_error();
cudaError_t peek_last_error();

/// Number of calls of the kind since the reset; Call::any: of all that can be made to fail.
int calls_made(Call kind);
/// The call that was made to fail, or "".
const std::string& failed_call();

/// Whether the calling code is the emulator's own.
bool inside_runtime();
std::unique_lock<std::recursive_mutex> lock_runtime();

class Entry {
 public:
  Entry(const char* call, Call kind, unsigned rules);
  ~Entry();
  Entry(const Entry&) = delete;
  cudaError_t error() const { return error_; }

 private:
  std::lock_guard<std::recursive_mutex> lock_;
  cudaError_t error_;
};

/// Runs body() as the call, unless the call may not happen.
template <class Body>
cudaError_t enter(const char* call, Call kind, unsigned rules, const Body& body) {
  const Entry entry(call, kind, rules);
  return entry.error() ? entry.error() : remember(body());
}

/// Calls made from a function that a stream runs on the host.
struct HostFunctionScope {
  HostFunctionScope();
  ~HostFunctionScope();
};

void reset_entry();

}  // namespace emulator
