// SPDX-License-Identifier: Apache-2.0
// The programs for a GPU: compiled in every test run where nvcc exists, run where there is a device.
#include "emulator/programs.hpp"

#include <cstdio>
#include <numeric>

int main() {
  std::vector<float> x(700);
  std::iota(x.begin(), x.end(), 1.0f);
  const bool right = programs::reduce(x, 3) == 245350 && programs::reduce_by_ticket(x, 3) == 245350 &&
                     programs::pipeline(x, 100)[699] == 2100 && programs::transposed(x, 20, 35)[20] == x[1] &&
                     programs::iterate(1, 0.1f, 20).size() == 8;
  std::puts(right ? "right" : "wrong");
  return right ? 0 : 1;
}
