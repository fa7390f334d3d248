// SPDX-License-Identifier: Apache-2.0
// make_rows FILE ROWS: a float32 .npy of ROWS x 16, rows from four clouds; much faster than a disk can take them.
#include "src/io/file.hpp"
#include "src/io/npy.hpp"

#include <cavi/error.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
  constexpr int kCols = 16, kBlock = 1 << 16;
  const std::int64_t rows = argc == 3 ? std::atoll(argv[2]) : 0;
  if (rows <= 0) return std::fprintf(stderr, "usage: make_rows FILE ROWS\n"), 2;
  cavi::io::OutputFile out(argv[1]);
  const std::string start = cavi::io::npy_start("<f4", {rows, kCols});
  out.write(start.data(), start.size());
  std::vector<float> block(std::size_t(kBlock) * kCols);
  std::uint64_t state = 1;
  const auto uniform = [&] {  // Marsaglia's xorshift
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return float(state >> 40) * 0x1p-24f - 0.5f;
  };
  for (std::int64_t first = 0; first < rows; first += kBlock) {
    const std::int64_t count = std::min<std::int64_t>(kBlock, rows - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto cloud = int((first + i) * 7 % 4);
      for (int d = 0; d < kCols; ++d)
        block[std::size_t(i * kCols + d)] = uniform() + uniform() + uniform() + 2 * float((cloud + d) % 4);
    }
    out.write(block.data(), std::size_t(count) * kCols * sizeof(float));
  }
  out.commit();
} catch (const cavi::Error& e) {
  std::fprintf(stderr, "make_rows: %s\n", e.what());
  return 1;
}
