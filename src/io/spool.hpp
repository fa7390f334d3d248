// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows whose number is not known before they have all come.
#pragma once

#include <cavi/matrix.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cavi::io {

/// Takes float64 rows one after the other: into memory while they fit, then into a temporary file without a name.
/// Everything throws IoError that opens with `name` when that file cannot be written.
class RowSpool {
 public:
  RowSpool(std::string name, std::int64_t memory) : name_(std::move(name)), memory_(memory) {}
  ~RowSpool();
  RowSpool(const RowSpool&) = delete;
  RowSpool& operator=(const RowSpool&) = delete;

  void append(std::span<const double> row);
  std::int64_t rows() const { return rows_; }
  /// All rows, which have `cols` numbers each. Call it once, with at least one row.
  Matrix finish(int cols, std::vector<std::string> column_names);

 private:
  void spill();

  std::string name_;
  std::int64_t memory_, held_ = 0, rows_ = 0;  ///< the first two in bytes
  std::vector<std::vector<double>> blocks_;    ///< not one vector, which needs twice the memory when it grows
  int descriptor_ = -1;
};

}  // namespace cavi::io
