// SPDX-License-Identifier: Apache-2.0
/// \file
/// How small the concentration of a Dirichlet or Beta prior may be.
#pragma once

#include <cavi/error.hpp>

#include <fmt/format.h>

#include <string>

namespace cavi {

/// The engine keeps a concentration a as the natural parameter a - 1, in which a itself has an error of 1e-16: six
/// digits are left of 1e-10, and none of 1e-16.
inline constexpr double kSmallestConcentration = 1e-10;

/// `what` opens the message.
inline void require_digits(double concentration, const std::string& what) {
  if (concentration < kSmallestConcentration)
    throw OptionError(fmt::format("{} must be at least {}, not {}: a smaller one is lost in rounding", what,
                                  kSmallestConcentration, concentration));
}

}  // namespace cavi
