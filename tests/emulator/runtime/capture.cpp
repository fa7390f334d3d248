// SPDX-License-Identifier: Apache-2.0
#include "emulator/runtime/capture.hpp"

#include "emulator/report.hpp"
#include "emulator/runtime/entry.hpp"

#include <algorithm>
#include <set>

namespace emulator {
namespace {

std::vector<std::unique_ptr<Capture>> captures;

void forget(Capture* capture) {
  for (cudaStream_t stream : capture->streams) {
    stream->capture = nullptr;
    stream->tips.clear();
  }
  for (const auto& event : all_events()) {
    if (event->capture != capture) continue;
    event->capture = nullptr;
    event->tips.clear();
  }
  std::erase_if(captures, [&](const auto& c) { return c.get() == capture; });
}

std::set<cudaGraphNode_t> reachable(const Tips& from) {
  std::set<cudaGraphNode_t> found;
  Tips open = from;
  while (!open.empty()) {
    cudaGraphNode_t node = open.back();
    open.pop_back();
    if (found.insert(node).second) open.insert(open.end(), node->dependencies.begin(), node->dependencies.end());
  }
  return found;
}

}  // namespace

cudaError_t spoil_capture(Capture* capture, cudaError_t error, const std::string& why) {
  if (capture) capture->valid = false;
  return refuse(error, Finding::illegal_in_capture, why);
}

bool invalidate_strict_captures() {
  bool any = false;
  for (const auto& capture : captures) {
    if (capture->mode == cudaStreamCaptureModeRelaxed) continue;
    capture->valid = false;
    any = true;
  }
  return any;
}

Enqueued enqueue(CUstream_st& stream, Work work) {
  if (stream.capture) {
    if (!stream.capture->valid) return {remember(cudaErrorStreamCaptureInvalidated), nullptr};
    auto node = std::make_unique<CUgraphNode_st>();
    node->name = std::move(work.name);
    node->run = std::move(work.run);
    node->work = work.work;
    node->allowed_in_body = work.allowed_in_body;
    node->dependencies = stream.tips;
    stream.tips = {node.get()};
    stream.capture->graph->nodes.push_back(std::move(node));
    return {};
  }
  if (&stream == &legacy_stream())
    for (const auto& capture : captures)
      if (capture->origin->blocking)
        return {spoil_capture(capture.get(), cudaErrorStreamCaptureImplicit,
                              work.name + " in the legacy stream while a blocking stream is captured"),
                nullptr};

  std::vector<OperationPtr> after = std::move(work.after);
  const auto add = [&](const OperationPtr& operation) {
    if (operation) after.insert(after.begin(), operation);
  };
  if (&stream == &legacy_stream()) {
    for (const auto& other : all_streams())
      if (other->blocking) add(other->last);
  } else if (stream.blocking) {
    add(legacy_stream().last);
  }
  add(stream.last);
  stream.last = submit(std::move(work.name), std::move(work.run), work.work, stream.priority, std::move(after));
  const OperationPtr operation = stream.last;
  let_work_run();
  return {cudaSuccess, operation};
}

cudaError_t begin_capture(cudaStream_t stream, cudaGraph_t into, const Tips& after, cudaStreamCaptureMode mode) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (stream == &legacy_stream())
    return spoil_capture(nullptr, cudaErrorStreamCaptureUnsupported, "the legacy stream cannot be captured");
  if (stream->capture)
    return spoil_capture(stream->capture, cudaErrorInvalidValue, "the stream is being captured already");
  auto capture = std::make_unique<Capture>();
  capture->graph = into ? into : new CUgraph_st;
  capture->owns_graph = !into;
  capture->mode = mode;
  capture->origin = stream;
  capture->streams = {stream};
  stream->capture = capture.get();
  stream->tips = after;
  captures.push_back(std::move(capture));
  return cudaSuccess;
}

cudaError_t end_capture(CUstream_st& stream, cudaGraph_t* graph) {
  Capture* capture = stream.capture;
  if (!capture) return refuse(cudaErrorInvalidValue, Finding::illegal_in_capture, "the stream is not being captured");
  if (capture->origin != &stream)
    return spoil_capture(capture, cudaErrorStreamCaptureUnmatched, "the capture began in another stream");
  cudaError_t error = capture->valid ? cudaSuccess : cudaErrorStreamCaptureInvalidated;
  const std::set<cudaGraphNode_t> joined = reachable(stream.tips);
  for (cudaStream_t other : capture->streams)
    for (cudaGraphNode_t tip : other->tips)
      if (!error && !joined.count(tip))
        error = refuse(cudaErrorStreamCaptureUnjoined, Finding::illegal_in_capture,
                       tip->name + " in a forked stream that does not join the capture's own before it ends");
  cudaGraph_t result = capture->graph;
  if (capture->owns_graph && error) {
    delete result;
    result = nullptr;
  } else if (capture->owns_graph) {
    adopt_graph(result);
  }
  if (graph) *graph = result;
  forget(capture);
  return error;
}

bool is_capturing_into(cudaGraph_t graph) {
  return std::any_of(captures.begin(), captures.end(), [&](const auto& c) { return c->graph == graph; });
}

void abandon_captures_into(cudaGraph_t graph) {
  std::vector<Capture*> open;
  for (const auto& capture : captures) {
    const auto is_body = [&](const auto& body) { return body.get() == capture->graph; };
    if (capture->graph == graph || std::any_of(graph->bodies.begin(), graph->bodies.end(), is_body))
      open.push_back(capture.get());
  }
  for (Capture* capture : open) {
    report(Finding::illegal_in_capture, "a graph was destroyed while a stream was captured into it");
    forget(capture);
  }
}

void reset_captures() {
  for (const auto& capture : captures)
    if (capture->owns_graph) delete capture->graph;
  captures.clear();
}

}  // namespace emulator
