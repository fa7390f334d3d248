// SPDX-License-Identifier: Apache-2.0
/// \file
/// Numbers as comma-separated text (RFC 4180, with blanks around fields, any line end, and a UTF-8 mark allowed).
#pragma once

#include "src/io/file.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cavi::io {

struct CsvTable {
  std::vector<double> values;  ///< [rows x cols]
  std::int64_t rows = 0;       ///< at least 1
  int cols = 0;                ///< at least 1
};

/// Throws IoError naming line and column (both from 1) unless the file holds at least one row of numbers and all rows
/// are equally long. Empty lines may stand at the end only. Independent of the locale.
CsvTable read_csv(const InputFile& file);

/// Fields of the first line when one of them is no number, else nothing.
std::vector<std::string> read_csv_header(const InputFile& file);

}  // namespace cavi::io
