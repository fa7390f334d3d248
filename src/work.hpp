// SPDX-License-Identifier: Apache-2.0
/// \file
/// The arithmetic that a sweep of a mixture needs, whoever does it.
#pragma once

#include <cavi/mixture.hpp>

namespace cavi {

/// P, sufficient statistics of one component in D features: what a pair of row and component multiplies and adds once
/// for its score and once for its share of the sums.
inline double statistics_per_component(ComponentFamily family, CovarianceType type, double d) {
  if (family != ComponentFamily::gaussian) return d + 1;
  switch (type) {
    case CovarianceType::full: return d * (d + 1) / 2 + d + 1;
    case CovarianceType::tied: return d + 1;
    case CovarianceType::diag: return 2 * d + 1;
    case CovarianceType::spherical: return d + 2;
  }
  return 0;
}

/// Useful floating-point operations of a sweep, 4 N K P.
inline double operations_per_sweep(const MixtureOptions& o, double rows, double features) {
  return 4 * rows * o.n_components * statistics_per_component(o.family, o.covariance_type, features);
}

}  // namespace cavi
