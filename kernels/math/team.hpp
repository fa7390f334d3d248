// SPDX-License-Identifier: Apache-2.0
/// \file
/// Who computes: the functions of this folder are written for a team whose members share the elements of a loop, and
/// meet where one reads what another wrote. The host is a team of one.
///
///     for (int i = team.rank(); i < n; i += team.size()) y[i] = f(x[i]);
///     team.sync();                                    // all of y is there
///     const double s = team.sum(local);               // of every member's number, in a fixed order; everyone gets it
#pragma once

#include "kernels/math/host_device.hpp"

namespace cavi::kernels::math::inline CAVI_COMPILER {

/// One thread. All of it folds away.
struct Alone {
  CAVI_HOST_DEVICE static constexpr int rank() { return 0; }
  CAVI_HOST_DEVICE static constexpr int size() { return 1; }
  CAVI_HOST_DEVICE static constexpr void sync() {}
  CAVI_HOST_DEVICE static constexpr double sum(double x) { return x; }
  CAVI_HOST_DEVICE static constexpr bool all(bool x) { return x; }
};

}  // namespace cavi::kernels::math::inline CAVI_COMPILER
