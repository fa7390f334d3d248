// SPDX-License-Identifier: Apache-2.0
#include "emulator/runtime/entry.hpp"

#include "emulator/executor.hpp"
#include "emulator/runtime/capture.hpp"
#include "emulator/runtime/operation.hpp"

#include <map>

namespace emulator {
namespace {

struct State {
  cudaError_t last = cudaSuccess;
  std::map<Call, int> calls;
  std::string failed;
  bool in_host_function = false;
};
State state;
thread_local int depth = 0;
std::recursive_mutex mutex;

cudaError_t admit(const char* call, Call kind, unsigned rules) {
  if (current_thread() || state.in_host_function)
    return refuse(cudaErrorNotPermitted, Finding::forbidden_call,
                  std::string(call) + " from a " + (current_thread() ? "kernel" : "host function"));
  if (!(rules & kCleansUp)) {
    ++state.calls[Call::any];
    ++state.calls[kind];
    const Options& o = options();
    const int number = state.calls[o.failing_call];
    if ((o.failing_call == Call::any || o.failing_call == kind) && number == o.failing_number) {
      state.failed = call;
      return remember(static_cast<cudaError_t>(o.failing_error));
    }
    if (device_error()) return device_error();
  }
  if ((rules & kNotInCapture) && invalidate_strict_captures())
    return refuse(cudaErrorStreamCaptureUnsupported, Finding::illegal_in_capture,
                  std::string(call) + " during stream capture");
  let_work_run();
  return cudaSuccess;
}

}  // namespace

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) state.last = error;
  return error;
}

cudaError_t refuse(cudaError_t error, Finding finding, const std::string& text) {
  report(finding, text);
  return remember(error);
}

cudaError_t take_last_error() {
  const cudaError_t error = peek_last_error();
  state.last = cudaSuccess;
  return error;
}
cudaError_t peek_last_error() { return device_error() ? device_error() : state.last; }

int calls_made(Call kind) { return state.calls[kind]; }
const std::string& failed_call() { return state.failed; }
bool inside_runtime() { return depth > 0; }

std::unique_lock<std::recursive_mutex> lock_runtime() { return std::unique_lock(mutex); }

Entry::Entry(const char* call, Call kind, unsigned rules) : lock_(mutex), error_(cudaSuccess) {
  ++depth;
  error_ = admit(call, kind, rules);
}
Entry::~Entry() { --depth; }

namespace {
int set_aside = 0;
}
HostFunctionScope::HostFunctionScope() {
  set_aside = depth;
  depth = 0;
  state.in_host_function = true;
}
HostFunctionScope::~HostFunctionScope() {
  depth = set_aside;
  state.in_host_function = false;
}

void reset_entry() { state = {}; }

}  // namespace emulator
