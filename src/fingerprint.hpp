// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cavi/matrix.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace cavi {

/// What tells one data set from another.
struct Fingerprint {
  std::int64_t rows = 0;
  int cols = 0;
  std::uint64_t hash = 0;  ///< of all numbers as they are stored, and of the weights
};
Fingerprint fingerprint(const Matrix& x, const std::vector<double>& sample_weight);
/// Why `data` are not those of the checkpoint; empty when they are.
std::string difference(const Fingerprint& data, const Fingerprint& checkpoint);

}  // namespace cavi
