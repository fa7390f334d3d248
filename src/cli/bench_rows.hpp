// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows for benchmarks.
#pragma once

#include <cavi/mixture.hpp>

#include <cstdint>

namespace cavi::cli {

/// Four clusters of unit variance: overlapping, two standard deviations apart; separated, forty; far, overlapping and
/// ten thousand from the origin; denormal, with every other number a denormal one, and so are the responsibilities of
/// the clusters that a row is not from.
enum class RowKind { overlapping, separated, far, denormal };

/// float32 numbers that the family can have; the same call gives the same rows.
Matrix make_rows(ComponentFamily family, RowKind kind, std::int64_t rows, int features);

}  // namespace cavi::cli
