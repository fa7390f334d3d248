// SPDX-License-Identifier: Apache-2.0
/// \file
/// Vector clocks over the host and chains of stream operations: what a missing event wait breaks is seen whatever order
/// the operations really ran in.
#pragma once

#include "emulator/history.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace emulator {

/// Entry 0 is the host's, the others belong to chains of operations that follow one another.
class Clock {
 public:
  std::uint32_t of(std::uint32_t chain) const { return chain < seen_.size() ? seen_[chain] : 0; }
  void set(std::uint32_t chain, std::uint32_t sequence) {
    if (chain >= seen_.size()) seen_.resize(chain + 1);
    seen_[chain] = sequence;
  }
  void join(const Clock& other) {
    if (other.seen_.size() > seen_.size()) seen_.resize(other.seen_.size());
    for (std::size_t i = 0; i < other.seen_.size(); ++i) seen_[i] = std::max(seen_[i], other.seen_[i]);
  }

 private:
  std::vector<std::uint32_t> seen_;
};

/// Where an operation stands.
struct Moment {
  std::uint32_t chain = 0, sequence = 0;
  std::string name;
};

/// Of every operation so far, by operation number. The first two are no operation and the host.
std::vector<Moment>& moments();

/// Whether whoever has this clock has seen the access.
inline bool seen(const Clock& clock, const Stamp& stamp) {
  if (stamp.operation == kHost) return clock.of(0) >= stamp.time;
  const Moment& moment = moments()[stamp.operation];
  return clock.of(moment.chain) >= moment.sequence;
}

}  // namespace emulator
