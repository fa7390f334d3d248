// SPDX-License-Identifier: Apache-2.0
// What the calls of the runtime mean, and what they refuse.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <cublas_v2.h>
#include <gtest/gtest.h>

#include <set>

namespace {

using emulator::Delay;
using emulator::Finding;
using programs::DeviceArray;
using programs::Event;
using programs::launch;
using programs::PinnedArray;
using programs::Stream;

__global__ void assign(int* x, int value) { *x = value; }
__global__ void twice_plus_one(int* x) { *x = 2 * *x + 1; }
__constant__ int factors[4];
__global__ void times_constant(int* x) { *x *= factors[2]; }

class Runtime : public testing::Test {
 protected:
  void SetUp() override { emulator::reset(); }
  void TearDown() override { emulator::reset(); }
  static void reset(Delay delay, unsigned seed = 1) {
    emulator::Options o;
    o.delay = delay;
    o.seed = seed;
    emulator::reset(o);
  }
  static bool found(Finding finding) { return emulator::reported(finding); }
};

int read(const int* device) {
  int value = 0;
  programs::check(cudaDeviceSynchronize());
  programs::check(cudaMemcpy(&value, device, sizeof value, cudaMemcpyDeviceToHost));
  return value;
}

// ---- time

TEST_F(Runtime, CopiesOfPinnedMemoryReadWhenTheyRun) {
  reset(Delay::lazy);
  const DeviceArray<int> x(1);
  const PinnedArray<int> source(1);
  *source.data() = 7;
  programs::check(cudaMemcpyAsync(x.data(), source.data(), sizeof(int), cudaMemcpyHostToDevice, nullptr));
  *source.data() = 9;
  EXPECT_EQ(read(x.data()), 9);
  EXPECT_TRUE(found(Finding::source_changed) || found(Finding::unordered_access));
}

TEST_F(Runtime, CopiesOfPageableMemoryAreStaged) {
  reset(Delay::lazy);
  const DeviceArray<int> x(1);
  int source = 7;
  programs::check(cudaMemcpyAsync(x.data(), &source, sizeof(int), cudaMemcpyHostToDevice, nullptr));
  source = 9;
  EXPECT_EQ(read(x.data()), 7);
  EXPECT_EQ(emulator::reports().size(), 0u);
}

TEST_F(Runtime, UnorderedStreamsRunInBothOrders) {
  std::set<int> results;
  for (unsigned seed = 0; seed < 32; ++seed) {
    reset(Delay::uniform, seed);
    const DeviceArray<int> x(std::vector<int>{0});
    const Stream a, b;
    const programs::Quiesce quiesce;
    static_cast<void>(launch(assign, 1, 1, 0, a.handle, x.data(), 5));
    static_cast<void>(launch(twice_plus_one, 1, 1, 0, b.handle, x.data()));
    if (cudaDeviceSynchronize() != cudaSuccess) continue;  // the checker has stopped it
    results.insert(read(x.data()));
  }
  if (!emulator::kInstrumented) {
    EXPECT_EQ(results, (std::set<int>{5, 11}));
  }
}

TEST_F(Runtime, BlockingStreamsAreOrderedWithTheLegacyStream) {
  for (unsigned seed = 0; seed < 32; ++seed) {
    emulator::reset(emulator::options_for(seed));
    const DeviceArray<int> x(1);
    cudaStream_t a, b;
    programs::check(cudaStreamCreate(&a));
    programs::check(cudaStreamCreate(&b));
    programs::check(launch(assign, 1, 1, 0, a, x.data(), 5));
    programs::check(launch(twice_plus_one, 1, 1, 0, nullptr, x.data()));
    programs::check(launch(twice_plus_one, 1, 1, 0, b, x.data()));
    EXPECT_EQ(read(x.data()), 23) << "seed " << seed;
    EXPECT_EQ(cudaStreamDestroy(a), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(b), cudaSuccess);
    EXPECT_EQ(emulator::reports().size(), 0u);
  }
}

TEST_F(Runtime, EventsOrderStreams) {
  for (unsigned seed = 0; seed < 32; ++seed) {
    emulator::reset(emulator::options_for(seed));
    const DeviceArray<int> x(1);
    const Stream a, b;
    const Event done;
    const programs::Quiesce quiesce;
    programs::check(cudaStreamWaitEvent(b.handle, done.handle, 0));  // never recorded: no effect
    programs::check(launch(assign, 1, 1, 0, a.handle, x.data(), 5));
    programs::check(cudaEventRecord(done.handle, a.handle));
    programs::check(cudaStreamWaitEvent(b.handle, done.handle, 0));
    programs::check(launch(twice_plus_one, 1, 1, 0, b.handle, x.data()));
    while (cudaStreamQuery(b.handle) == cudaErrorNotReady) {
    }
    EXPECT_EQ(cudaEventQuery(done.handle), cudaSuccess);
    EXPECT_EQ(read(x.data()), 11) << "seed " << seed;
    EXPECT_EQ(emulator::reports().size(), 0u);
  }
}

TEST_F(Runtime, EventsMeasureTime) {
  cudaEvent_t first, second;
  programs::check(cudaEventCreate(&first));
  programs::check(cudaEventCreate(&second));
  const DeviceArray<int> x(1);
  programs::check(cudaEventRecord(first));
  programs::check(launch(assign, 1, 1, 0, nullptr, x.data(), 1));
  programs::check(cudaEventRecord(second));
  programs::check(cudaEventSynchronize(second));
  float milliseconds = 0;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, first, second), cudaSuccess);
  EXPECT_GT(milliseconds, 0);
  programs::check(cudaEventDestroy(first));
  programs::check(cudaEventDestroy(second));
}

TEST_F(Runtime, HostFunctionsMayNotCallTheRuntime) {
  const Stream stream;
  static bool ran;
  ran = false;
  const auto function = [](void*) {
    int* pointer = nullptr;
    EXPECT_EQ(cudaMalloc(&pointer, 4), cudaErrorNotPermitted);
    ran = true;
  };
  programs::check(cudaLaunchHostFunc(stream.handle, function, nullptr));
  programs::check(cudaStreamSynchronize(stream.handle));
  EXPECT_TRUE(ran);
  EXPECT_TRUE(found(Finding::forbidden_call));
}

TEST_F(Runtime, ConstantsAreCopiedInStreamOrder) {
  const DeviceArray<int> x(std::vector<int>{2});
  const int values[] = {0, 1, 21, 3};
  programs::check(cudaMemcpyToSymbol(factors, values, sizeof values));
  programs::check(launch(times_constant, 1, 1, 0, nullptr, x.data()));
  EXPECT_EQ(read(x.data()), 42);
  EXPECT_EQ(emulator::reports().size(), 0u);
  static int ordinary[4];
  EXPECT_EQ(cudaMemcpyToSymbol(ordinary, values, sizeof values), cudaErrorInvalidSymbol);
  EXPECT_EQ(cudaMemcpyToSymbol(factors, values, sizeof values, 4), cudaErrorInvalidValue) << "past its end";
}

TEST_F(Runtime, ConstantsHaveALimit) {
  emulator::Options o;
  o.architecture.constant_bytes = sizeof factors - 1;
  emulator::reset(o);
  const DeviceArray<int> x(1);
  EXPECT_EQ(launch(assign, 1, 1, 0, nullptr, x.data(), 1), cudaErrorInvalidSymbol);
  EXPECT_TRUE(found(Finding::constant_memory_limit));
}

// ---- memory

TEST_F(Runtime, CopiesAreChecked) {
  const DeviceArray<int> x(4);
  int host[8] = {};
  EXPECT_EQ(cudaMemcpy(x.data(), host, 20, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_TRUE(found(Finding::out_of_bounds));
  EXPECT_EQ(cudaMemcpy(x.data(), host, 16, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_TRUE(found(Finding::bad_argument));
  EXPECT_EQ(cudaMemset(host, 0, 16), cudaErrorInvalidValue);
  EXPECT_TRUE(found(Finding::host_pointer));
  EXPECT_EQ(cudaMemcpy(host, x.data(), 0, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

__global__ void mark_far(char* bytes, std::int64_t first) {
  bytes[first + threadIdx.x] = static_cast<char>(threadIdx.x);
}

TEST_F(Runtime, OffsetsBeyondTwoToThe31) {
  emulator::Options o;
  o.device_bytes = std::size_t(5) << 30;
  emulator::reset(o);
  const std::int64_t first = (std::int64_t(1) << 32) - 3;
  const DeviceArray<char> large(first + 8);
  programs::check(launch(mark_far, 1, 8, 0, nullptr, large.data(), first));
  char got[8];
  programs::check(cudaMemcpy(got, large.data() + first, sizeof got, cudaMemcpyDeviceToHost));
  EXPECT_EQ(std::string(got, 8), std::string("\0\1\2\3\4\5\6\7", 8));
}

TEST_F(Runtime, FreeingIsChecked) {
  int* x = nullptr;
  int* pinned = nullptr;
  programs::check(cudaMalloc(&x, 64));
  programs::check(cudaHostAlloc(&pinned, 64, cudaHostAllocDefault));
  EXPECT_EQ(cudaFree(x + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(pinned), cudaErrorInvalidValue);
  EXPECT_TRUE(found(Finding::bad_free));
  EXPECT_EQ(emulator::leaks().size(), 2u);
  EXPECT_EQ(cudaFree(x), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
  EXPECT_EQ(emulator::leaks().size(), 0u);
  EXPECT_FALSE(found(Finding::double_free));
  EXPECT_EQ(cudaFree(x), cudaErrorInvalidValue);
  EXPECT_TRUE(found(Finding::double_free));
  EXPECT_EQ(cudaMemset(x, 0, 4), cudaErrorInvalidValue);
  EXPECT_TRUE(found(Finding::use_after_free));
}

TEST_F(Runtime, LeaksAreListed) {
  int* x = nullptr;
  cudaStream_t stream;
  cudaEvent_t event;
  cudaGraph_t graph;
  cublasHandle_t handle;
  programs::check(cudaMalloc(&x, 64));
  programs::check(cudaStreamCreate(&stream));
  programs::check(cudaEventCreate(&event));
  programs::check(cudaGraphCreate(&graph, 0));
  EXPECT_EQ(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(emulator::leaks().size(), 5u);
  EXPECT_NE(emulator::verdict().find("leak: device allocation #1 (64 bytes)"), std::string::npos);
  EXPECT_EQ(cublasDestroy(handle), CUBLAS_STATUS_SUCCESS);
  programs::check(cudaGraphDestroy(graph));
  programs::check(cudaEventDestroy(event));
  programs::check(cudaStreamDestroy(stream));
  programs::check(cudaFree(x));
  EXPECT_EQ(emulator::verdict(), "");
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(event), cudaErrorInvalidResourceHandle);
}

TEST_F(Runtime, AllocationsInStreamOrder) {
  int* x = nullptr;
  const Stream stream, other;
  programs::check(cudaMallocAsync(&x, sizeof(int), stream.handle));
  programs::check(launch(assign, 1, 1, 0, stream.handle, x, 3));
  programs::check(cudaFreeAsync(x, stream.handle));
  programs::check(cudaStreamSynchronize(stream.handle));
  EXPECT_EQ(emulator::verdict().find("device allocation"), std::string::npos);
  programs::check(cudaMallocAsync(&x, sizeof(int), stream.handle));
  programs::check(cudaMemsetAsync(x, 0, sizeof(int), other.handle));
  programs::check(cudaDeviceSynchronize());
  EXPECT_TRUE(found(Finding::unordered_access));
  programs::check(cudaFree(x));
}

TEST_F(Runtime, PageableMemoryIsNotForKernels) {
  int on_host = 0;
  EXPECT_EQ(launch(assign, 1, 1, 0, nullptr, &on_host, 1), cudaErrorInvalidValue);
  EXPECT_TRUE(found(Finding::host_pointer));
}

using RuntimeDeathTest = Runtime;

TEST_F(RuntimeDeathTest, HostTouchesDeviceMemory) {
  const DeviceArray<int> x(std::vector<int>{1});
  EXPECT_EXIT(std::exit(*static_cast<volatile int*>(x.data())), testing::ExitedWithCode(86),
              "host code touched device memory: device allocation #1 \\(4 bytes\\) \\+ 0");
}
TEST_F(RuntimeDeathTest, HostTouchesFreedPinnedMemory) {
  int* x = nullptr;
  programs::check(cudaHostAlloc(&x, 64, cudaHostAllocDefault));
  programs::check(cudaFreeHost(x));
  EXPECT_EXIT(std::exit(*static_cast<volatile int*>(x)), testing::ExitedWithCode(86), "freed pinned allocation");
}

// ---- cuBLAS

TEST_F(Runtime, MatrixProducts) {
  const int m = 3, n = 2, k = 4, batch = 2;
  std::vector<double> a(m * k * batch), b(k * n * batch), c(m * n * batch, 1.0);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(double(i));
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = std::cos(double(i));
  const DeviceArray<double> da(a), db(b), dc(c);
  const Stream stream;
  const programs::Quiesce quiesce;
  cublasHandle_t handle;
  ASSERT_EQ(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cublasSetStream(handle, stream.handle), CUBLAS_STATUS_SUCCESS);
  const double alpha = 2, beta = -1;
  // op(A) is A' stored k x m; op(B) is B stored k x n.
  ASSERT_EQ(cublasDgemmStridedBatched(handle, CUBLAS_OP_T, CUBLAS_OP_N, m, n, k, &alpha, da.data(), k, m * k, db.data(),
                                      k, k * n, &beta, dc.data(), m, m * n, batch),
            CUBLAS_STATUS_SUCCESS);
  programs::check(cudaStreamSynchronize(stream.handle));
  const std::vector<double> got = dc.get();
  for (int q = 0; q < batch; ++q)
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) {
        double sum = 0;
        for (int l = 0; l < k; ++l) sum += a[q * m * k + i * k + l] * b[q * k * n + j * k + l];
        EXPECT_NEAR(got[q * m * n + j * m + i], 2 * sum - 1, 1e-14);
      }
  EXPECT_EQ(
      cublasDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &alpha, da.data(), 1, db.data(), k, &beta, dc.data(), m),
      CUBLAS_STATUS_INVALID_VALUE)
      << "a leading dimension below the rows";
  EXPECT_EQ(cublasDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 30, n, k, &alpha, da.data(), 30, db.data(), k, &beta,
                        dc.data(), 30),
            CUBLAS_STATUS_INVALID_VALUE)
      << "past the end of the matrices";
  EXPECT_TRUE(found(Finding::out_of_bounds));
  ASSERT_EQ(cublasDestroy(handle), CUBLAS_STATUS_SUCCESS);
}

}  // namespace
