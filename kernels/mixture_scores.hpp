// SPDX-License-Identifier: Apache-2.0
/// \file
/// What prediction asks a backend for: how rows stand to the components of a mixture whose parameters are known.
#pragma once

#include "kernels/ops.hpp"

#include <vector>

namespace cavi::kernels {

/// With x the row minus `origin`, and R'R the precision that a family's root stands for (see math/components/),
///
///     q_nk = |R_k (x_n - mean_k)|^2
///     Gaussian    s_nk = constant_k - q_nk
///     Student-t   s_nk = constant_k - exponent_k log(1 + factor_k q_nk)
///                 diag: the sum over features of such logarithms, as each has a Student-t of its own
///     linear      s_nk = constant_k + <mean_k, x_n>
///
/// A row's responsibilities are exp(s_nk) over their sum, its log density is the logarithm of that sum. Both in
/// float64.
struct MixtureScores {
  Component component = Component::full;
  int components = 0, features = 0;
  std::vector<double> root;      ///< full [K x D x D], tied [D x D]: upper triangular; diag [K x D]; spherical [K]
  std::vector<double> mean;      ///< [K x D] about the origin
  std::vector<double> constant;  ///< [K] nats
  std::vector<double> exponent;  ///< [K] Student-t; empty: Gaussian
  std::vector<double> factor;    ///< [K] Student-t; empty: Gaussian
  std::vector<double> origin;    ///< [D]
};

}  // namespace cavi::kernels
