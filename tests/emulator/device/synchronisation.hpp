// SPDX-License-Identifier: Apache-2.0
/// \file
/// Barriers, fences and warp collectives. All are meetings: nobody goes on before everybody named has come.
#pragma once

#include "emulator/executor.hpp"

#include <bit>
#include <cstring>
#include <type_traits>

namespace emulator {

template <class T>
T unpack(const std::array<std::byte, 8>& bytes) {
  T value;
  __builtin_memcpy(&value, bytes.data(), sizeof value);
  return value;
}
template <class T>
void pack(std::array<std::byte, 8>& bytes, T value) {
  __builtin_memcpy(bytes.data(), &value, sizeof value);
}

/// What lane `source` brought. From a lane that is not in the mask CUDA gives anything: here all bits set, a NaN.
inline void complete_shuffle(Thread& lane) {
  const unsigned source = lane.collective.source;
  if (lane.collective.mask >> source & 1)
    lane.collective.result = lane.warp->lanes[source]->collective.value;
  else
    lane.collective.result.fill(std::byte{0xff});
}

inline void complete_ballot(Thread& lane) {
  unsigned votes = 0;
  for (unsigned m = lane.collective.mask; m; m &= m - 1) {
    const int other = std::countr_zero(m);
    if (unpack<int>(lane.warp->lanes[other]->collective.value)) votes |= 1u << other;
  }
  pack(lane.collective.result, votes);
}

template <class T, class Combine>
void complete_reduce(Thread& lane) {
  unsigned m = lane.collective.mask;
  T total = unpack<T>(lane.warp->lanes[std::countr_zero(m)]->collective.value);
  for (m &= m - 1; m; m &= m - 1)
    total = Combine{}(total, unpack<T>(lane.warp->lanes[std::countr_zero(m)]->collective.value));
  pack(lane.collective.result, total);
}

template <class Result, class T>
Result collect(const char* operation, unsigned mask, T value, unsigned source, void (*complete)(Thread&),
               const Site& site) {
  Collective collective;
  collective.mask = mask;
  collective.source = source;
  collective.complete = complete;
  pack(collective.value, value);
  meet(operation, collective, site);
  return unpack<Result>(current_thread()->collective.result);
}

template <class T>
T shuffle(const char* operation, unsigned mask, T value, unsigned source, const Site& site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "CUDA shuffles 4 or 8 byte numbers");
  return collect<T>(operation, mask, value, source, complete_shuffle, site);
}

template <class T, void (*work)(T* const (&lanes)[32])>
void complete_together(Thread& lane) {
  unsigned m = lane.collective.mask;
  if (lane.lane != unsigned(std::countr_zero(m))) return;  // the first lane does it for all
  T* lanes[32] = {};
  for (; m; m &= m - 1) {
    const int other = std::countr_zero(m);
    lanes[other] = unpack<T*>(lane.warp->lanes[other]->collective.value);
  }
  work(lanes);
}

/// A step of a whole warp: once every lane has come, work() gets what each brought and may change it.
template <class T, void (*work)(T* const (&lanes)[32])>
void together(const char* operation, T& mine, const Site& site) {
  Collective collective;
  collective.mask = 0xffffffffu;
  collective.complete = complete_together<T, work>;
  pack(collective.value, &mine);
  meet(operation, collective, site);
}

struct Sum {
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
};
struct Least {
  template <class T>
  T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};
struct Greatest {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct BitAnd {
  template <class T>
  T operator()(T a, T b) const {
    return a & b;
  }
};
struct BitOr {
  template <class T>
  T operator()(T a, T b) const {
    return a | b;
  }
};
struct BitXor {
  template <class T>
  T operator()(T a, T b) const {
    return a ^ b;
  }
};

}  // namespace emulator

inline void __syncthreads(emulator::Site site = emulator::Site::here()) { emulator::barrier("__syncthreads", 0, site); }
inline int __syncthreads_count(int vote, emulator::Site site = emulator::Site::here()) {
  emulator::barrier("__syncthreads_count", vote, site);
  return emulator::current_thread()->block->votes;
}
inline int __syncthreads_and(int vote, emulator::Site site = emulator::Site::here()) {
  emulator::barrier("__syncthreads_and", vote, site);
  return emulator::current_thread()->block->votes == int(emulator::current_thread()->block->threads.size());
}
inline int __syncthreads_or(int vote, emulator::Site site = emulator::Site::here()) {
  emulator::barrier("__syncthreads_or", vote, site);
  return emulator::current_thread()->block->votes != 0;
}

inline void __syncwarp(unsigned mask = 0xffffffffu, emulator::Site site = emulator::Site::here()) {
  if (!emulator::active(site)) return;
  emulator::Collective collective;
  collective.mask = mask;
  emulator::meet("__syncwarp", collective, site);
}

inline void __threadfence(emulator::Site site = emulator::Site::here()) {
  if (emulator::active(site)) emulator::fence();
}
inline void __threadfence_system(emulator::Site site = emulator::Site::here()) { __threadfence(site); }
inline void __threadfence_block(emulator::Site site = emulator::Site::here()) { __threadfence(site); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, emulator::Site site = emulator::Site::here()) {
  const unsigned lane = emulator::current_thread()->lane;
  return emulator::shuffle("__shfl_sync", mask, value, (lane & ~(width - 1u)) + (source & (width - 1)), site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   emulator::Site site = emulator::Site::here()) {
  const unsigned lane = emulator::current_thread()->lane;
  const bool inside = (lane & (width - 1u)) + delta < unsigned(width);
  return emulator::shuffle("__shfl_down_sync", mask, value, inside ? lane + delta : lane, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, emulator::Site site = emulator::Site::here()) {
  const unsigned lane = emulator::current_thread()->lane;
  const bool inside = (lane & (width - 1u)) >= delta;
  return emulator::shuffle("__shfl_up_sync", mask, value, inside ? lane - delta : lane, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, emulator::Site site = emulator::Site::here()) {
  const unsigned lane = emulator::current_thread()->lane, source = lane ^ unsigned(bits);
  const bool inside = (source & ~(width - 1u)) <= (lane & ~(width - 1u)) && source < 32;
  return emulator::shuffle("__shfl_xor_sync", mask, value, inside ? source : lane, site);
}

inline unsigned __ballot_sync(unsigned mask, int vote, emulator::Site site = emulator::Site::here()) {
  return emulator::collect<unsigned>("__ballot_sync", mask, vote, 0, emulator::complete_ballot, site);
}
inline int __any_sync(unsigned mask, int vote, emulator::Site site = emulator::Site::here()) {
  return emulator::collect<unsigned>("__any_sync", mask, vote, 0, emulator::complete_ballot, site) != 0;
}
inline int __all_sync(unsigned mask, int vote, emulator::Site site = emulator::Site::here()) {
  const unsigned votes = emulator::collect<unsigned>("__all_sync", mask, vote, 0, emulator::complete_ballot, site);
  return votes == (mask & emulator::current_thread()->warp->exists);
}
inline unsigned __activemask() {
  return emulator::current_thread()->warp->exists & ~emulator::current_thread()->warp->exited;
}

#define EMULATOR_REDUCE(name, type, combine)                                                                         \
  inline type name(unsigned mask, type value, emulator::Site site = emulator::Site::here()) {                        \
    return emulator::collect<type>(#name, mask, value, 0, emulator::complete_reduce<type, emulator::combine>, site); \
  }
EMULATOR_REDUCE(__reduce_add_sync, int, Sum)
EMULATOR_REDUCE(__reduce_add_sync, unsigned, Sum)
EMULATOR_REDUCE(__reduce_min_sync, int, Least)
EMULATOR_REDUCE(__reduce_min_sync, unsigned, Least)
EMULATOR_REDUCE(__reduce_max_sync, int, Greatest)
EMULATOR_REDUCE(__reduce_max_sync, unsigned, Greatest)
EMULATOR_REDUCE(__reduce_and_sync, unsigned, BitAnd)
EMULATOR_REDUCE(__reduce_or_sync, unsigned, BitOr)
EMULATOR_REDUCE(__reduce_xor_sync, unsigned, BitXor)
#undef EMULATOR_REDUCE
