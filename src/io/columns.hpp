// SPDX-License-Identifier: Apache-2.0
/// \file
/// Some of the columns of a matrix.
#pragma once

#include <cavi/matrix.hpp>

#include <string>
#include <vector>

namespace cavi::io {

/// Numbers of the columns that are selected by name or number, all of them when `selected` is empty. `names` may be
/// empty, and so may a column's; a name goes before a number. Throws IoError that opens with `file` and says which
/// column is not there, or is there twice.
std::vector<int> find_columns(const std::string& file, const std::vector<std::string>& selected, int cols,
                              const std::vector<std::string>& names);

/// `x` with its columns in the order of `names`, when it has columns of just these names; as it is otherwise.
Matrix in_order_of(const std::vector<std::string>& names, const Matrix& x);

/// Throws ShapeError at the first column of `x` that is called otherwise than in `names`, those of `whose`, as many. A
/// side without names goes with any.
void require_names(const std::vector<std::string>& names, const std::string& whose, const Matrix& x);

/// The matrix with these columns, by number, in this order; reads all columns of its source.
Matrix select_columns(const Matrix& x, std::vector<int> columns);

}  // namespace cavi::io
