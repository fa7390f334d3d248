// SPDX-License-Identifier: Apache-2.0
// Small dense symmetric matrices on the host, float64, row-major.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace cavi {

/// ln |A| of a symmetric positive definite [d x d] matrix. Throws ShapeError naming it when it is not.
double log_determinant(std::span<const double> a, int d, const std::string& name);

/// Whether every pivot of the Cholesky factorisation exceeds `tolerance` times its diagonal element.
bool positive_definite(std::span<const double> a, int d, double tolerance);

}  // namespace cavi
