// SPDX-License-Identifier: Apache-2.0
// Bytes as text: refused, or a table; the pieces in which it comes and where it is kept make no difference.
#include "src/io/csv.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

/// The table and its names, or the complaint, as bytes.
std::string outcome(const char* data, std::size_t size, std::size_t piece, const std::vector<std::string>& columns,
                    std::int64_t memory) {
  std::size_t at = 0;
  const auto read = [&](char* out, std::size_t bytes) {
    const std::size_t n = std::min({bytes, piece, size - at});
    std::memcpy(out, data + at, n);
    at += n;
    return n;
  };
  try {
    const cavi::Matrix x = cavi::io::read_csv("input", read, columns, memory);
    const std::vector<double> values = x.to_vector();
    cavi::fuzz::require(x.rows() > 0 && x.cols() > 0 && std::int64_t(values.size()) == x.rows() * x.cols(), "a shape");
    std::string out(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
    for (const std::string& name : x.column_names()) out += name + "\n";
    return out + std::to_string(x.rows());
  } catch (const cavi::IoError& e) {
    cavi::fuzz::require(!std::strpbrk(e.what(), "\n\r"), "a complaint is one line");
    return e.what();
  }
}

}  // namespace

// The first byte chooses columns; the second, rarely, a file instead of memory.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::vector<std::string> columns;
  if (data[0] & 1) columns.emplace_back("0");
  if (data[0] & 2) columns.emplace_back("1");
  if (data[0] & 4) columns.emplace_back("a");
  const char* text = reinterpret_cast<const char*>(data) + 2;
  const std::string whole = outcome(text, size - 2, size, columns, 1 << 30);
  cavi::fuzz::require(whole == outcome(text, size - 2, 1, columns, data[1] == 0 ? 0 : 1 << 30), "pieces");
  return 0;
}
