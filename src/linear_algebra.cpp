// SPDX-License-Identifier: Apache-2.0
#include "src/linear_algebra.hpp"

#include <cavi/error.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace cavi {

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

RowMajor lower_factor(const RowMajor& matrix, const std::string& name) {
  const Eigen::LLT<RowMajor> llt(matrix);
  if (llt.info() != Eigen::Success || !matrix.allFinite())
    throw NumericalError("'" + name + "' has a matrix that is not positive definite");
  return llt.matrixL();
}

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

bool nearly_dependent(std::span<const double> a, int d, double tolerance) {
  const Eigen::Map<const RowMajor> matrix(a.data(), d, d);
  const RowMajor root = Eigen::LLT<RowMajor>(matrix).matrixL().solve(RowMajor::Identity(d, d));
  const auto inflation = root.colwise().squaredNorm().transpose().array() * matrix.diagonal().array();
  return !(inflation * tolerance < 1).all();
}

Whitener whitener(std::span<const double> a, int d, const std::string& name) {
  // With the coordinates turned round, L L' = A becomes V V' = A with V upper triangular, and R = V^-1.
  const Eigen::Map<const RowMajor> matrix(a.data(), d, d);
  const RowMajor lower = lower_factor(matrix.reverse(), name);
  const RowMajor inverse = lower.triangularView<Eigen::Lower>().solve(RowMajor::Identity(d, d));
  Whitener out;
  out.root.resize(a.size());
  Eigen::Map<RowMajor>(out.root.data(), d, d) = inverse.reverse();
  out.log_determinant = 2 * lower.diagonal().array().log().sum();
  return out;
}

std::vector<double> cholesky(std::span<const double> a, int d, const std::string& name) {
  std::vector<double> out(a.size());
  Eigen::Map<RowMajor>(out.data(), d, d) = lower_factor(Eigen::Map<const RowMajor>(a.data(), d, d), name);
  return out;
}

}  // namespace cavi
