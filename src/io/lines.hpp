// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text line by line.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cavi::io {

/// Puts the next bytes of a text, as many as given at most, to `out` and returns their number; 0 at the end.
using ByteReader = std::function<std::size_t(char* out, std::size_t bytes)>;

/// Lines without their ends: LF, CR or CRLF. A line is valid until the next one is asked for.
class LineReader {
 public:
  LineReader(std::string name, ByteReader read) : name_(std::move(name)), read_(std::move(read)), buffer_(1 << 18) {}

  /// False at the end of the text. Throws IoError that opens with the name for a line of more than 128 MiB, and what
  /// the ByteReader throws.
  bool next(std::string_view& line);

 private:
  bool fill();

  std::string name_;
  ByteReader read_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  bool after_return_ = false;  ///< a line feed that comes next belongs to the line before
};

}  // namespace cavi::io
