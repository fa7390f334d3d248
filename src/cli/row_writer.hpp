// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows of numbers on their way out.
#pragma once

#include "src/cli/text.hpp"
#include "src/io/file.hpp"

#include <cavi/io.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cavi::cli {

/// Help for an option that names where rows go.
inline constexpr const char* kOutHelp =
    "Write to FILE instead of standard output: .npy, .csv or\n(raw binary) .bin; it appears as a whole or not at all";

/// Writes rows block by block: to a .npy, .csv or raw .bin file, as its name says, or as .csv to standard output. A
/// file takes its place at commit(); until then nothing is visible.
class RowWriter {
 public:
  /// `shape`: rows, or rows and columns. `names` of the columns head a .csv unless there are none. Types: f4, f8, i4.
  /// `source`: where the numbers are from, for messages. Throws InputError for another name of a file, IoError.
  RowWriter(const Text& file, std::vector<std::int64_t> shape, std::vector<std::string> names, StoredType type,
            std::string source = "result");

  /// Throws IoError; InputError for a number that i4 or f4 cannot hold.
  void append(std::span<const double> values);
  void append(std::span<const std::int32_t> values);
  void commit();

 private:
  enum class Format { npy, csv, raw };

  void begin();
  void write(const std::string& bytes);

  std::string source_;
  Format format_ = Format::csv;
  StoredType type_;
  std::vector<std::int64_t> shape_;
  std::vector<std::string> names_;
  std::int64_t written_ = 0;  ///< numbers
  bool begun_ = false;
  std::optional<io::OutputFile> file_;  ///< none: standard output
  std::string buffer_;
};

}  // namespace cavi::cli
