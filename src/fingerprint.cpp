// SPDX-License-Identifier: Apache-2.0
#include "src/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace cavi {

Fingerprint fingerprint(const Matrix& x, const std::vector<double>& sample_weight) {
  constexpr std::int64_t kBlock = 1 << 16;  // bytes
  Fingerprint out{x.rows(), x.cols(), 0};
  const auto add = [&](std::uint64_t word) {  // the round of MurmurHash3 (Appleby)
    word *= 0x87c37b91114253d5u;
    out.hash ^= (word << 31 | word >> 33) * 0x4cf5ad432745937fu;
    out.hash = (out.hash << 27 | out.hash >> 37) * 5 + 0x52dce729;
  };
  const std::int64_t row = std::int64_t(x.cols()) * size_of(x.scalar()),
                     rows = row > 0 ? std::max<std::int64_t>(1, kBlock / row) : 0;
  std::vector<std::uint64_t> words(std::size_t(rows * row + 7) / 8);
  add(std::uint64_t(x.scalar()));
  for (std::int64_t first = 0; rows > 0 && first < x.rows(); first += rows) {
    const std::int64_t count = std::min(rows, x.rows() - first);
    const std::size_t used = std::size_t(count * row + 7) / 8;
    words[used - 1] = 0;
    x.source()->read(first, count, words.data());
    for (std::size_t i = 0; i < used; ++i) add(words[i]);
  }
  for (const double w : sample_weight) add(std::bit_cast<std::uint64_t>(w));
  return out;
}

std::string difference(const Fingerprint& data, const Fingerprint& checkpoint) {
  if (data.rows != checkpoint.rows || data.cols != checkpoint.cols)
    return fmt::format("a checkpoint of {} rows x {} columns, the data have {} x {}", checkpoint.rows, checkpoint.cols,
                       data.rows, data.cols);
  return data.hash == checkpoint.hash ? "" : "a checkpoint of other data or weights of that size";
}

}  // namespace cavi
