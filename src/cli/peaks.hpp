// SPDX-License-Identifier: Apache-2.0
/// \file
/// What this machine can do at most, measured.
#pragma once

#include "src/cost_model.hpp"

namespace cavi::cli {

/// As if each of the threads had a processor to itself: times are processor times, so that a busy machine has the same
/// peaks. The best of several tries, about half a second. Throws std::bad_alloc, DeviceError.
CpuMachine measure_peaks(int threads);

/// Processor time of this process so far, all threads, in seconds.
double processor_seconds();

}  // namespace cavi::cli
