// SPDX-License-Identifier: Apache-2.0
#include "src/io/array_file.hpp"

#include "src/memory_source.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

namespace cavi::io {

ArrayFile::ArrayFile(std::unique_ptr<const InputFile> file, NpyHeader header, std::vector<std::string> column_names)
    : file_(std::move(file)), header_(header), column_names_(std::move(column_names)) {}

Scalar ArrayFile::scalar() const {
  return header_.stored == StoredType::f4 || header_.stored == StoredType::u1 ? Scalar::float32 : Scalar::float64;
}

void ArrayFile::read(std::int64_t first, std::int64_t count, void* out) const {
  require_rows(*this, first, count);
  switch (header_.stored) {
    case StoredType::f4: return read_as<float>(first, count, static_cast<float*>(out));
    case StoredType::f8: return read_as<double>(first, count, static_cast<double*>(out));
    case StoredType::i4: return read_as<std::int32_t>(first, count, static_cast<double*>(out));
    case StoredType::i8: return read_as<std::int64_t>(first, count, static_cast<double*>(out));
    case StoredType::u1: return read_as<std::uint8_t>(first, count, static_cast<float*>(out));
  }
}

void ArrayFile::prefetch(std::int64_t first, std::int64_t count) const noexcept {
  const std::int64_t size = size_of(header_.stored), cols = header_.cols;
  if (!header_.fortran_order) return file_->prefetch(header_.data + first * cols * size, count * cols * size);
  for (std::int64_t c = 0; c < cols; ++c)
    file_->prefetch(header_.data + (c * header_.rows + first) * size, count * size);
}

template <class From, class To>
void ArrayFile::read_as(std::int64_t first, std::int64_t count, To* out) const {
  const std::int64_t cols = header_.cols;
  if (!header_.fortran_order) return copy<From>(first * cols, count * cols, 1, out);
  for (std::int64_t c = 0; c < cols; ++c) copy<From>(c * header_.rows + first, count, cols, out + c);
}

/// `count` stored numbers from number `position` on, to every stride-th place of `out`.
template <class From, class To>
void ArrayFile::copy(std::int64_t position, std::int64_t count, std::int64_t stride, To* out) const {
  if constexpr (std::is_same_v<From, To>) {
    if (stride == 1) return file_->read(header_.data + position * sizeof(From), count * sizeof(From), out);
  }
  std::array<From, 8192> block;
  for (std::int64_t done = 0; done < count; done += std::int64_t(block.size())) {
    const std::int64_t n = std::min(count - done, std::int64_t(block.size()));
    const std::int64_t byte = header_.data + (position + done) * std::int64_t(sizeof(From));
    file_->read(byte, n * sizeof(From), block.data());
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (std::is_same_v<From, std::int64_t>)
        if (block[i] < -kMostExact || block[i] > kMostExact)
          throw IoError(fmt::format("{}: byte {}: {} is beyond 2^53, where float64 is no longer exact", file_->name(),
                                    byte + i * 8, block[i]));
      out[(done + i) * stride] = To(block[i]);
    }
  }
}

std::shared_ptr<ArrayFile> open_npy(const std::filesystem::path& file) {
  auto input = std::make_unique<InputFile>(file);
  const NpyHeader header = read_npy_header(*input);
  return std::make_shared<ArrayFile>(std::move(input), header);
}

std::shared_ptr<ArrayFile> open_raw(const std::filesystem::path& file, const RawLayout& layout) {
  auto input = std::make_unique<InputFile>(file);
  const auto fail = [&](const std::string& cause) { throw IoError(input->name() + ": " + cause); };
  if (input->size() == 0) fail("the file is empty");
  if (layout.rows < 0 || layout.cols < 1)
    fail(fmt::format("{} x {} is no shape of raw numbers", layout.rows, layout.cols));
  const std::int64_t row = std::int64_t(layout.cols) * size_of(layout.type);
  const std::int64_t rows = input->size() / row;
  if (layout.rows == 0 && input->size() % row != 0)
    fail(fmt::format("{} bytes are no whole number of rows of {} bytes", input->size(), row));
  if (layout.rows > 0 && (layout.rows != rows || input->size() % row != 0))
    fail(fmt::format("expected {} rows of {} bytes, the file has {} bytes", layout.rows, row, input->size()));
  return std::make_shared<ArrayFile>(std::move(input), NpyHeader{layout.type, false, rows, layout.cols, 0});
}

}  // namespace cavi::io
