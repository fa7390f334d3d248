// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cavi/mixture.hpp>

namespace cavi {

/// Whether a covariance, a prior and an inverse scale are [D x D] matrices rather than D numbers or one.
constexpr bool is_matrix(CovarianceType t) { return t == CovarianceType::full || t == CovarianceType::tied; }

}  // namespace cavi
