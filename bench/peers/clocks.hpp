// SPDX-License-Identifier: Apache-2.0
/// \file
/// Time on the wall and time of the processors, of this process.
#pragma once

#include <ctime>

namespace cavi::peers {

inline double seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

struct Clocks {
  double wall = 0, cpu = 0;
  static Clocks now() { return {seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)}; }
  friend Clocks operator-(Clocks a, Clocks b) { return {a.wall - b.wall, a.cpu - b.cpu}; }
  friend Clocks operator/(Clocks a, double n) { return {a.wall / n, a.cpu / n}; }
  Clocks& operator+=(Clocks b) { return wall += b.wall, cpu += b.cpu, *this; }
};

}  // namespace cavi::peers
