// SPDX-License-Identifier: Apache-2.0
/// \file
/// A failure that a caller with many problems can do something about.
#pragma once

#include <cavi/error.hpp>

namespace cavi::kernels {

/// The device's memory does not hold the rows of all problems together; those of fewer may fit.
struct OutOfDeviceMemory : DeviceError {
  using DeviceError::DeviceError;
};

}  // namespace cavi::kernels
