// SPDX-License-Identifier: Apache-2.0
#include <cavi/cavi.hpp>

#include <vector>

int main() {
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const cavi::Matrix m = cavi::Matrix::view(numbers.data(), 3, 2);
  return m.to_vector() == std::vector<double>{1, 2, 3, 4, 5, 6} ? 0 : 1;
}
