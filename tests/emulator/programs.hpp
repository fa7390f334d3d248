// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small legal programs, kernels and host code, that build for a GPU and for the emulated device from this one source.
/// Each gives the same bits however it is scheduled.
#pragma once

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/simt.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace programs {

using cavi::kernels::cuda::launch;

inline void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t size) : size_(size) { check(cudaMalloc(&data_, size * sizeof(T))); }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    check(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~DeviceArray() { static_cast<void>(cudaFree(data_)); }
  DeviceArray(const DeviceArray&) = delete;
  T* data() const { return data_; }
  /// Waits for the legacy stream and blocking ones alone.
  std::vector<T> get() const {
    std::vector<T> values(size_);
    check(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

template <class T>
class PinnedArray {
 public:
  explicit PinnedArray(std::size_t size) { check(cudaHostAlloc(&data_, size * sizeof(T), cudaHostAllocMapped)); }
  ~PinnedArray() { static_cast<void>(cudaFreeHost(data_)); }
  PinnedArray(const PinnedArray&) = delete;
  T* data() const { return data_; }

 private:
  T* data_ = nullptr;
};

struct Stream {
  cudaStream_t handle = nullptr;
  Stream() { check(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking)); }
  ~Stream() { static_cast<void>(cudaStreamDestroy(handle)); }
  Stream(const Stream&) = delete;
};
struct Event {
  cudaEvent_t handle = nullptr;
  Event() { check(cudaEventCreateWithFlags(&handle, cudaEventDisableTiming)); }
  ~Event() { static_cast<void>(cudaEventDestroy(handle)); }
  Event(const Event&) = delete;
};
/// Declared after the buffers: on an error path too nothing is freed while work may use it.
struct Quiesce {
  ~Quiesce() { static_cast<void>(cudaDeviceSynchronize()); }
};

// ---- kernels

inline constexpr int kThreads = 128;
inline constexpr unsigned kAllLanes = 0xffffffffu;

template <class T>
__device__ T warp_sum(T value) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

/// One partial sum per block, in a fixed order.
static __global__ void partial_sums(const float* x, int n, float* partial) {
  CAVI_SHARED(float, of_warp, [kThreads / 32]);
  float sum = 0;
  for (int i = blockIdx.x * kThreads + threadIdx.x; i < n; i += gridDim.x * kThreads) sum += x[i];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0;
    for (float part : of_warp) total += part;
    partial[blockIdx.x] = total;
  }
}

/// The block that draws the last ticket adds the partial sums of all, in block order.
static __global__ void ticket_sum(const float* x, int n, float* partial, unsigned* ticket, float* total) {
  CAVI_SHARED(float, sums, [kThreads]);
  CAVI_SHARED(bool, last, [1]);
  float sum = 0;
  for (int i = blockIdx.x * kThreads + threadIdx.x; i < n; i += gridDim.x * kThreads) sum += x[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (int(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sums[0];
    __threadfence();  // the partial sum before the ticket
    last[0] = atomicAdd(ticket, 1u) == gridDim.x - 1;
    __threadfence();  // the ticket before the sums of others
  }
  __syncthreads();
  if (!last[0] || threadIdx.x != 0) return;
  float all = 0;
  for (unsigned b = 0; b < gridDim.x; ++b) all += partial[b];
  *total = all;
}

static __global__ void transpose(const float* in, float* out, int rows, int columns) {
  constexpr int kTile = 16;
  CAVI_SHARED(float, tile, [kTile][kTile + 1]);
  const int r = blockIdx.y * kTile + threadIdx.y, c = blockIdx.x * kTile + threadIdx.x;
  if (r < rows && c < columns) tile[threadIdx.y][threadIdx.x] = in[r * columns + c];
  __syncthreads();
  const int out_r = blockIdx.x * kTile + threadIdx.y, out_c = blockIdx.y * kTile + threadIdx.x;
  if (out_r < columns && out_c < rows) out[out_r * rows + out_c] = tile[threadIdx.x][threadIdx.y];
}

static __global__ void scale(const float* in, float* out, int n, float factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = factor * in[i];
}

/// x <- x + (goal - x) / 2 until it moves by no more than `tolerance`; the trace is read by the host.
static __global__ void halve_distance(float* x, float goal, float tolerance, int* round, float* trace,
                                      cudaGraphConditionalHandle go_on) {
  const float step = (goal - *x) / 2;
  *x += step;
  trace[*round] = *x;
  ++*round;
  cudaGraphSetConditional(go_on, step > tolerance ? 1 : 0);
}

// ---- programs

inline float reduce(const std::vector<float>& x, int blocks) {
  const DeviceArray<float> in(x), partial(blocks), total(1);
  const Quiesce quiesce;
  const int n = static_cast<int>(x.size());
  check(launch(partial_sums, blocks, kThreads, 0, nullptr, in.data(), n, partial.data()));
  check(launch(partial_sums, 1, kThreads, 0, nullptr, partial.data(), blocks, total.data()));
  return total.get()[0];
}

inline float reduce_by_ticket(const std::vector<float>& x, int blocks) {
  const DeviceArray<float> in(x), partial(blocks), total(1);
  const DeviceArray<unsigned> ticket(1);
  const Quiesce quiesce;
  check(cudaMemset(ticket.data(), 0, sizeof(unsigned)));
  check(launch(ticket_sum, blocks, kThreads, 0, nullptr, in.data(), static_cast<int>(x.size()), partial.data(),
               ticket.data(), total.data()));
  return total.get()[0];
}

inline std::vector<float> transposed(const std::vector<float>& x, int rows, int columns) {
  const DeviceArray<float> in(x), out(x.size());
  const Quiesce quiesce;
  check(launch(transpose, dim3((columns + 15) / 16, (rows + 15) / 16), dim3(16, 16), 0, nullptr, in.data(), out.data(),
               rows, columns));
  return out.get();
}

/// Scales x chunk by chunk: two streams, two pinned and two device slots, events in both directions.
/// `mistake` leaves one thing out, for tests of the emulator.
enum class Mistake {
  none,
  no_copy_wait,
  pinned_reused,
  slot_reused,
  no_final_wait,
  freed_early,
  wrong_stream,
  too_long,
  host_reads_device,
};
inline std::vector<float> pipeline(const std::vector<float>& x, int chunk, Mistake mistake = Mistake::none) {
  const int n = static_cast<int>(x.size());
  const PinnedArray<float> in0(chunk), in1(chunk), out(n);
  const DeviceArray<float> raw0(chunk), raw1(chunk), scaled(n);
  float *const pinned[] = {in0.data(), in1.data()}, *const raw[] = {raw0.data(), raw1.data()};
  const Stream copies, kernels;
  const Event copied[2], used[2];
  const Quiesce quiesce;
  for (int first = 0, turn = 0; first < n; first += chunk, ++turn) {
    const int slot = turn % 2, size = std::min(chunk, n - first);
    if (turn >= 2 && mistake != Mistake::pinned_reused) check(cudaEventSynchronize(copied[slot].handle));
    std::copy_n(x.begin() + first, size, pinned[slot]);
    if (turn >= 2 && mistake != Mistake::slot_reused) check(cudaStreamWaitEvent(copies.handle, used[slot].handle, 0));
    check(cudaMemcpyAsync(raw[slot], pinned[slot], (size + (mistake == Mistake::too_long)) * sizeof(float),
                          cudaMemcpyHostToDevice, copies.handle));
    check(cudaEventRecord(copied[slot].handle, copies.handle));
    if (mistake != Mistake::no_copy_wait) check(cudaStreamWaitEvent(kernels.handle, copied[slot].handle, 0));
    check(launch(scale, (size + 63) / 64, 64, 0, kernels.handle, raw[slot], scaled.data() + first, size, 3.0f));
    check(cudaEventRecord(used[slot].handle, kernels.handle));
  }
  if (mistake == Mistake::freed_early) {
    const DeviceArray<float> brief(n);
    check(launch(scale, (n + 63) / 64, 64, 0, kernels.handle, scaled.data(), brief.data(), n, 1.0f));
  }
  if (mistake == Mistake::host_reads_device) return {scaled.data(), scaled.data() + n};
  check(cudaMemcpyAsync(out.data(), scaled.data(), n * sizeof(float), cudaMemcpyDeviceToHost,
                        mistake == Mistake::wrong_stream ? copies.handle : kernels.handle));
  if (mistake != Mistake::no_final_wait) check(cudaStreamSynchronize(kernels.handle));
  if (mistake == Mistake::wrong_stream) check(cudaStreamSynchronize(copies.handle));
  return {out.data(), out.data() + n};
}

/// A WHILE node that the kernel in its body switches off; run twice from one executable graph.
inline std::vector<float> iterate(float goal, float tolerance, int max_rounds) {
  const Stream stream;
  const DeviceArray<float> x(1);
  const DeviceArray<int> round(1);
  const PinnedArray<float> trace(max_rounds);
  float* device_trace = nullptr;
  check(cudaHostGetDevicePointer(&device_trace, trace.data(), 0));
  const Quiesce quiesce;

  struct Graph {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    ~Graph() {
      if (executable) static_cast<void>(cudaGraphExecDestroy(executable));
      if (graph) static_cast<void>(cudaGraphDestroy(graph));
    }
  } g;
  check(cudaGraphCreate(&g.graph, 0));
  cudaGraphConditionalHandle go_on;
  check(cudaGraphConditionalHandleCreate(&go_on, g.graph, 1, cudaGraphCondAssignDefault));
  cudaGraphNodeParams loop{};
  loop.type = cudaGraphNodeTypeConditional;
  loop.conditional.handle = go_on;
  loop.conditional.type = cudaGraphCondTypeWhile;
  loop.conditional.size = 1;
  cudaGraphNode_t node;
  check(cudaGraphAddNode(&node, g.graph, nullptr, nullptr, 0, &loop));
  cudaGraph_t body = loop.conditional.phGraph_out[0];
  check(cudaStreamBeginCaptureToGraph(stream.handle, body, nullptr, nullptr, 0, cudaStreamCaptureModeThreadLocal));
  const cudaError_t launched =
      launch(halve_distance, 1, 1, 0, stream.handle, x.data(), goal, tolerance, round.data(), device_trace, go_on);
  check(cudaStreamEndCapture(stream.handle, &body));
  check(launched);
  check(cudaGraphInstantiate(&g.executable, g.graph, 0));

  std::vector<float> all;
  for (int run = 0; run < 2; ++run) {
    check(cudaMemsetAsync(x.data(), 0, sizeof(float), stream.handle));
    check(cudaMemsetAsync(round.data(), 0, sizeof(int), stream.handle));
    check(cudaGraphLaunch(g.executable, stream.handle));
    int rounds = 0;
    check(cudaMemcpyAsync(&rounds, round.data(), sizeof rounds, cudaMemcpyDeviceToHost, stream.handle));
    check(cudaStreamSynchronize(stream.handle));
    all.insert(all.end(), trace.data(), trace.data() + rounds);
  }
  return all;
}

}  // namespace programs
