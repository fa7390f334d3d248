// SPDX-License-Identifier: Apache-2.0
// Which file is what, and whether its numbers come into memory.
#include "src/io/array_file.hpp"
#include "src/io/columns.hpp"
#include "src/io/csv.hpp"
#include "src/io/hdf5.hpp"
#include "src/memory_source.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <limits>
#include <memory>
#include <system_error>

namespace cavi {
namespace {

constexpr const char* kStandardInput = "standard input";

bool is_csv(const std::filesystem::path& file) { return io::extension(file) == ".csv"; }

std::size_t read_standard_input(char* out, std::size_t bytes) {
  ssize_t n = 0;
  do n = ::read(STDIN_FILENO, out, bytes);
  while (n < 0 && errno == EINTR);
  if (n < 0) throw IoError(fmt::format("{}: {}", kStandardInput, std::generic_category().message(errno)));
  return std::size_t(n);
}

Matrix open_csv(const std::filesystem::path& file, const ReadOptions& options, std::int64_t memory) {
  if (file == "-") return io::read_csv(kStandardInput, read_standard_input, options.columns, memory);
  return io::read_csv(io::InputFile(file), options.columns, memory);
}

Matrix open_binary(const std::filesystem::path& file, const ReadOptions& options) {
  if (options.raw) return Matrix(io::open_raw(file, *options.raw));
  if (const auto place = io::split_hdf5(file)) return io::open_hdf5(*place);
  if (io::extension(file) == ".npy") return Matrix(io::open_npy(file));
  throw IoError(fmt::format("{}: the name ends in none of .npy, .csv, .h5:DATASET", file.string()));
}

template <class T>
Matrix load(const Matrix& x) {
  std::vector<T> values(std::size_t(x.rows()) * std::size_t(x.cols()));
  x.source()->read(0, x.rows(), values.data());
  return Matrix(std::make_shared<MemorySource<T>>(std::move(values), x.rows(), x.cols(), x.name(), x.column_names()));
}

}  // namespace

Matrix open_matrix(const std::filesystem::path& file, const ReadOptions& options) {
  const std::int64_t memory = options.memory.value_or(default_memory());
  if (file == "-" && options.raw) throw IoError(std::string(kStandardInput) + ": only .csv is read from there");
  if (!options.raw && (file == "-" || is_csv(file))) return open_csv(file, options, memory);

  Matrix x = open_binary(file, options);
  if (!options.columns.empty()) x = io::select_columns(x, io::find_columns(x.name(), options.columns, x.cols(), {}));
  if (__int128(x.rows()) * x.cols() * size_of(x.scalar()) > memory) return x;
  return x.scalar() == Scalar::float32 ? load<float>(x) : load<double>(x);
}

std::vector<std::string> column_names(const std::filesystem::path& file) {
  return is_csv(file) ? io::read_csv_header(io::InputFile(file)) : std::vector<std::string>{};
}

bool holds_labels(const std::filesystem::path& file) {
  if (io::extension(file) != ".npy") return open_matrix(file).cols() == 1;
  const auto array = io::open_npy(file);
  return array->holds_integers() && array->cols() == 1;
}

std::vector<std::int32_t> read_labels(const std::filesystem::path& file) {
  if (io::extension(file) == ".npy" && !io::open_npy(file)->holds_integers())
    throw IoError(file.string() + ": labels must be integers (i4, i8 or u1), these are floating-point numbers");
  const Matrix matrix = open_matrix(file);
  if (matrix.cols() != 1)
    throw IoError(fmt::format("{}: labels are one column, this file has {}", matrix.name(), matrix.cols()));

  const std::vector<double> values = matrix.to_vector();
  std::vector<std::int32_t> labels(values.size());
  using Limits = std::numeric_limits<std::int32_t>;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] >= Limits::min() && values[i] <= Limits::max() && values[i] == std::trunc(values[i])))
      throw IoError(fmt::format("{}: row {} (from 0): {} is not a 32-bit integer", matrix.name(), i, values[i]));
    labels[i] = std::int32_t(values[i]);
  }
  return labels;
}

}  // namespace cavi
