// SPDX-License-Identifier: Apache-2.0
// Streams and events.
#include "emulator/memory.hpp"
#include "emulator/runtime/api.hpp"
#include "emulator/runtime/capture.hpp"
#include "emulator/runtime/entry.hpp"

#include <algorithm>

namespace emulator {
namespace {

struct State {
  // Destroyed ones stay, so that a stale handle is told from a wild one.
  std::vector<std::unique_ptr<CUstream_st>> streams;
  std::vector<std::unique_ptr<CUevent_st>> events;
  CUstream_st legacy;
  CUstream_st* per_thread = nullptr;
};
State state;

bool nothing(Operation&) { return true; }

template <class Handle>
Handle checked_handle(Handle handle, const auto& known, const char* kind) {
  for (const auto& candidate : known) {
    if (candidate.get() != handle) continue;
    if (candidate->live) return handle;
    report(Finding::bad_argument, std::string("a destroyed ") + kind);
    return nullptr;
  }
  report(Finding::bad_argument, std::string("a ") + kind + " that was never created");
  return nullptr;
}

CUstream_st* add_stream(bool blocking) {
  state.streams.push_back(std::make_unique<CUstream_st>());
  CUstream_st* stream = state.streams.back().get();
  stream->blocking = blocking;
  stream->priority = random_below(16);
  return stream;
}

cudaError_t query(const OperationPtr& operation) {
  if (operation && !operation->done && random_below(4) == 0) run_one();
  if (operation && !operation->done) return device_error() ? device_error() : cudaErrorNotReady;
  if (operation) host_saw(*operation);
  return device_error();
}

template <size_t N>
void count_leaks(std::vector<std::string>& leaks, size_t live, const char (&what)[N]) {
  if (live) leaks.push_back(std::to_string(live) + " " + what);
}

}  // namespace

cudaStream_t checked(cudaStream_t stream) {
  if (!stream || stream == cudaStreamLegacy) return &state.legacy;
  if (stream == cudaStreamPerThread) return state.per_thread ? state.per_thread : state.per_thread = add_stream(true);
  return checked_handle(stream, state.streams, "stream");
}
cudaEvent_t checked(cudaEvent_t event) { return checked_handle(event, state.events, "event"); }
CUstream_st& legacy_stream() { return state.legacy; }
const std::vector<std::unique_ptr<CUstream_st>>& all_streams() { return state.streams; }
const std::vector<std::unique_ptr<CUevent_st>>& all_events() { return state.events; }

std::vector<std::string> leaked_streams() {
  std::vector<std::string> leaks;
  count_leaks(leaks,
              std::count_if(state.streams.begin(), state.streams.end(),
                            [](const auto& s) { return s->live && s.get() != state.per_thread; }),
              "streams");
  count_leaks(leaks, std::count_if(state.events.begin(), state.events.end(), [](const auto& e) { return e->live; }),
              "events");
  return leaks;
}

void reset_streams() {
  state = {};
  state.legacy.priority = random_below(16);
}

}  // namespace emulator

using namespace emulator;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return enter("cudaStreamCreateWithFlags", Call::stream, kAnywhere, [&] {
    *stream = add_stream(!(flags & cudaStreamNonBlocking));
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return enter("cudaStreamDestroy", Call::stream, kCleansUp, [&] {
    cudaStream_t stream = checked(handle);
    if (!stream || stream == &state.legacy) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
      spoil_capture(stream->capture, cudaErrorStreamCaptureUnsupported, "a stream was destroyed while it was captured");
      end_capture(*stream->capture->origin, nullptr);
    }
    stream->live = false;  // what is in it still runs
    return device_error();
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle, Site site) {
  return enter("cudaStreamSynchronize", Call::wait, kAnywhere, [&] {
    cudaStream_t stream = checked(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture)
      return spoil_capture(stream->capture, cudaErrorStreamCaptureUnsupported,
                           "cudaStreamSynchronize of a captured stream");
    if (!active(site)) return device_error();
    if (stream == &state.legacy)
      for (const auto& other : state.streams)
        if (other->blocking) wait_for(other->last);
    wait_for(stream->last);
    return device_error();
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return enter("cudaStreamQuery", Call::wait, kAnywhere, [&] {
    cudaStream_t stream = checked(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture)
      return spoil_capture(stream->capture, cudaErrorStreamCaptureUnsupported, "cudaStreamQuery of a captured stream");
    return query(stream->last);
  });
}

cudaError_t cudaDeviceSynchronize(Site site) {
  return enter("cudaDeviceSynchronize", Call::wait, kNotInCapture, [&] {
    if (active(site)) wait_for_all();
    return device_error();
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
  return enter("cudaLaunchHostFunc", Call::launch, kAnywhere, [&] {
    cudaStream_t stream = checked(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    const auto run = [function, data](Operation&) {
      const HostAccess closed;
      const HostFunctionScope scope;
      function(data);
      return true;
    };
    return enqueue(*stream, {.name = "a host function", .run = run, .allowed_in_body = false}).error;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return enter("cudaEventCreateWithFlags", Call::event, kAnywhere, [&] {
    state.events.push_back(std::make_unique<CUevent_st>());
    *event = state.events.back().get();
    (*event)->timing = !(flags & cudaEventDisableTiming);
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return enter("cudaEventDestroy", Call::event, kCleansUp, [&] {
    cudaEvent_t event = checked(handle);
    if (!event) return cudaErrorInvalidResourceHandle;
    event->live = false;
    return device_error();
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event_handle, cudaStream_t handle) {
  return enter("cudaEventRecord", Call::event, kAnywhere, [&] {
    cudaStream_t stream = checked(handle);
    cudaEvent_t event = checked(event_handle);
    if (!stream || !event) return cudaErrorInvalidResourceHandle;
    event->capture = stream->capture;
    event->tips = stream->tips;
    if (stream->capture) return stream->capture->valid ? cudaSuccess : cudaErrorStreamCaptureInvalidated;
    const Enqueued mark = enqueue(*stream, {.name = "cudaEventRecord", .run = nothing, .work = false});
    event->operation = mark.operation;
    return mark.error;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned, Site site) {
  return enter("cudaStreamWaitEvent", Call::event, kAnywhere, [&] {
    cudaStream_t stream = checked(handle);
    cudaEvent_t event = checked(event_handle);
    if (!stream || !event) return cudaErrorInvalidResourceHandle;
    if (!active(site)) return cudaSuccess;
    if (event->capture) {  // forks this stream into the capture, or joins two of its streams
      if (!stream->capture) {
        stream->capture = event->capture;
        stream->tips.clear();
        event->capture->streams.push_back(stream);
      } else if (stream->capture != event->capture) {
        return spoil_capture(stream->capture, cudaErrorStreamCaptureIsolation,
                             "a wait for an event of another capture");
      }
      for (cudaGraphNode_t tip : event->tips)
        if (std::find(stream->tips.begin(), stream->tips.end(), tip) == stream->tips.end()) stream->tips.push_back(tip);
      return cudaSuccess;
    }
    if (stream->capture)
      return spoil_capture(stream->capture, cudaErrorStreamCaptureIsolation,
                           "a captured stream waits for an event recorded outside the capture");
    if (!event->operation) return cudaSuccess;  // never recorded: no effect, as on a GPU
    return enqueue(*stream, {.name = "cudaStreamWaitEvent", .run = nothing, .work = false, .after = {event->operation}})
        .error;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return enter("cudaEventQuery", Call::wait, kAnywhere, [&] {
    cudaEvent_t event = checked(handle);
    if (!event) return cudaErrorInvalidResourceHandle;
    if (event->capture)
      return spoil_capture(event->capture, cudaErrorCapturedEvent, "cudaEventQuery of a captured event");
    return query(event->operation);
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle, Site site) {
  return enter("cudaEventSynchronize", Call::wait, kAnywhere, [&] {
    cudaEvent_t event = checked(handle);
    if (!event) return cudaErrorInvalidResourceHandle;
    if (event->capture)
      return spoil_capture(event->capture, cudaErrorCapturedEvent, "cudaEventSynchronize of a captured event");
    if (active(site)) wait_for(event->operation);
    return device_error();
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t first, cudaEvent_t second) {
  return enter("cudaEventElapsedTime", Call::event, kAnywhere, [&] {
    for (cudaEvent_t event : {first, second}) {
      if (!checked(event) || !event->timing || !event->operation) return cudaErrorInvalidResourceHandle;
      if (!event->operation->done) return cudaErrorNotReady;
    }
    *milliseconds =
        (static_cast<float>(second->operation->finished_at) - static_cast<float>(first->operation->finished_at)) *
        1e-6f;
    return cudaSuccess;
  });
}
