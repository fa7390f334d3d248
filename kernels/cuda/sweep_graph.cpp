// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/sweep_graph.hpp"

#include "kernels/cuda/interpret.hpp"

namespace cavi::kernels::cuda {

SweepGraph::SweepGraph(const LaunchPlan& sweep, const Group& group, const Stream& stream) {
  cudaGraph_t graph = nullptr;
  check(cudaGraphCreate(&graph, 0), "creating a graph");
  graph_.reset(graph);
  cudaGraphConditionalHandle go_on;
  check(cudaGraphConditionalHandleCreate(&go_on, graph, 1, cudaGraphCondAssignDefault), "creating a condition");
  cudaGraphNodeParams loop{};
  loop.type = cudaGraphNodeTypeConditional;
  loop.conditional.handle = go_on;
  loop.conditional.type = cudaGraphCondTypeWhile;
  loop.conditional.size = 1;
  cudaGraphNode_t node;
#if !defined(CUDART_VERSION) || CUDART_VERSION >= 13000
  check(cudaGraphAddNode(&node, graph, nullptr, nullptr, 0, &loop), "adding a WHILE node");
#else
  check(cudaGraphAddNode(&node, graph, nullptr, 0, &loop), "adding a WHILE node");
#endif
  cudaGraph_t body = loop.conditional.phGraph_out[0];
  check(cudaStreamBeginCaptureToGraph(stream, body, nullptr, nullptr, 0, cudaStreamCaptureModeThreadLocal),
        "recording a sweep");
  try {
    sweep.enqueue(group, stream);
    check(enqueue_go_on(group.problems, group.count, go_on, stream), "recording a sweep");
  } catch (...) {
    static_cast<void>(cudaStreamEndCapture(stream, &body));
    static_cast<void>(cudaGetLastError());
    throw;
  }
  check(cudaStreamEndCapture(stream, &body), "recording a sweep");
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph, 0), "making a graph of sweeps");
  executable_.reset(executable);
}

}  // namespace cavi::kernels::cuda
