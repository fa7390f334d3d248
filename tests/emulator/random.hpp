// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulator {

/// splitmix64 (Steele, Lea and Flood, 2014): small, fast, and the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed = 1) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  /// In [0, n), n >= 1.
  std::size_t below(std::size_t n) { return next() % n; }

 private:
  std::uint64_t state_;
};

}  // namespace emulator
