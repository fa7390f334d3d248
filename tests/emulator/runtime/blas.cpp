// SPDX-License-Identifier: Apache-2.0
#include "emulator/report.hpp"
#include "emulator/runtime/entry.hpp"
#include "emulator/runtime/library.hpp"
#include "emulator/shadow/cublas_v2.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasPointerMode_t mode = CUBLAS_POINTER_MODE_HOST;
};

namespace emulator {
namespace {

cublasStatus_t status_of(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return CUBLAS_STATUS_SUCCESS;
    case cudaErrorMemoryAllocation: return CUBLAS_STATUS_ALLOC_FAILED;
    case cudaErrorInvalidValue: return CUBLAS_STATUS_INVALID_VALUE;
    default: return CUBLAS_STATUS_EXECUTION_FAILED;
  }
}

template <class T>
struct Factor {
  const T* data;
  bool transposed;
  long long leading, stride;
  T at(int batch, int row, int column) const {
    if (transposed) std::swap(row, column);
    return data[batch * stride + row + column * leading];
  }
};

template <class T>
struct Product {
  int m, n, k, batch;
  const T *alpha, *beta;
  Factor<T> a, b;
  T* c;
  long long leading, stride;
};

template <class T>
std::size_t span(const Product<T>& p, long long rows, long long columns, long long leading, long long stride) {
  return (stride * (p.batch - 1) + leading * (columns - 1) + rows) * sizeof(T);
}
template <class T>
Range range_of(const Product<T>& p, const Factor<T>& f, int rows, int columns) {
  if (f.transposed) std::swap(rows, columns);
  return {f.data, span(p, rows, columns, f.leading, f.stride), false};
}

template <class T>
void multiply(const Product<T>& p, T alpha, T beta) {
  for (int q = 0; q < p.batch; ++q)
    for (int j = 0; j < p.n; ++j)
      for (int i = 0; i < p.m; ++i) {
        T sum = 0;
        for (int l = 0; l < p.k; ++l) sum += p.a.at(q, i, l) * p.b.at(q, l, j);
        T& c = p.c[q * p.stride + i + j * p.leading];
        c = alpha * sum + (beta == 0 ? T(0) : beta * c);
      }
}

template <class T>
cublasStatus_t product(const char* call, cublasHandle_t handle, const Product<T>& p) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (p.m < 0 || p.n < 0 || p.k < 0 || p.batch < 0 || p.a.leading < std::max(1, p.a.transposed ? p.k : p.m) ||
      p.b.leading < std::max(1, p.b.transposed ? p.n : p.k) || p.leading < std::max(1, p.m)) {
    report(Finding::bad_argument, std::string(call) + ": sizes or leading dimensions");
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!p.m || !p.n || !p.batch) return CUBLAS_STATUS_SUCCESS;
  std::vector<Range> ranges{{p.c, span(p, p.m, p.n, p.leading, p.stride), true}};
  if (p.k) {
    ranges.push_back(range_of(p, p.a, p.m, p.k));
    ranges.push_back(range_of(p, p.b, p.k, p.n));
  }
  // Host scalars are read at the call, device scalars when the product runs.
  const bool scalars_on_device = handle->mode == CUBLAS_POINTER_MODE_DEVICE;
  const T alpha = scalars_on_device ? T() : *p.alpha, beta = scalars_on_device ? T() : *p.beta;
  if (scalars_on_device) {
    ranges.push_back({p.alpha, sizeof(T), false});
    ranges.push_back({p.beta, sizeof(T), false});
  }
  return status_of(library_call(handle->stream, call, ranges, [=] {
    multiply(p, scalars_on_device ? *p.alpha : alpha, scalars_on_device ? *p.beta : beta);
  }));
}

}  // namespace
}  // namespace emulator

using namespace emulator;

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  return status_of(enter("cublasCreate", Call::library, kNotInCapture, [&] {
    *handle = new cublasContext;
    count_handles("cuBLAS handles", 1);
    return cudaSuccess;
  }));
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  return status_of(enter("cublasDestroy", Call::library, kCleansUp, [&] {
    delete handle;
    count_handles("cuBLAS handles", -1);
    return cudaSuccess;
  }));
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->mode = mode;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "the operation completed successfully";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED: return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE: return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "the GPU program failed to execute";
  }
  return "unknown status";
}

#define EMULATOR_GEMM(T, name)                                                                                         \
  cublasStatus_t name(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,  \
                      const T* alpha, const T* a, int lda, const T* b, int ldb, const T* beta, T* c, int ldc) {        \
    return product<T>(                                                                                                 \
        #name, handle,                                                                                                 \
        {m, n, k, 1, alpha, beta, {a, transa != CUBLAS_OP_N, lda, 0}, {b, transb != CUBLAS_OP_N, ldb, 0}, c, ldc, 0}); \
  }                                                                                                                    \
  cublasStatus_t name##StridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,       \
                                      int m, int n, int k, const T* alpha, const T* a, int lda, long long stride_a,    \
                                      const T* b, int ldb, long long stride_b, const T* beta, T* c, int ldc,           \
                                      long long stride_c, int batch) {                                                 \
    return product<T>(#name "StridedBatched", handle,                                                                  \
                      {m,                                                                                              \
                       n,                                                                                              \
                       k,                                                                                              \
                       batch,                                                                                          \
                       alpha,                                                                                          \
                       beta,                                                                                           \
                       {a, transa != CUBLAS_OP_N, lda, stride_a},                                                      \
                       {b, transb != CUBLAS_OP_N, ldb, stride_b},                                                      \
                       c,                                                                                              \
                       ldc,                                                                                            \
                       stride_c});                                                                                     \
  }
EMULATOR_GEMM(float, cublasSgemm)
EMULATOR_GEMM(double, cublasDgemm)
