// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/assign_start.hpp"

#include "kernels/cpu/mixture_start.hpp"

#include <algorithm>
#include <cmath>

namespace cavi::kernels::cpu {

void assign_start(const AssignStart& op, const Responsibilities& given, const Problem& problem, ThreadPool& pool) {
  constexpr std::int64_t kBlock = 256;
  const std::int64_t n = problem.size(op.elements), k = op.components;
  const double* weight = op.weight == kNoBuffer ? nullptr : problem[op.weight];
  auto* raw = static_cast<double*>(pool.scratch(pool.worker(), std::size_t(2 * kBlock * k) * sizeof(double)));
  double* block = raw + kBlock * k;
  double entropy = 0;
  for (std::int64_t first = 0; first < n; first += kBlock) {
    const std::int64_t count = std::min(kBlock, n - first);
    given_responsibilities(given, problem.first_row, first, count, op.components, raw, block, kBlock);
    for (std::int64_t i = 0; i < count; ++i) {
      double* r = problem[op.r] + (first + i) * k;
      double h = 0;
      for (std::int64_t j = 0; j < k; ++j) {
        r[j] = block[j * kBlock + i];
        if (r[j] > 0) h -= r[j] * std::log(r[j]);
      }
      entropy += (weight ? weight[first + i] : 1) * h;
    }
  }
  *problem[op.entropy] = entropy;
}

}  // namespace cavi::kernels::cpu
