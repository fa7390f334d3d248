// SPDX-License-Identifier: Apache-2.0
#include "src/linear_algebra.hpp"

#include <cavi/error.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace cavi {

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

double log_determinant(std::span<const double> a, int d, const std::string& name) {
  const Eigen::Map<const RowMajor> matrix(a.data(), d, d);
  const Eigen::LLT<RowMajor> llt(matrix);
  if (llt.info() != Eigen::Success || !matrix.allFinite() || !matrix.isApprox(matrix.transpose(), 1e-8))
    throw ShapeError("'" + name + "' must be symmetric and positive definite");
  return 2 * llt.matrixLLT().diagonal().array().log().sum();
}

bool positive_definite(std::span<const double> a, int d, double tolerance) {
  const Eigen::Map<const RowMajor> matrix(a.data(), d, d);
  const Eigen::LLT<RowMajor> llt(matrix);
  if (llt.info() != Eigen::Success || !matrix.allFinite()) return false;
  return (llt.matrixLLT().diagonal().array().square() > tolerance * matrix.diagonal().array()).all();
}

}  // namespace cavi
