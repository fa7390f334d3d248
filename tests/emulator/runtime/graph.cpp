// SPDX-License-Identifier: Apache-2.0
// Graphs, their launches and conditional nodes.
#include "emulator/executor.hpp"
#include "emulator/options.hpp"
#include "emulator/runtime/api.hpp"
#include "emulator/runtime/capture.hpp"
#include "emulator/runtime/entry.hpp"

#include <set>
#include <unordered_map>

namespace emulator {
namespace {

std::set<cudaGraph_t> graphs;
std::set<cudaGraphExec_t> executables;
std::vector<Condition> conditions;  // a handle is a position + 1

bool nothing(Operation&) { return true; }

void spawn_nodes(const CUgraph_st& graph, Operation& parent) {
  std::unordered_map<const CUgraphNode_st*, OperationPtr> operations;
  for (const auto& node : graph.nodes) {
    std::vector<OperationPtr> after;
    for (cudaGraphNode_t dependency : node->dependencies) after.push_back(operations.at(dependency));
    operations[node.get()] = spawn(parent, node->name, node->run, node->work, std::move(after));
  }
}

// Each round of the node spawns the body and comes back when that is done.
Run conditional_run(const CUgraph_st* body, std::size_t condition, bool loop) {
  return [=](Operation& node) {
    if (!conditions[condition].value || (!loop && node.rounds) || device_error()) return true;
    if (++node.rounds > options().max_while) {
      report(Finding::endless_loop, "a WHILE node has run " + std::to_string(options().max_while) + " times");
      fail_device(cudaErrorLaunchFailure);
      return true;
    }
    spawn_nodes(*body, node);
    return node.waits_for == 0 && !loop;  // an empty body: look at the condition again
  };
}

// Deep: what is instantiated no longer changes.
void copy_graph(const CUgraph_st& from, CUgraph_st& to) {
  std::unordered_map<const CUgraphNode_st*, cudaGraphNode_t> copies;
  to.conditions = from.conditions;
  for (const auto& node : from.nodes) {
    auto copy = std::make_unique<CUgraphNode_st>(*node);
    for (cudaGraphNode_t& dependency : copy->dependencies) dependency = copies.at(dependency);
    if (node->body) {
      to.bodies.push_back(std::make_unique<CUgraph_st>());
      copy->body = to.bodies.back().get();
      copy_graph(*node->body, *copy->body);
      copy->run = conditional_run(copy->body, node->condition - 1, node->loop);
    }
    copies[node.get()] = copy.get();
    to.nodes.push_back(std::move(copy));
  }
}

const CUgraphNode_st* forbidden_in_body(const CUgraph_st& graph) {
  for (const auto& body : graph.bodies) {
    for (const auto& node : body->nodes)
      if (!node->allowed_in_body) return node.get();
    if (const CUgraphNode_st* node = forbidden_in_body(*body)) return node;
  }
  return nullptr;
}

void reset_conditions(const CUgraph_st& graph) {
  for (const std::size_t c : graph.conditions)
    if (conditions[c].reset_at_launch) conditions[c].value = conditions[c].at_launch;
}

}  // namespace

void adopt_graph(cudaGraph_t graph) { graphs.insert(graph); }
Condition* find_condition(cudaGraphConditionalHandle handle) {
  return handle && handle <= conditions.size() ? &conditions[handle - 1] : nullptr;
}

std::vector<std::string> leaked_graphs() {
  std::vector<std::string> leaks;
  if (!graphs.empty()) leaks.push_back(std::to_string(graphs.size()) + " graphs");
  if (!executables.empty()) leaks.push_back(std::to_string(executables.size()) + " executable graphs");
  return leaks;
}

void reset_graphs() {
  for (cudaGraph_t graph : graphs) delete graph;
  for (cudaGraphExec_t executable : executables) delete executable;
  graphs.clear();
  executables.clear();
  conditions.clear();
}

}  // namespace emulator

using namespace emulator;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return enter("cudaStreamBeginCapture", Call::graph, kAnywhere,
               [&] { return begin_capture(checked(stream), nullptr, {}, mode); });
}

cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t graph, const cudaGraphNode_t* dependencies,
                                          const cudaGraphEdgeData*, std::size_t count, cudaStreamCaptureMode mode) {
  return enter("cudaStreamBeginCaptureToGraph", Call::graph, kAnywhere,
               [&] { return begin_capture(checked(stream), graph, Tips(dependencies, dependencies + count), mode); });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  const Entry entry("cudaStreamEndCapture", Call::graph, kAnywhere);
  *graph = nullptr;
  cudaStream_t stream = checked(handle);
  if (!stream) return remember(cudaErrorInvalidResourceHandle);
  if (!entry.error()) return remember(end_capture(*stream, graph));
  // A call that fails ends the capture all the same: correct code has nothing else to call.
  if (stream->capture) {
    stream->capture->valid = false;
    cudaGraph_t ignored = nullptr;
    end_capture(*stream, &ignored);
  }
  return entry.error();
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return enter("cudaStreamIsCapturing", Call::graph, kAnywhere, [&] {
    const CUstream_st* stream = checked(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    *status = !stream->capture         ? cudaStreamCaptureStatusNone
              : stream->capture->valid ? cudaStreamCaptureStatusActive
                                       : cudaStreamCaptureStatusInvalidated;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned) {
  return enter("cudaGraphCreate", Call::graph, kAnywhere, [&] {
    adopt_graph(*graph = new CUgraph_st);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return enter("cudaGraphDestroy", Call::graph, kCleansUp, [&] {
    if (!graphs.erase(graph))
      return refuse(cudaErrorInvalidValue, Finding::bad_argument, "cudaGraphDestroy of no graph");
    abandon_captures_into(graph);
    delete graph;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphConditionalHandleCreate(cudaGraphConditionalHandle* handle, cudaGraph_t graph, unsigned at_launch,
                                             unsigned flags) {
  return enter("cudaGraphConditionalHandleCreate", Call::graph, kAnywhere, [&] {
    conditions.push_back({at_launch, at_launch, (flags & cudaGraphCondAssignDefault) != 0, graph});
    graph->conditions.push_back(conditions.size() - 1);
    *handle = conditions.size();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphAddNode(cudaGraphNode_t* result, cudaGraph_t graph, const cudaGraphNode_t* dependencies,
                             const cudaGraphEdgeData*, std::size_t count, cudaGraphNodeParams* parameters) {
  return enter("cudaGraphAddNode", Call::graph, kAnywhere, [&] {
    auto node = std::make_unique<CUgraphNode_st>();
    node->name = "an empty node";
    node->run = nothing;
    node->work = false;
    node->dependencies.assign(dependencies, dependencies + count);
    if (parameters->type == cudaGraphNodeTypeConditional) {
      cudaConditionalNodeParams& c = parameters->conditional;
      const Condition* condition = find_condition(c.handle);
      const bool known_type = c.type == cudaGraphCondTypeIf || c.type == cudaGraphCondTypeWhile;
      if (!condition || condition->graph != graph || c.size != 1 || !known_type)
        return refuse(cudaErrorInvalidValue, Finding::bad_argument, "a conditional node's handle, type or size");
      graph->bodies.push_back(std::make_unique<CUgraph_st>());
      node->body = graph->bodies.back().get();
      node->condition = c.handle;
      node->loop = c.type == cudaGraphCondTypeWhile;
      node->name = node->loop ? "a WHILE node" : "an IF node";
      c.phGraph_out = &node->body;
    } else if (parameters->type != cudaGraphNodeTypeEmpty) {
      return refuse(cudaErrorNotSupported, Finding::bad_argument, "nodes of this type are not emulated: capture them");
    }
    *result = node.get();
    graph->nodes.push_back(std::move(node));
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return enter("cudaGraphInstantiate", Call::graph, kAnywhere, [&] {
    if (is_capturing_into(graph))
      return refuse(cudaErrorInvalidValue, Finding::illegal_in_capture, "a graph that is still captured into");
    if (const CUgraphNode_st* node = forbidden_in_body(*graph))
      return refuse(cudaErrorNotSupported, Finding::illegal_in_body, node->name);
    *executable = new CUgraphExec_st{std::make_shared<CUgraph_st>(), nullptr};
    copy_graph(*graph, *(*executable)->graph);
    executables.insert(*executable);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return enter("cudaGraphExecDestroy", Call::graph, kCleansUp, [&] {
    if (!executables.erase(executable))
      return refuse(cudaErrorInvalidValue, Finding::bad_argument, "cudaGraphExecDestroy of no executable graph");
    delete executable;  // launches hold what they need
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  return enter("cudaGraphLaunch", Call::launch, kAnywhere, [&] {
    cudaStream_t stream = checked(handle);
    if (!stream || !executables.count(executable))
      return refuse(cudaErrorInvalidResourceHandle, Finding::bad_argument, "cudaGraphLaunch of no executable graph");
    if (stream->capture)
      return spoil_capture(stream->capture, cudaErrorNotSupported, "cudaGraphLaunch in a capture is not emulated");
    const auto run = [graph = executable->graph](Operation& launch) {
      if (launch.rounds++) return true;
      reset_conditions(*graph);
      spawn_nodes(*graph, launch);
      return launch.waits_for == 0;
    };
    std::vector<OperationPtr> after;  // an executable graph never overlaps itself
    if (executable->last) after.push_back(executable->last);
    Enqueued launched =
        enqueue(*stream, {.name = "cudaGraphLaunch", .run = run, .work = false, .after = std::move(after)});
    if (launched.operation) executable->last = launched.operation;
    return launched.error;
  });
}

void cudaGraphSetConditional(cudaGraphConditionalHandle handle, unsigned value) {
  if (!current_thread()) return report(Finding::forbidden_call, "cudaGraphSetConditional from host code");
  Condition* condition = find_condition(handle);
  if (!condition) kernel_fault(Finding::bad_argument, "cudaGraphSetConditional of a handle that was never created");
  condition->value = value;
}
