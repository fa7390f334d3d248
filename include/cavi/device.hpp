// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a fit runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cavi {

/// A value that names a device; it holds no resources.
class Device {
 public:
  enum class Kind { cpu, cuda };

  /// The host's processor with `threads` worker threads; 0 means as many as there are processors. The number of
  /// threads never changes a result. Throws OptionError when negative.
  static Device cpu(int threads = 0);
  /// CUDA device number `ordinal`, of whose memory a fit, a prediction or draws may use so many bytes (0: what is free
  /// then); rows that do not fit are streamed. Throws DeviceError when there is no such device or no backend for it,
  /// OptionError for a negative number.
  static Device cuda(int ordinal = 0, std::int64_t memory = 0);
  /// The first usable CUDA device, else the CPU.
  static Device best();
  /// Every usable device, the CPU first.
  static std::vector<Device> all();

  Kind kind() const { return kind_; }
  int threads() const { return threads_; }         ///< worker threads on the host, at least 1
  int ordinal() const { return ordinal_; }         ///< number of a CUDA device
  std::int64_t memory() const { return memory_; }  ///< bytes that a CUDA device may use, 0: what is free
  std::string name() const;                        ///< "cpu" or "cuda:0", as the command line takes it
  std::string description() const;                 ///< one line: what hardware that is

 private:
  Device(Kind kind, int threads, int ordinal, std::int64_t memory)
      : kind_(kind), threads_(threads), ordinal_(ordinal), memory_(memory) {}
  Kind kind_;
  int threads_;
  int ordinal_;
  std::int64_t memory_;
};

}  // namespace cavi
