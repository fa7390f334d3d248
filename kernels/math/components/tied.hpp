// SPDX-License-Identifier: Apache-2.0
/// \file
/// Components that share one precision matrix. A sweep accumulates no second moment: sum_n w_n x_n x_n' does not depend
/// on responsibilities.
#pragma once

#include "kernels/math/components/full.hpp"

namespace cavi::kernels::components {

struct Tied : Full {
  static constexpr Component kind = Component::tied;
  static constexpr bool shared_root = true;
  static constexpr std::int64_t second_size(int) { return 0; }

  /// What component k takes from <precision, second> when the moments of its rows are moved from the origin to its
  /// mean: <precision, mean first' + first mean' + count mean mean'> with `first` about the mean.
  static double moved(const double* root, double count, const double* first, const double* mean, int d) {
    double sum = 0;
    for (int i = 0; i < d; ++i) {
      double m = 0, f = 0;
      for (int j = i; j < d; ++j) {
        m += root[std::int64_t(i) * d + j] * mean[j];
        f += root[std::int64_t(i) * d + j] * first[j];
      }
      sum += m * (2 * f + count * m);
    }
    return sum;
  }
};

}  // namespace cavi::kernels::components
