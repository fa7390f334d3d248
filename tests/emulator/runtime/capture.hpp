// SPDX-License-Identifier: Apache-2.0
/// \file
/// Streams, events and graphs, and how they hang together while a stream is captured.
#pragma once

#include "emulator/runtime/operation.hpp"
#include "emulator/runtime/types.hpp"

#include <memory>
#include <string>
#include <vector>

namespace emulator {

struct Condition {
  unsigned value = 0, at_launch = 0;
  bool reset_at_launch = false;
  cudaGraph_t graph = nullptr;
};

/// A capture under way. Its streams add nodes to one graph.
struct Capture {
  cudaGraph_t graph = nullptr;
  bool owns_graph = false;  ///< rather than adding to one that exists
  bool valid = true;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  cudaStream_t origin = nullptr;
  std::vector<cudaStream_t> streams;
};

using Tips = std::vector<cudaGraphNode_t>;  ///< what the next captured operation depends on

}  // namespace emulator

struct CUstream_st {
  bool blocking = true;  ///< ordered with the legacy stream
  bool live = true;
  unsigned priority = 0;
  emulator::OperationPtr last;
  emulator::Capture* capture = nullptr;
  emulator::Tips tips;
};

struct CUevent_st {
  bool timing = true;
  bool live = true;
  emulator::OperationPtr operation;
  emulator::Capture* capture = nullptr;
  emulator::Tips tips;
};

struct CUgraphNode_st {
  std::string name;
  emulator::Run run;
  bool work = true;
  bool allowed_in_body = true;
  emulator::Tips dependencies;
  cudaGraphConditionalHandle condition = 0;  ///< of an IF or WHILE node
  bool loop = false;
  cudaGraph_t body = nullptr;
};

struct CUgraph_st {
  std::vector<std::unique_ptr<CUgraphNode_st>> nodes;  // each after what it depends on
  std::vector<std::size_t> conditions;
  std::vector<std::unique_ptr<CUgraph_st>> bodies;
};

struct CUgraphExec_st {
  std::shared_ptr<CUgraph_st> graph;  ///< shared with the launches that have not run
  emulator::OperationPtr last;
};

namespace emulator {

/// nullptr, with a report, for a handle that is none or no longer one.
cudaStream_t checked(cudaStream_t stream);
cudaEvent_t checked(cudaEvent_t event);
CUstream_st& legacy_stream();
const std::vector<std::unique_ptr<CUstream_st>>& all_streams();
const std::vector<std::unique_ptr<CUevent_st>>& all_events();

struct Enqueued {
  cudaError_t error = cudaSuccess;
  OperationPtr operation;  ///< none while capturing
};
struct Work {
  std::string name;
  Run run;
  bool work = true;
  bool allowed_in_body = true;
  std::vector<OperationPtr> after = {};
};
/// The one way into a stream: a node of a graph while it is captured, an operation otherwise.
Enqueued enqueue(CUstream_st& stream, Work work);

cudaError_t begin_capture(cudaStream_t stream, cudaGraph_t into, const Tips& after, cudaStreamCaptureMode mode);
cudaError_t end_capture(CUstream_st& stream, cudaGraph_t* graph);
/// Invalidates the capture and refuses.
cudaError_t spoil_capture(Capture* capture, cudaError_t error, const std::string& why);
/// True if there is a capture that forbids unsafe calls; it is then invalid.
bool invalidate_strict_captures();
bool is_capturing_into(cudaGraph_t graph);
void abandon_captures_into(cudaGraph_t graph);

void adopt_graph(cudaGraph_t graph);
Condition* find_condition(cudaGraphConditionalHandle handle);

std::vector<std::string> leaked_streams();
std::vector<std::string> leaked_graphs();
void reset_streams();
void reset_captures();
void reset_graphs();

}  // namespace emulator
