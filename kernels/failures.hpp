// SPDX-License-Identifier: Apache-2.0
/// \file
/// What failures of operations say, whatever device they happened on. Each returns the exception to throw.
#pragma once

#include "kernels/math/families.hpp"
#include "kernels/ops.hpp"

#include <cavi/error.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

namespace cavi::kernels {

inline NumericalError moments_failure(const std::string& factor, std::int64_t element, math::Failure failure) {
  return NumericalError("factor '" + factor + "', element " + std::to_string(element) + ": " + math::message(failure));
}

enum class SweepFailure { none, not_definite, logit_not_finite, all_off };

inline NumericalError sweep_failure(SweepFailure failure, std::int64_t component) {
  const std::string where = "mixture sweep: ";
  switch (failure) {
    case SweepFailure::not_definite:
      return NumericalError(where + "the precision of component " + std::to_string(component) +
                            " is not positive definite; look for constant or linearly dependent columns, or use a "
                            "stronger covariance prior");
    case SweepFailure::logit_not_finite:
      return NumericalError(where + "the logit of component " + std::to_string(component) + " is not a finite number");
    case SweepFailure::all_off: return NumericalError(where + "every component is switched off");
    case SweepFailure::none: break;
  }
  return NumericalError(where + "no failure");
}

/// A few digits, however small.
inline std::string format_nats(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", x);
  return text;
}

/// `sweep`: the one that failed, from 1 on, or 0: the start.
inline NumericalError bound_failure(const Bound& op, double bound, double before, int sweep) {
  const std::string where = sweep == 0 ? "the start" : "sweep " + std::to_string(sweep);
  if (!std::isfinite(bound)) return NumericalError("the bound is not finite after " + op.after + " in " + where);
  return NumericalError("the bound fell by " + format_nats(before - bound) + " nats at the update of " + op.after +
                        " in " + where);
}

/// A fall of more than this part of the bound's magnitude is a failure; the magnitude is the sum of the absolute parts
/// and of the observed rows. A wrong update takes far more. Rounding alone takes 64 units of the parts and, inside a
/// part, as much again as its terms are larger than itself: that is the condition of the covariances, which no sum of
/// parts tells, and for which float64 leaves six digits here. (With 64 units of the parts alone one in nine fits of 50
/// rows of 17 correlated features ended in a false alarm.)
inline double bound_slack(Scalar precision) { return precision == Scalar::float32 ? 0x1p-18 : 0x1p-30; }

}  // namespace cavi::kernels
