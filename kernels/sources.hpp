// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which rows of which source belong to a problem, and how they get into a float64 buffer.
#pragma once

#include "kernels/ops.hpp"

#include <cstdint>

namespace cavi::kernels {

/// The rows of one problem.
Rows rows_of(const Program& program, const SourceSpec& source, std::int64_t problem);

/// All rows, with the origin of the first problem: of a source that is the same for every problem.
Rows all_rows(const SourceSpec& source);

/// Whether a source is loaded once for all problems.
inline bool is_shared(const SourceSpec& s) {
  return s.buffer != kNoBuffer && !s.per_problem && s.origin.size() <= std::size_t(s.matrix.cols());
}

/// out [rows.count x cols] = rows minus origin. Throws NumericalError naming the source, row and column of a number
/// that is not finite.
void load(const SourceSpec& source, const Rows& rows, double* out);

}  // namespace cavi::kernels
