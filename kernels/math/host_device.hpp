// SPDX-License-Identifier: Apache-2.0
/// \file
/// One text for both compilers. A linker merges inline functions of the same name, so what nvcc compiles for the host
/// lives in an inline namespace of its own and never replaces what g++ made, or the other way round.
///
/// CAVI_OUT_OF_LINE: a function of its own in a kernel. Over kernels that hold many of such size ptxas takes minutes.
#pragma once

#ifdef __CUDACC__
#define CAVI_HOST_DEVICE __host__ __device__
#define CAVI_OUT_OF_LINE __noinline__
#define CAVI_COMPILER nvcc
#else
#define CAVI_HOST_DEVICE
#define CAVI_OUT_OF_LINE
#define CAVI_COMPILER host
#endif
