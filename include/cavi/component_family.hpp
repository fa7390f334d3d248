// SPDX-License-Identifier: Apache-2.0
/// \file
/// What components are distributions of. All but the Gaussian have features that are independent given the component,
/// each with one parameter.
#pragma once

namespace cavi {

/// One enumerator per line: the build finds the file of each of them but the first by its name.
enum class ComponentFamily {
  gaussian,
  bernoulli,    ///< x_nd in {0, 1}        p_kd    ~ Beta(a, b)     a + sum of r x,  b + sum of r (1 - x)
  poisson,      ///< x_nd = 0, 1, 2, ...   rate_kd ~ Gamma(a, b)    a + sum of r x,  b + N_k
  exponential,  ///< x_nd >= 0             rate_kd ~ Gamma(a, b)    a + N_k,         b + sum of r x
  geometric,    ///< x_nd = 0, 1, 2, ...   p_kd    ~ Beta(a, b)     a + N_k,         b + sum of r x
};

}  // namespace cavi
