// SPDX-License-Identifier: Apache-2.0
#include "src/io/csv.hpp"

#include "src/io/columns.hpp"
#include "src/io/spool.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace cavi::io {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

enum class Kind { number, text, out_of_range, open_quote, after_quote };

struct Field {
  Kind kind = Kind::text;
  double value = 0;
  std::string_view text;   // without quotes and the blanks before it
  std::size_t column = 0;  // from 1
};

/// The number that fills [p, end) up to blanks at its end. Returns where it stopped.
const char* parse_number(const char* p, const char* end, Field& field) {
  if (end - p > 1 && *p == '+' && p[1] != '-') ++p;
  auto [stop, error] = std::from_chars(p, end, field.value);
  if (error == std::errc::result_out_of_range) {  // what is merely too small is zero
    long double wide = 0;
    const bool small = std::from_chars(p, end, wide).ec == std::errc() && std::abs(wide) < 1;
    field.value = double(wide);
    field.kind = small ? Kind::number : Kind::out_of_range;
  } else {
    field.kind = error == std::errc() ? Kind::number : Kind::text;
  }
  while (stop < end && is_blank(*stop)) ++stop;
  return stop;
}

std::string_view trimmed(const char* begin, const char* end) {
  while (begin < end && is_blank(*begin)) ++begin;
  while (begin < end && is_blank(end[-1])) --end;
  return {begin, std::size_t(end - begin)};
}

/// Reads the field at `p`; returns the comma behind it, or `end`.
const char* read_field(std::string_view line, const char* p, Field& field) {
  const char* end = line.data() + line.size();
  while (p < end && is_blank(*p)) ++p;
  field.column = std::size_t(p - line.data()) + 1;
  if (p == end || *p != '"') {
    const char* stop = parse_number(p, end, field);
    if (field.kind == Kind::number && (stop == end || *stop == ',')) {
      field.text = {p, std::size_t(stop - p)};
      return stop;
    }
    const char* comma = std::find(p, end, ',');
    field.text = trimmed(p, comma);
    if (stop != comma) field.kind = Kind::text;
    return comma;
  }
  const char* close = std::find(p + 1, end, '"');
  while (close < end && end - close > 1 && close[1] == '"') close = std::find(close + 2, end, '"');  // "" is a quote
  field.text = trimmed(p + 1, close);
  if (close == end) return field.kind = Kind::open_quote, end;
  const char* text_end = field.text.data() + field.text.size();
  if (parse_number(field.text.data(), text_end, field) != text_end) field.kind = Kind::text;
  const char* comma = close + 1;
  while (comma < end && is_blank(*comma)) ++comma;
  if (comma < end && *comma != ',') return field.kind = Kind::after_quote, end;
  return comma;
}

bool is_number(const Field& field) { return field.kind == Kind::number || field.kind == Kind::out_of_range; }

/// What stands for a value that nobody knows, and so is no name either.
bool is_missing(const Field& field) {
  static constexpr std::array<std::string_view, 6> kWords{"", "NA", "N/A", "?", "null", "NULL"};
  return field.kind == Kind::text && std::find(kWords.begin(), kWords.end(), field.text) != kWords.end();
}

/// Names and no numbers: a row that lacks a value must not be taken for a header, which would drop it in silence.
bool is_header(const std::vector<Field>& line, const std::vector<int>& selected) {
  const auto any = [&](auto is) {
    return std::any_of(selected.begin(), selected.end(), [&](int c) { return is(line[std::size_t(c)]); });
  };
  return !any(is_number) && any([](const Field& f) { return f.kind == Kind::text && !is_missing(f); });
}

/// Text from a file, fit for one line of a message.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 40)) out += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > 40 ? out + "..." : out;
}

class CsvReader {
 public:
  CsvReader(std::string name, ByteReader read) : name_(name), lines_(std::move(name), std::move(read)) {}

  /// All fields of the first line that is no comment.
  std::vector<Field> first_line() {
    if (!next_line()) throw IoError(name_ + (number_ > 1 ? ": comments but no rows" : ": the file is empty"));
    if (line_.starts_with("\xff\xfe") || line_.starts_with("\xfe\xff")) fail(1, "this is UTF-16; save it as UTF-8");
    if (empty()) fail(1, "a line of names or numbers expected, not an empty one");
    std::vector<Field> fields;
    for (const char *p = line_.data(), *end = p + line_.size();; ++p) {
      p = read_field(line_, p, fields.emplace_back());
      const Field& field = fields.back();
      if (field.kind == Kind::open_quote || field.kind == Kind::after_quote) fail(field);
      if (p == end) return fields;
    }
  }

  /// Passes over comments.
  bool next_line() {
    do {
      ++number_;
      if (!lines_.next(line_)) return false;
      if (number_ == 1 && line_.starts_with("\xef\xbb\xbf")) line_.remove_prefix(3);
    } while (is_comment());
    return true;
  }
  bool empty() const { return std::all_of(line_.begin(), line_.end(), is_blank); }
  std::int64_t number() const { return number_; }

  /// Puts field c of the line to row[place[c]], or nowhere when that is negative.
  void read_row(const std::vector<int>& place, double* row) {
    const char *p = line_.data(), *end = p + line_.size();
    Field field;
    const std::size_t cols = place.size();
    for (std::size_t c = 0;; ++p) {
      p = read_field(line_, p, field);
      if (field.kind == Kind::open_quote || field.kind == Kind::after_quote ||
          (place[c] >= 0 && field.kind != Kind::number))
        fail(field);
      if (place[c] >= 0) row[place[c]] = field.value;
      if (++c == cols) break;
      if (p == end) fail(line_.size() + 1, fmt::format("the line ends after {} of the {} fields of line 1", c, cols));
    }
    if (p != end) fail(std::size_t(p - line_.data()) + 1, fmt::format("more than the {} fields of line 1", cols));
  }

  /// A field of the first line is a number, unless that is a header.
  void require_first(const Field& field, bool header) const {
    if (field.kind == Kind::out_of_range) fail(field);
    if (header || field.kind == Kind::number) return;
    const std::string what =
        field.text.empty() ? "the field is empty" : fmt::format("'{}' is not a number", shown(field.text));
    fail(field.column,
         what + ": is this a row with a missing value, to be dropped or filled in? A header has no numbers");
  }

  [[noreturn]] void fail(std::size_t column, const std::string& cause) const {
    throw IoError(fmt::format("{}: line {}, column {}: {}", name_, number_, column, cause));
  }
  [[noreturn]] void fail(const Field& field) const {
    switch (field.kind) {
      case Kind::out_of_range:
        fail(field.column, fmt::format("'{}' is out of the range of float64", shown(field.text)));
      case Kind::open_quote: fail(field.column, "the quoted field does not end on its line");
      case Kind::after_quote: fail(field.column, "expected a comma after the quoted field");
      default: break;
    }
    if (field.text.empty()) fail(field.column, "the field is empty, expected a number");
    const bool other_separator = field.text.find_first_of(";\t ") != std::string_view::npos;
    fail(field.column,
         fmt::format("'{}' is not a number{}", shown(field.text), other_separator ? "; commas separate fields" : ""));
  }

 private:
  bool is_comment() const {
    const auto first = std::find_if_not(line_.begin(), line_.end(), is_blank);
    return first != line_.end() && *first == '#';
  }

  std::string name_;
  LineReader lines_;
  std::string_view line_;
  std::int64_t number_ = 0;  // of line_, from 1
};

std::string name_in(const Field& field) {
  std::string name(trimmed(field.text.data(), field.text.data() + field.text.size()));
  for (std::size_t at = 0; (at = name.find("\"\"", at)) != std::string::npos; ++at) name.erase(at, 1);
  return name;
}

ByteReader reader_of(const InputFile& file) {
  return [&file, position = std::int64_t(0)](char* out, std::size_t bytes) mutable {
    const std::size_t got = file.read_some(position, bytes, out);
    position += std::int64_t(got);
    return got;
  };
}

}  // namespace

Matrix read_csv(const std::string& name, const ByteReader& read, const std::vector<std::string>& columns,
                std::int64_t memory) {
  CsvReader reader(name, read);
  const std::vector<Field> first = reader.first_line();
  if (first.size() > std::size_t(std::numeric_limits<int>::max())) reader.fail(1, "too many fields");
  std::vector<std::string> names;  // what is a number is no name
  for (const Field& field : first) names.push_back(field.kind == Kind::text ? name_in(field) : "");
  const std::vector<int> selected = find_columns(name, columns, int(first.size()), names);
  std::vector<int> place(first.size(), -1);
  for (std::size_t i = 0; i < selected.size(); ++i) place[std::size_t(selected[i])] = int(i);

  const bool by_name = std::any_of(columns.begin(), columns.end(), [&](const std::string& column) {
    return !column.empty() && std::find(names.begin(), names.end(), column) != names.end();
  });
  const bool header = by_name || is_header(first, selected);
  for (const int c : selected) reader.require_first(first[std::size_t(c)], header);
  RowSpool rows(name, memory);
  std::vector<double> row(selected.size());
  names.clear();
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Field& field = first[std::size_t(selected[i])];
    if (header) names.push_back(name_in(field));
    row[i] = field.value;
  }
  if (!header) rows.append(row);
  const std::int64_t header_line = reader.number();
  while (reader.next_line()) {
    if (reader.empty()) {
      const std::int64_t gap = reader.number();
      while (reader.next_line())
        if (!reader.empty()) throw IoError(fmt::format("{}: line {}: an empty line between rows", name, gap));
      break;
    }
    reader.read_row(place, row.data());
    rows.append(row);
  }
  if (rows.rows() == 0) throw IoError(fmt::format("{}: line {}: names but no rows", name, header_line));
  return rows.finish(int(row.size()), std::move(names));
}

Matrix read_csv(const InputFile& file, const std::vector<std::string>& columns, std::int64_t memory) {
  return read_csv(file.name(), reader_of(file), columns, memory);
}

std::vector<std::string> read_csv_header(const InputFile& file) {
  CsvReader reader(file.name(), reader_of(file));
  const std::vector<Field> fields = reader.first_line();
  std::vector<std::string> names;
  if (!is_header(fields, find_columns(file.name(), {}, int(fields.size()), {}))) return names;
  for (const Field& field : fields) names.push_back(name_in(field));
  return names;
}

}  // namespace cavi::io
