// SPDX-License-Identifier: Apache-2.0
/// \file
/// Several matrices as one.
#pragma once

#include <cavi/matrix.hpp>

#include <vector>

namespace cavi::io {

/// The rows of all parts, one part after the other, which stay where they are: in memory or in their files. Float32
/// when all parts are. There is at least one part, and all have the same number of columns.
Matrix join_rows(std::vector<Matrix> parts);

}  // namespace cavi::io
