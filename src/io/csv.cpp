// SPDX-License-Identifier: Apache-2.0
#include "src/io/csv.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

namespace cavi::io {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// Lines of a file without their ends: LF, CR or CRLF. A line is valid until the next one is asked for.
class LineReader {
 public:
  explicit LineReader(const InputFile& file) : file_(file), buffer_(1 << 18) {}

  bool next(std::string_view& line) {
    std::size_t scanned = begin_;
    for (;;) {
      if (after_return_ && begin_ < end_) {
        after_return_ = false;
        if (buffer_[begin_] == '\n') scanned = ++begin_;
      }
      while (scanned < end_ && buffer_[scanned] != '\n' && buffer_[scanned] != '\r') ++scanned;
      if (scanned < end_) break;
      const std::size_t unread = scanned - begin_;
      if (!fill()) {
        if (begin_ == end_) return false;
        line = {buffer_.data() + begin_, unread};
        begin_ = end_;
        return true;
      }
      scanned = begin_ + unread;
    }
    line = {buffer_.data() + begin_, scanned - begin_};
    after_return_ = buffer_[scanned] == '\r';
    begin_ = scanned + 1;
    return true;
  }

 private:
  /// Moves what is left to the front and reads on behind it; false at the end of the file.
  bool fill() {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
    const std::size_t got = file_.read_some(position_, buffer_.size() - end_, buffer_.data() + end_);
    position_ += std::int64_t(got);
    end_ += got;
    return got > 0;
  }

  const InputFile& file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::int64_t position_ = 0;
  bool after_return_ = false;  // a line feed that comes next belongs to the line before
};

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

/// Text from a file, fit for one line of a message.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 40)) out += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > 40 ? out + "..." : out;
}

class CsvReader {
 public:
  explicit CsvReader(const InputFile& file) : file_(file), lines_(file) {
    if (file.size() == 0) throw IoError(file.name() + ": the file is empty");
  }

  /// All fields of the first line.
  std::vector<Field> first_line() {
    next_line();
    if (line_.starts_with("\xef\xbb\xbf")) line_.remove_prefix(3);
    if (line_.starts_with("\xff\xfe") || line_.starts_with("\xfe\xff")) fail(1, "this is UTF-16; save it as UTF-8");
    if (empty()) fail(1, "a line of names or numbers expected, not an empty one");
    std::vector<Field> fields;
    for (const char *p = line_.data(), *end = p + line_.size();; ++p) {
      p = read_field(line_, p, fields.emplace_back());
      const Field& field = fields.back();
      if (field.kind != Kind::number && field.kind != Kind::text) fail(field);
      if (p == end) return fields;
    }
  }

  bool next_line() {
    ++number_;
    return lines_.next(line_);
  }
  bool empty() const { return std::all_of(line_.begin(), line_.end(), is_blank); }
  std::int64_t number() const { return number_; }

  /// Appends `cols` numbers.
  void append_row(int cols, std::vector<double>& values) {
    const char *p = line_.data(), *end = p + line_.size();
    Field field;
    for (int c = 1;; ++c, ++p) {
      p = read_field(line_, p, field);
      if (field.kind != Kind::number) fail(field);
      values.push_back(field.value);
      if (c == cols) break;
      if (p == end) fail(line_.size() + 1, fmt::format("the line ends after {} of the {} fields of line 1", c, cols));
    }
    if (p != end) fail(std::size_t(p - line_.data()) + 1, fmt::format("more than the {} fields of line 1", cols));
  }

  [[noreturn]] void fail(std::size_t column, const std::string& cause) const {
    throw IoError(fmt::format("{}: line {}, column {}: {}", file_.name(), number_, column, cause));
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
  const InputFile& file_;
  LineReader lines_;
  std::string_view line_;
  std::int64_t number_ = 0;  // of line_, from 1
};

bool is_header(const std::vector<Field>& fields) {
  return std::any_of(fields.begin(), fields.end(), [](const Field& f) { return f.kind != Kind::number; });
}

}  // namespace

CsvTable read_csv(const InputFile& file) {
  CsvReader reader(file);
  CsvTable table;
  {
    const std::vector<Field> first = reader.first_line();
    if (first.size() > std::size_t(std::numeric_limits<int>::max())) reader.fail(1, "too many fields");
    table.cols = int(first.size());
    if (!is_header(first)) {
      for (const Field& field : first) table.values.push_back(field.value);
      table.rows = 1;
    }
  }
  while (reader.next_line()) {
    if (reader.empty()) {
      const std::int64_t gap = reader.number();
      while (reader.next_line())
        if (!reader.empty()) throw IoError(fmt::format("{}: line {}: an empty line between rows", file.name(), gap));
      break;
    }
    reader.append_row(table.cols, table.values);
    ++table.rows;
  }
  if (table.rows == 0) throw IoError(fmt::format("{}: line 1: names but no rows", file.name()));
  return table;
}

std::vector<std::string> read_csv_header(const InputFile& file) {
  CsvReader reader(file);
  const std::vector<Field> fields = reader.first_line();
  std::vector<std::string> names;
  if (!is_header(fields)) return names;
  for (const Field& field : fields) {
    std::string& name = names.emplace_back(trimmed(field.text.data(), field.text.data() + field.text.size()));
    for (std::size_t at = 0; (at = name.find("\"\"", at)) != std::string::npos; ++at) name.erase(at, 1);
  }
  return names;
}

}  // namespace cavi::io
