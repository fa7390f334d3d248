// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sweeps, timed.
#pragma once

#include <cavi/mixture.hpp>

#include <vector>

namespace cavi::cli {

/// The sweeps of one set of options.
struct Measured {
  std::vector<double> seconds;   ///< of a sweep, one for each fit, ascending
  double processor_seconds = 0;  ///< of a sweep, the least of all fits, all threads together; 0: not known
  double peak_memory = 0;        ///< of the process during the fits, rows and all, bytes; 0: not known
  double live = 1;               ///< share of the pairs of row and component that matter at the end
  double bound_error = 0;        ///< of float32 against float64, relative
  double median() const { return seconds[seconds.size() / 2]; }
};

/// Makes `repeats` fits of options.max_iter sweeps, at least 1, and a few more to compare. Throws what Mixture::fit()
/// throws.
Measured measure(MixtureOptions options, const Matrix& x, const Device& device, int repeats);

}  // namespace cavi::cli
