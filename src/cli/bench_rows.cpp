// SPDX-License-Identifier: Apache-2.0
#include "src/cli/bench_rows.hpp"

#include "src/family.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

namespace cavi::cli {
namespace {

constexpr int kClusters = 4;

/// Standard deviations from one cluster to another, whatever the features: the e^-98 of 14 is denormal in float32.
double distance(RowKind kind) {
  switch (kind) {
    case RowKind::overlapping:
    case RowKind::far: break;
    case RowKind::separated: return 40;
    case RowKind::denormal: return 14;
  }
  return 2;
}

/// A sum of four 16-bit numbers is normal enough; mean 0, variance 1.
double noise(std::uint64_t bits) {
  const auto sum = double((bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48));
  return (sum / 65535 - 2) * std::sqrt(3.0);
}

/// A number that the family can have, one where there is none of that size.
double as_family(ComponentFamily family, double z) {
  if (family == ComponentFamily::gaussian) return z;
  const IndependentFamily& f = family_of(family);
  const double size = f.whole ? std::floor(2 * std::abs(z)) : std::abs(z);
  return f.holds(size) ? size : 1;
}

}  // namespace

Matrix make_rows(ComponentFamily family, RowKind kind, std::int64_t rows, int features) {
  // A cluster is shifted along every fourth feature, so two of them differ in half of all.
  const double shift = distance(kind) / std::sqrt(std::max(1.0, 2.0 * features / kClusters));
  const double origin = kind == RowKind::far ? 1e4 : 0;
  std::mt19937_64 random(1);
  std::vector<float> x(std::size_t(rows) * std::size_t(features));
  for (std::int64_t n = 0; n < rows; ++n)
    for (int d = 0; d < features; ++d) {
      double z = noise(random()) + origin + shift * double((n + d) % kClusters == 0);
      if (kind == RowKind::denormal && (n / kClusters + d) % 2) z *= 1e-40;
      x[std::size_t(n) * std::size_t(features) + std::size_t(d)] = float(as_family(family, z));
    }
  return Matrix(std::move(x), rows, features);
}

}  // namespace cavi::cli
