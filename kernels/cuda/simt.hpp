// SPDX-License-Identifier: Apache-2.0
/// \file
/// The one header a kernel body includes. Under nvcc it is CUDA; under a plain C++ compiler that finds the emulator's
/// <cuda_runtime.h> first, the same body runs on the emulated device (tests/emulator/README.md).
///
/// Shared memory is declared through two macros, because a plain compiler has no word for it:
///
///     CAVI_SHARED(float, tile, [16][17]);     // float tile[16][17]
///     CAVI_DYNAMIC_SHARED(std::byte, pool);   // std::byte* pool, of the size given at launch, aligned to 16 bytes
#pragma once

#include <cuda_runtime.h>

#if defined(__CUDACC__)
#define CAVI_SHARED(type, name, ...) __shared__ type name __VA_ARGS__
// One name for the whole program: two declarations of different type would clash.
#define CAVI_DYNAMIC_SHARED(type, name)                                 \
  extern __shared__ __align__(16) unsigned char cavi_dynamic_shared_[]; \
  type* name = reinterpret_cast<type*>(cavi_dynamic_shared_)
// A pointer that came out of memory: says where it points, so that loads need not find out.
#define CAVI_ASSUME_GLOBAL(pointer) __builtin_assume(__isGlobal(pointer))
#elif defined(CUDA_EMULATOR)
#define CAVI_SHARED(type, name, ...) EMULATOR_SHARED(type, name, __VA_ARGS__)
#define CAVI_DYNAMIC_SHARED(type, name) EMULATOR_DYNAMIC_SHARED(type, name)
#define CAVI_ASSUME_GLOBAL(pointer) static_cast<void>(pointer)
#endif
// A host compiler with the toolkit's <cuda_runtime.h> sees neither: it can use the structs that kernels share with the
// host, and has no kernels.
