// SPDX-License-Identifier: Apache-2.0
/// \file
/// Numbers as comma-separated text (RFC 4180, with blanks around fields, any line end, lines that begin with # as
/// comments, and a UTF-8 mark allowed).
#pragma once

#include "src/io/file.hpp"
#include "src/io/lines.hpp"

#include <cavi/matrix.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace cavi::io {

/// The selected columns (all, when none is named) as float64, in `memory` bytes or in a temporary file. Throws IoError
/// naming line and column (both from 1) unless the text holds at least one row of numbers and all rows are equally
/// long. Empty lines may stand at the end only. Independent of the locale.
Matrix read_csv(const std::string& name, const ByteReader& read, const std::vector<std::string>& columns,
                std::int64_t memory);
Matrix read_csv(const InputFile& file, const std::vector<std::string>& columns, std::int64_t memory);

/// Fields of the first line when they are names without a number among them, else nothing.
std::vector<std::string> read_csv_header(const InputFile& file);

}  // namespace cavi::io
