// SPDX-License-Identifier: Apache-2.0
// Bytes as a .npy: refused, or an array every row of which can be read, in any blocks the same.
#include "src/io/array_file.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <cavi/error.hpp>

#include <cstring>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cavi;
  try {
    auto file = std::make_unique<io::InputFile>("input.npy", fuzz::file_of(data, size));
    const io::NpyHeader header = io::read_npy_header(*file);
    const io::ArrayFile x(std::move(file), header);
    const std::int64_t row = std::int64_t(x.cols()) * size_of(x.scalar());
    std::vector<char> whole(std::size_t(x.rows() * row)), halves(whole.size());
    x.read(0, x.rows(), whole.data());
    const std::int64_t first = x.rows() / 2;
    x.prefetch(0, x.rows());
    x.read(0, first, halves.data());
    x.read(first, x.rows() - first, halves.data() + first * row);
    fuzz::require(whole == halves, "blocks of rows are the rows");
  } catch (const Error&) {
  }
  return 0;
}
