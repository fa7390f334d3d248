// SPDX-License-Identifier: Apache-2.0
#include "src/io/file.hpp"
#include "src/io/npy.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>

#include <fmt/format.h>

#include <string>
#include <vector>

namespace cavi {
namespace {

void write(const std::filesystem::path& file, const char* type, const std::vector<std::int64_t>& shape,
           const void* data, std::size_t bytes) {
  const std::string start = io::npy_start(type, shape);
  io::OutputFile out(file);
  out.write(start.data(), start.size());
  out.write(data, bytes);
  out.commit();
}

template <class T>
void write_matrix(const std::filesystem::path& file, const char* type, std::span<const T> values, std::int64_t rows,
                  int cols) {
  if (rows < 0 || cols < 0 || __int128(rows) * cols != __int128(values.size()))
    throw ShapeError(fmt::format("{}: {} numbers are not {} x {}", file.string(), values.size(), rows, cols));
  write(file, type, {rows, cols}, values.data(), values.size_bytes());
}

}  // namespace

void write_npy(const std::filesystem::path& file, std::span<const double> values, std::int64_t rows, int cols) {
  write_matrix(file, "<f8", values, rows, cols);
}

void write_npy(const std::filesystem::path& file, std::span<const float> values, std::int64_t rows, int cols) {
  write_matrix(file, "<f4", values, rows, cols);
}

void write_npy(const std::filesystem::path& file, std::span<const std::int32_t> values) {
  write(file, "<i4", {std::int64_t(values.size())}, values.data(), values.size_bytes());
}

}  // namespace cavi
