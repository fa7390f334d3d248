// SPDX-License-Identifier: Apache-2.0
// Rows in coordinates in which float32 is enough for them.
//
// The model of a mixture is the same in any units: with x = origin + scale z its bound is that of z less N log|scale|,
// and its parameters map back. Rows whose columns all but depend on each other, or have units in which squares leave
// the range of float32, are fitted as z.
#pragma once

#include <cavi/matrix.hpp>

#include <cstdint>
#include <vector>

namespace cavi {

/// z of all problems, float64; problem b owns rows [offsets[b], offsets[b + 1]) and has an origin [D] and a scale
/// [D x D], lower triangular. A scale of zeros stands for none: the origin alone is subtracted.
Matrix standardised_rows(const Matrix& x, std::vector<std::int64_t> offsets, std::vector<double> origin,
                         std::vector<double> scale);

/// scale^-1 v and scale^-1 m scale^-T, in place.
void standardise_vector(const double* scale, int d, double* v);
void standardise_matrix(const double* scale, int d, double* m);
/// scale v and scale m scale^T, in place.
void restore_vector(const double* scale, int d, double* v);
void restore_matrix(const double* scale, int d, double* m);

}  // namespace cavi
