// SPDX-License-Identifier: Apache-2.0
/// \file
/// Stands in for the toolkit's <cuda_runtime.h> where a plain C++ compiler builds kernels and host code for the
/// emulated device. This folder comes first in the include path and the toolkit's own is not in it.
#pragma once

#define CUDA_EMULATOR 1

#include "emulator/device/atomics.hpp"
#include "emulator/device/intrinsics.hpp"
#include "emulator/device/keywords.hpp"
#include "emulator/device/synchronisation.hpp"
#include "emulator/device/tensor_core.hpp"
#include "emulator/runtime/api.hpp"
