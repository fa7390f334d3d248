// SPDX-License-Identifier: Apache-2.0
/// \file
/// Relaxed atomics. Only one thread runs at a time, so they are plain code; what is special is that the checker sees
/// them as atomic and that the schedule may change there.
#pragma once

#include "emulator/checker.hpp"
#include "emulator/executor.hpp"

#include <type_traits>

namespace emulator {

template <class T, class Change>
__attribute__((noinline, no_sanitize("thread"))) T atomic(T* address, const Change& change) {
  const auto code = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  let_others_in();
  access({address, sizeof(T), true, true, code});
  const T old = *address;
  *address = change(old);
  return old;
}

template <class T>
using Plain = std::type_identity_t<T>;  // the address alone says which type is meant

}  // namespace emulator

#define EMULATOR_ATOMIC __attribute__((always_inline)) inline

template <class T>
EMULATOR_ATOMIC T atomicAdd(T* address, emulator::Plain<T> value) {
  return emulator::atomic(address, [=](T old) { return T(old + value); });
}
template <class T>
EMULATOR_ATOMIC T atomicSub(T* address, emulator::Plain<T> value) {
  return emulator::atomic(address, [=](T old) { return T(old - value); });
}
template <class T>
EMULATOR_ATOMIC T atomicExch(T* address, emulator::Plain<T> value) {
  return emulator::atomic(address, [=](T) { return value; });
}
template <class T>
EMULATOR_ATOMIC T atomicMin(T* address, emulator::Plain<T> value) {
  static_assert(std::is_integral_v<T>, "CUDA has no atomicMin of this type");
  return emulator::atomic(address, [=](T old) { return value < old ? value : old; });
}
template <class T>
EMULATOR_ATOMIC T atomicMax(T* address, emulator::Plain<T> value) {
  static_assert(std::is_integral_v<T>, "CUDA has no atomicMax of this type");
  return emulator::atomic(address, [=](T old) { return old < value ? value : old; });
}
template <class T>
EMULATOR_ATOMIC T atomicAnd(T* address, emulator::Plain<T> value) {
  return emulator::atomic(address, [=](T old) { return T(old & value); });
}
template <class T>
EMULATOR_ATOMIC T atomicOr(T* address, emulator::Plain<T> value) {
  return emulator::atomic(address, [=](T old) { return T(old | value); });
}
template <class T>
EMULATOR_ATOMIC T atomicCAS(T* address, emulator::Plain<T> expected, emulator::Plain<T> desired) {
  static_assert(std::is_integral_v<T>, "CUDA compares integers");
  return emulator::atomic(address, [=](T old) { return old == expected ? desired : old; });
}
/// Counts up to `last`, then starts from 0 again.
EMULATOR_ATOMIC unsigned atomicInc(unsigned* address, unsigned last) {
  return emulator::atomic(address, [=](unsigned old) { return old >= last ? 0u : old + 1; });
}
#undef EMULATOR_ATOMIC
