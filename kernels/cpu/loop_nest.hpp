// SPDX-License-Identifier: Apache-2.0
/// \file
/// A contraction resolved for one problem: loops with strides and pointers, on the stack.
#pragma once

#include "kernels/cpu/reduce.hpp"

#include <array>
#include <cstdint>

namespace cavi::kernels::cpu {

inline constexpr int kMaxLabels = 10, kMaxOperands = 6, kMaxGathers = 12;
inline constexpr int kOut = 0;  ///< place of the output among the pointers; operands follow

struct Loop {
  std::int64_t extent = 1;
  std::array<std::int64_t, kMaxOperands + 1> stride{};
};

/// An index map on a loop: value v moves the pointer by stride * map[v].
struct Gather {
  int loop = 0, place = 0;
  std::int64_t stride = 0;
  const std::int32_t* map = nullptr;
};

/// out[.] += coefficient * sum of the product of the operands, over all values of all loops. Every extent is positive.
struct LoopNest {
  double coefficient = 1;
  int loops = 0, operands = 0, gathers = 0;
  std::array<Loop, kMaxLabels> loop;
  std::array<Gather, kMaxGathers> gather;
  std::array<double*, kMaxOperands + 1> at{};

  double work() const;         ///< number of products
  double time() const;         ///< that add_products() takes, in nanoseconds, roughly
  bool gathered(int l) const;  ///< some pointer moves through a map
  bool moves(int l, int place) const;
  bool one_write_each() const;       ///< no element of out is reached twice but by loops that do not move it
  void keep_gathers(bool out);       ///< keeps those of out, or those of the operands
  void remove(int l);                ///< forgets a loop
  void restrict_to(int l, Range r);  ///< keeps values r.begin .. r.end - 1 of a loop

  /// Drops loops of extent one, counts loops that move nothing and operands that never move into the coefficient, and
  /// joins loops that run through all arrays as one.
  void simplify();

  void add_products() const;
  void write_zeros() const;  ///< to every element of out that is reached
};

}  // namespace cavi::kernels::cpu
