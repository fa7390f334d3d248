// SPDX-License-Identifier: Apache-2.0
/// \file
/// The matrix instruction mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32, with the fragments of the PTX manual
/// ("Matrix Fragments for mma.m16n8k8"). The manual leaves the arithmetic of the sum open; what measurements agree on
/// is done here, and what they do not is in options().
#pragma once

#include "emulator/device/synchronisation.hpp"

namespace emulator {

/// c + the sum of count products of TF32 numbers, as tensor cores sum up: addends are cut off a few bits below the last
/// one of the largest of them, and the sum is cut off to a float. All towards zero.
float truncated_sum(float c, const float* a, const float* b, int count, int guard_bits);

}  // namespace emulator

/// D = A B + C by a whole warp, A [16 x 8], B [8 x 8]. Factors lose the bits that TF32 has not.
void emulated_mma_m16n8k8_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2], const float (&c)[4],
                               emulator::Site site = emulator::Site::here());
