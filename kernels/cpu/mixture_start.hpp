// SPDX-License-Identifier: Apache-2.0
/// \file
/// First responsibilities, however they are given.
#pragma once

#include "kernels/ops.hpp"

#include <cstdint>

namespace cavi::kernels::cpu {

/// r[k * stride + i] = responsibility of component k for row first + i of a problem whose rows begin at `first_row` of
/// `given`, for i in [0, count). Dense rows are divided by their sum, random ones are keyed by the row in the problem.
/// `raw` holds count * components numbers. Throws ShapeError naming the row when a label is no component, or when dense
/// numbers are negative, not finite, or sum to something that rounding does not explain.
void given_responsibilities(const Responsibilities& given, std::int64_t first_row, std::int64_t first,
                            std::int64_t count, int components, double* raw, double* r, std::int64_t stride);

/// Throws ShapeError naming the row of a label that is not in [0, components); labels[0] is that of row `row`.
void check_labels(const std::int32_t* labels, std::int64_t row, std::int64_t count, int components);

}  // namespace cavi::kernels::cpu
