// SPDX-License-Identifier: Apache-2.0
/// \file
/// The words that CUDA adds to C++, and the two macros behind which shared memory is declared.
#pragma once

#include "emulator/shared_memory.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __grid_constant__
// One section holds them all, so that the emulator knows where they are.
#define __constant__ __attribute__((section("emulator_constants"), used))
// A plain C++ compiler cannot place these: shared memory goes through the macros below.
#define __shared__ shared_memory_is_declared_through_a_macro
#define __managed__ managed_memory_is_not_emulated

/// EMULATOR_SHARED(float, tile, [16][17]) declares float tile[16][17] in shared memory.
#define EMULATOR_SHARED(type, name, ...)             \
  struct name##_declaration_ {                       \
    [[maybe_unused]] typedef type array __VA_ARGS__; \
  };                                                 \
  typename name##_declaration_::array& name = ::emulator::shared_array<name##_declaration_>()
/// EMULATOR_DYNAMIC_SHARED(float, name) points at the dynamic shared memory.
#define EMULATOR_DYNAMIC_SHARED(type, name) type* name = static_cast<type*>(::emulator::dynamic_shared())

namespace emulator {

template <class Declaration>
typename Declaration::array& shared_array() {
  static const char key = 0;
  return *static_cast<typename Declaration::array*>(static_shared(&key, sizeof(typename Declaration::array)));
}

}  // namespace emulator
