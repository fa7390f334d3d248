// SPDX-License-Identifier: Apache-2.0
#include <cavi/error.hpp>
#include <cavi/io.hpp>
#include "src/io/csv.hpp"
#include "src/io/npy.hpp"
#include "src/memory_source.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <memory>

namespace cavi {
namespace {

enum class Format { npy, csv };

Format format_of(const std::filesystem::path& file) {
  const std::string extension = io::extension(file);
  if (extension == ".npy") return Format::npy;
  if (extension == ".csv") return Format::csv;
  throw IoError(fmt::format("{}: the name ends in neither .npy nor .csv", file.string()));
}

}  // namespace

Matrix open_matrix(const std::filesystem::path& file) {
  if (format_of(file) == Format::npy) return Matrix(std::make_shared<io::NpyFile>(file));
  const io::InputFile input(file);
  io::CsvTable table = io::read_csv(input);
  return Matrix(std::make_shared<MemorySource<double>>(std::move(table.values), table.rows, table.cols, input.name()));
}

std::vector<std::string> column_names(const std::filesystem::path& file) {
  if (format_of(file) == Format::npy) return {};
  return io::read_csv_header(io::InputFile(file));
}

bool holds_labels(const std::filesystem::path& file) {
  if (format_of(file) == Format::csv) return open_matrix(file).cols() == 1;
  const io::NpyFile array(file);
  return array.holds_integers() && array.cols() == 1;
}

std::vector<std::int32_t> read_labels(const std::filesystem::path& file) {
  const Matrix matrix = open_matrix(file);
  const auto* array = dynamic_cast<const io::NpyFile*>(matrix.source().get());
  if (array && !array->holds_integers())
    throw IoError(matrix.name() + ": labels must be integers (i4, i8 or u1), these are floating-point numbers");
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
