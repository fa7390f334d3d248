// SPDX-License-Identifier: Apache-2.0
// Capture, graphs and conditional nodes: what they mean, and what they refuse.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace {

using emulator::Finding;
using programs::DeviceArray;
using programs::Event;
using programs::launch;
using programs::Stream;

__global__ void assign(int* x, int value) { *x = value; }
__global__ void twice_plus_one(int* x) { *x = 2 * *x + 1; }

class Graphs : public testing::Test {
 protected:
  void SetUp() override { emulator::reset(); }
  void TearDown() override { emulator::reset(); }
  static bool found(Finding finding) { return emulator::reported(finding); }
};

int read(const int* device) {
  int value = 0;
  programs::check(cudaDeviceSynchronize());
  programs::check(cudaMemcpy(&value, device, sizeof value, cudaMemcpyDeviceToHost));
  return value;
}

cudaError_t capture(cudaStream_t stream, cudaGraph_t* graph, const std::function<void()>& body) {
  programs::check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  body();
  return cudaStreamEndCapture(stream, graph);
}

TEST_F(Graphs, CaptureForksAndJoins) {
  for (unsigned seed = 0; seed < 16; ++seed) {
    emulator::reset(emulator::options_for(seed));
    const DeviceArray<int> x(1);
    const Stream a, b;
    const Event forked, joined;
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    const auto body = [&] {
      programs::check(launch(assign, 1, 1, 0, a.handle, x.data(), 5));
      programs::check(cudaEventRecord(forked.handle, a.handle));
      programs::check(cudaStreamWaitEvent(b.handle, forked.handle, 0));
      programs::check(launch(twice_plus_one, 1, 1, 0, b.handle, x.data()));
      programs::check(cudaEventRecord(joined.handle, b.handle));
      programs::check(cudaStreamWaitEvent(a.handle, joined.handle, 0));
    };
    ASSERT_EQ(capture(a.handle, &graph, body), cudaSuccess);
    programs::check(cudaGraphInstantiate(&executable, graph, 0));
    for (int i = 0; i < 2; ++i) {
      programs::check(cudaGraphLaunch(executable, a.handle));
      EXPECT_EQ(read(x.data()), 11);
    }
    programs::check(cudaGraphExecDestroy(executable));
    programs::check(cudaGraphDestroy(graph));
    EXPECT_EQ(emulator::reports().size(), 0u);
  }
}

TEST_F(Graphs, CaptureRefusesWhatCannotBeCaptured) {
  const DeviceArray<int> x(1);
  const Stream a, b;
  const Event event;
  cudaGraph_t graph = nullptr;
  const auto invalidated_by = [&](cudaError_t expected, const std::function<cudaError_t()>& call) {
    emulator::clear_reports();
    EXPECT_EQ(capture(a.handle, &graph, [&] { EXPECT_EQ(call(), expected); }), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    EXPECT_TRUE(found(Finding::illegal_in_capture));
  };
  invalidated_by(cudaErrorStreamCaptureUnsupported, [&] { return cudaStreamSynchronize(a.handle); });
  invalidated_by(cudaErrorStreamCaptureUnsupported, [&] { return cudaDeviceSynchronize(); });
  invalidated_by(cudaErrorStreamCaptureUnsupported, [&] {
    int* pointer = nullptr;
    return cudaMalloc(&pointer, 4);
  });
  invalidated_by(cudaErrorStreamCaptureUnsupported, [&] { return cudaMemset(x.data(), 0, 4); });
  invalidated_by(cudaErrorStreamCaptureIsolation, [&] {
    programs::check(cudaEventRecord(event.handle, b.handle));
    return cudaStreamWaitEvent(a.handle, event.handle, 0);
  });
  invalidated_by(cudaErrorCapturedEvent, [&] {
    programs::check(cudaEventRecord(event.handle, a.handle));
    return cudaEventSynchronize(event.handle);
  });
  const auto unjoined = [&] {
    programs::check(cudaEventRecord(event.handle, a.handle));
    programs::check(cudaStreamWaitEvent(b.handle, event.handle, 0));
    programs::check(launch(assign, 1, 1, 0, b.handle, x.data(), 5));
  };
  EXPECT_EQ(capture(a.handle, &graph, unjoined), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeRelaxed), cudaErrorStreamCaptureUnsupported);
}

cudaGraph_t while_body(cudaGraph_t graph, cudaGraphConditionalHandle* handle) {
  programs::check(cudaGraphConditionalHandleCreate(handle, graph, 1, cudaGraphCondAssignDefault));
  cudaGraphNodeParams loop{};
  loop.type = cudaGraphNodeTypeConditional;
  loop.conditional.handle = *handle;
  loop.conditional.type = cudaGraphCondTypeWhile;
  loop.conditional.size = 1;
  cudaGraphNode_t node;
  programs::check(cudaGraphAddNode(&node, graph, nullptr, nullptr, 0, &loop));
  return loop.conditional.phGraph_out[0];
}

TEST_F(Graphs, ConditionalBodiesHoldNoHostWork) {
  const DeviceArray<int> x(1);
  const Stream stream;
  int pageable = 0;
  const std::function<cudaError_t()> forbidden[] = {
      [&] {
        return cudaLaunchHostFunc(
            stream.handle, [](void*) {}, nullptr);
      },
      [&] { return cudaMemcpyAsync(&pageable, x.data(), 4, cudaMemcpyDeviceToHost, stream.handle); }};
  for (const auto& call : forbidden) {
    emulator::clear_reports();
    cudaGraph_t graph;
    cudaGraphConditionalHandle handle;
    programs::check(cudaGraphCreate(&graph, 0));
    cudaGraph_t body = while_body(graph, &handle);
    programs::check(
        cudaStreamBeginCaptureToGraph(stream.handle, body, nullptr, nullptr, 0, cudaStreamCaptureModeThreadLocal));
    EXPECT_EQ(call(), cudaSuccess);
    programs::check(cudaStreamEndCapture(stream.handle, &body));
    cudaGraphExec_t executable = nullptr;
    EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaErrorNotSupported);
    EXPECT_TRUE(found(Finding::illegal_in_body));
    programs::check(cudaGraphDestroy(graph));
  }
}

TEST_F(Graphs, EndlessLoopsEnd) {
  emulator::Options o;
  o.max_while = 10;
  emulator::reset(o);
  const DeviceArray<int> x(1);
  const Stream stream;
  cudaGraph_t graph;
  cudaGraphConditionalHandle handle;
  programs::check(cudaGraphCreate(&graph, 0));
  cudaGraph_t body = while_body(graph, &handle);
  programs::check(
      cudaStreamBeginCaptureToGraph(stream.handle, body, nullptr, nullptr, 0, cudaStreamCaptureModeThreadLocal));
  programs::check(launch(assign, 1, 1, 0, stream.handle, x.data(), 5));
  programs::check(cudaStreamEndCapture(stream.handle, &body));
  cudaGraphExec_t executable;
  programs::check(cudaGraphInstantiate(&executable, graph, 0));
  programs::check(cudaGraphLaunch(executable, stream.handle));
  EXPECT_EQ(cudaStreamSynchronize(stream.handle), cudaErrorLaunchFailure);
  EXPECT_TRUE(found(Finding::endless_loop));
  cudaGraphSetConditional(handle, 0);
  EXPECT_TRUE(found(Finding::forbidden_call));
}

}  // namespace
