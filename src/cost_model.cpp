// SPDX-License-Identifier: Apache-2.0
// A sweep on the CPU: its arithmetic at a share of the multiply-add peak, or one read of the rows, whichever is longer.
// The costs are those that bench/fit_cost_model.py found on one machine; in units of multiply-adds at the peak they
// carry over to another as far as its instruction set and caches are alike.
#include "src/cost_model.hpp"

#include <algorithm>

namespace cavi {
namespace {

/// In float32 multiply-adds at the peak. Q cells: D (D + 1) / 2 for a precision matrix each (of the tied one, for a
/// row), else 0.
struct CpuCosts {
  double pair, feature, cell;        ///< of a pair of row and component; D times; Q times
  double live_feature, live_cell;    ///< D times and Q times for a pair that matters
  double row, row_feature;           ///< of a row; D times (tied: and Q times `cell`)
  double sweep;                      ///< of a sweep, by one thread
  double component, component_cube;  ///< of a component: by one thread; D^3 times, by all
};

/// By precision, and within it full, tied, diag, spherical, and the other families.
constexpr CpuCosts kCosts[2][5] = {
#include "src/cpu_costs.inc"
};

}  // namespace

Prediction predict(const SweepShape& s, const CpuMachine& machine) {
  const bool gaussian = s.family == ComponentFamily::gaussian;
  const bool tied = gaussian && s.covariance_type == CovarianceType::tied;
  const bool matrix = gaussian && (tied || s.covariance_type == CovarianceType::full);
  const CpuCosts& c = kCosts[s.precision == Scalar::float64][gaussian ? int(s.covariance_type) : 4];
  const double d = s.features, k = s.components, q = matrix ? d * (d + 1) / 2 : 0, pair_q = tied ? 0 : q;
  const double of_pair =
      c.pair + c.feature * d + c.cell * pair_q + s.live * (c.live_feature * d + c.live_cell * pair_q);
  const double of_row = c.row + c.row_feature * d + (tied ? c.cell * q : 0);
  const double of_rows = s.rows * (k * of_pair + of_row) + c.component_cube * k * d * q * 2;
  // Of many fits each is one thread's, so that nothing waits for one thread.
  const double of_one = (c.sweep + c.component * k) * (s.fits > 1 ? 1 : machine.threads);
  const double fma = s.fits * (of_rows + of_one) * 2 / machine.flops;
  const double read = s.fits * s.rows * d * size_of(s.precision) / machine.bandwidth;
  return fma >= read ? Prediction{fma, "fma"} : Prediction{read, "read"};
}

}  // namespace cavi
