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

/// Whether a column has no more than `tolerance` of its variance to itself, given all others: 1 / (A_ii (A^-1)_ii), the
/// inverse of the variance inflation factor. `a` is positive definite.
bool nearly_dependent(std::span<const double> a, int d, double tolerance);

/// R [d x d], upper triangular, with R'R = A^-1, and ln |A|.
struct Whitener {
  std::vector<double> root;
  double log_determinant = 0;
};
/// Of a symmetric positive definite [d x d] matrix. Throws NumericalError naming it when it is not.
Whitener whitener(std::span<const double> a, int d, const std::string& name);

/// L [d x d], lower triangular, with L L' = A. Throws NumericalError naming A when it is not positive definite.
std::vector<double> cholesky(std::span<const double> a, int d, const std::string& name);

}  // namespace cavi
