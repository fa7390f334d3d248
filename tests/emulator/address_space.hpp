// SPDX-License-Identifier: Apache-2.0
/// \file
/// One reserved range of addresses for everything that the emulator allocates, so that "is it ours" is a comparison and
/// an address is never used twice before a reset.
#pragma once

#include <cstddef>

namespace emulator {

inline constexpr std::size_t kDeviceSpace = std::size_t(32) << 30;
inline constexpr std::size_t kPinnedSpace = std::size_t(16) << 30;
inline constexpr std::size_t kSharedSpace = std::size_t(1) << 30;
inline constexpr std::size_t kPage = 4096;
inline constexpr unsigned char kPoison = 0xff;  ///< fills fresh memory: NaN in floating point, -1 in integers

/// Reserves the range on first use and installs the handler that turns a fault of a kernel into a finding.
char* address_space();
inline char* device_space() { return address_space(); }
inline char* pinned_space() { return address_space() + kDeviceSpace; }
inline char* shared_space() { return address_space() + kDeviceSpace + kPinnedSpace; }

/// Known once reserved. Inline, because the checker asks at every access.
inline char* reserved = nullptr;
inline bool is_emulated(const void* address) {
  return reserved && static_cast<std::size_t>(static_cast<const char*>(address) - reserved) <
                         kDeviceSpace + kPinnedSpace + kSharedSpace;
}
inline bool is_device(const void* address) {
  return reserved && static_cast<std::size_t>(static_cast<const char*>(address) - reserved) < kDeviceSpace;
}

inline std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace emulator
