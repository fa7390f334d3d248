// SPDX-License-Identifier: Apache-2.0
/// \file
/// A failure that a caller with many problems can do something about.
#pragma once

#include <cavi/error.hpp>

namespace cavi::kernels {

/// The device has run out of memory; it may have enough for fewer problems at once.
struct OutOfDeviceMemory : DeviceError {
  using DeviceError::DeviceError;
};

}  // namespace cavi::kernels
