// SPDX-License-Identifier: Apache-2.0
#include "src/cli/data.hpp"

#include <CLI/App.hpp>

#include <charconv>
#include <limits>
#include <string_view>

namespace cavi::cli {
namespace {

const Choices<StoredType> kTypes{{"f4", StoredType::f4},
                                 {"f8", StoredType::f8},
                                 {"i4", StoredType::i4},
                                 {"i8", StoredType::i8},
                                 {"u1", StoredType::u1}};

/// "512M": a whole number of bytes, or of 2^10, 2^20, 2^30 or 2^40 of them.
void read_bytes(const char* option, const Text& text, std::optional<std::int64_t>& bytes, Complaints& complaints) {
  if (!text) return;
  constexpr std::string_view kUnits = "KMGT";
  std::string number = *text;
  const std::size_t unit = number.empty() ? std::string_view::npos : kUnits.find(number.back());
  if (unit != std::string_view::npos) number.pop_back();
  const int shift = unit == std::string_view::npos ? 0 : 10 * int(unit + 1);
  std::uint64_t value = 0;
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, value);
  if (error != std::errc() || stop != end || value > std::uint64_t(std::numeric_limits<std::int64_t>::max()) >> shift)
    return complaints.add(fmt::format("{}: '{}' is no number of bytes such as 500000, 64M or 2G", option, *text));
  bytes = std::int64_t(value << shift);
}

/// "f4:1000x16", or "f4:x16" for as many rows as the file has.
void read_layout(const Text& text, std::optional<RawLayout>& layout, Complaints& complaints) {
  if (!text) return;
  RawLayout raw;
  const std::size_t colon = text->find(':'), x = text->find('x', colon == std::string::npos ? 0 : colon);
  const auto number = [](const std::string& digits, auto& value) {
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    return error == std::errc() && stop == end && value > 0;
  };
  const auto type = find_choice(text->substr(0, colon), kTypes);
  if (!type || colon == std::string::npos || x == std::string::npos ||
      (x > colon + 1 && !number(text->substr(colon + 1, x - colon - 1), raw.rows)) ||
      !number(text->substr(x + 1), raw.cols))
    return complaints.add(
        fmt::format("--raw: '{}' is no TYPE:ROWSxCOLS or TYPE:xCOLS with a type of {}", *text, names(kTypes)));
  raw.type = *type;
  layout = raw;
}

}  // namespace

void add_data_options(CLI::App& parser, DataArguments& data) {
  parser
      .add_option(
          "DATA", data.file,
          "Rows of numbers: .npy (f4, f8, i4, i8, u1), .csv,\nfile.h5:DATASET, or - for a .csv on standard input")
      ->type_name("FILE");
  const auto add = [&](const char* name, Text& text, const char* type, const char* help) {
    parser.add_option(name, text, help)->type_name(type)->group("Data");
  };
  add("--columns", data.columns, "C,C,...", "Names or numbers (from 0) of the columns to take");
  add("--raw", data.raw, "TYPE:RxC",
      "DATA is raw binary, row by row: f4:1000x16, or f4:x16\nfor as many rows as there are");
  add("--memory", data.memory, "SIZE",
      "Memory that the rows may take, as in 512M or 2G (default:\na quarter of what there is); larger files are read "
      "anew\n"
      "in every sweep, with the same result");
}

ReadOptions read_data_options(const DataArguments& data, Complaints& complaints) {
  ReadOptions options;
  read_bytes("--memory", data.memory, options.memory, complaints);
  read_layout(data.raw, options.raw, complaints);
  if (!data.columns) return options;
  options.columns = split(*data.columns, ',');
  for (const std::string& column : options.columns)
    if (column.empty()) {
      complaints.add(fmt::format("--columns: '{}' has an empty name", *data.columns));
      break;
    }
  return options;
}

std::optional<Matrix> read_data(const DataArguments& data, Complaints& complaints) {
  const std::size_t before = complaints.size();
  const ReadOptions options = read_data_options(data, complaints);
  const bool sound = complaints.size() == before;
  if (!data.file) complaints.add("DATA is required: a .npy or .csv file");
  std::optional<Matrix> x;
  if (sound && data.file) complaints.attempt([&] { x = open_matrix(*data.file, options); });
  return x;
}

}  // namespace cavi::cli
