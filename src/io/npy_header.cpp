// SPDX-License-Identifier: Apache-2.0
#include <cavi/error.hpp>
#include "src/io/npy.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <limits>
#include <string_view>
#include <vector>

static_assert(std::endian::native == std::endian::little, "stored numbers are copied as they are");

namespace cavi::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

/// A reader of the dict literal that knows where in the file it stands.
class Literal {
 public:
  Literal(const std::string& name, std::string_view text, std::int64_t start)
      : name_(name), text_(text), start_(start) {}

  std::int64_t position() const { return start_ + std::int64_t(at_); }
  bool at_end() const { return at_ == text_.size(); }

  [[noreturn]] void fail(std::int64_t byte, const std::string& cause) const {
    throw IoError(fmt::format("{}: byte {}: {}", name_, byte, cause));
  }

  void skip_blanks() {
    while (!at_end() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool accept(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail(position(), fmt::format("expected {} in the header", token));
  }

  std::string_view string() {
    skip_blanks();
    const char quote = at_end() ? '\0' : text_[at_];
    if (quote != '\'' && quote != '"') fail(position(), "expected a string in the header");
    const std::size_t close = text_.find(quote, at_ + 1);
    if (close == std::string_view::npos) fail(position(), "the string is not closed");
    const std::string_view value = text_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    return value;
  }

  bool boolean() {
    if (accept("True")) return true;
    if (accept("False")) return false;
    fail(position(), "expected True or False in the header");
  }

  std::int64_t size() {
    skip_blanks();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error == std::errc::result_out_of_range) fail(position(), "the shape is too large");
    if (error != std::errc()) fail(position(), "expected a whole number in the shape");
    if (value < 0) fail(position(), fmt::format("the shape has a negative size, {}", value));
    at_ = std::size_t(end - text_.data());
    accept("L");  // Python 2 wrote long numbers like this
    return value;
  }

 private:
  const std::string& name_;
  std::string_view text_;
  std::int64_t start_;
  std::size_t at_ = 0;
};

StoredType parse_type(Literal& literal) {
  const std::int64_t at = literal.position();
  const std::string_view name = literal.string();
  if (name == "<f4") return StoredType::f4;
  if (name == "<f8") return StoredType::f8;
  if (name == "<i4") return StoredType::i4;
  if (name == "<i8") return StoredType::i8;
  if (name == "|u1" || name == "<u1") return StoredType::u1;
  std::string shown;
  for (char c : name.substr(0, 16)) shown += c >= ' ' && c <= '~' ? c : '?';
  const char* kind = name.starts_with('>') ? "big-endian numbers" : name.starts_with("|O") ? "Python objects" : "type";
  literal.fail(at, fmt::format("{} '{}' cannot be read; save as '<f4', '<f8', '<i4', '<i8' or '|u1'", kind, shown));
}

std::vector<std::int64_t> parse_shape(Literal& literal) {
  std::vector<std::int64_t> shape;
  literal.expect("(");
  while (!literal.accept(")")) {
    shape.push_back(literal.size());
    if (literal.accept(",")) continue;
    literal.expect(")");
    break;
  }
  return shape;
}

/// Everything but NpyLayout::data.
NpyLayout parse(Literal literal) {
  NpyLayout layout;
  bool descr = false, order = false, shape = false;
  literal.expect("{");
  while (!literal.accept("}")) {
    literal.skip_blanks();
    const std::int64_t at = literal.position();
    const std::string_view key = literal.string();
    literal.expect(":");
    literal.skip_blanks();
    if (key == "descr" && !descr) {
      layout.stored = parse_type(literal);
      descr = true;
    } else if (key == "fortran_order" && !order) {
      layout.fortran_order = literal.boolean();
      order = true;
    } else if (key == "shape" && !shape) {
      layout.shape_at = literal.position();
      layout.shape = parse_shape(literal);
      shape = true;
    } else {
      literal.fail(at, "the header's keys must be 'descr', 'fortran_order' and 'shape', once each");
    }
    if (literal.accept(",")) continue;
    literal.expect("}");
    break;
  }
  literal.skip_blanks();
  if (!literal.at_end()) literal.fail(literal.position(), "unexpected text after the header");
  if (!descr || !order || !shape)
    literal.fail(literal.position(), fmt::format("the header has no '{}'", !descr   ? "descr"
                                                                           : !order ? "fortran_order"
                                                                                    : "shape"));

  layout.bytes = size_of(layout.stored);
  for (const std::int64_t size : layout.shape)
    if (__builtin_mul_overflow(layout.bytes, size, &layout.bytes))
      literal.fail(layout.shape_at, "the shape is too large");
  return layout;
}

}  // namespace

int size_of(StoredType stored) {
  switch (stored) {
    case StoredType::f4:
    case StoredType::i4: return 4;
    case StoredType::f8:
    case StoredType::i8: return 8;
    case StoredType::u1: return 1;
  }
  return 0;
}

NpyLayout parse_npy(const std::string& name, std::string_view start, std::int64_t size) {
  const auto fail = [&](std::int64_t byte, const std::string& cause) {
    throw IoError(fmt::format("{}: byte {}: {}", name, byte, cause));
  };
  const auto byte = [&](std::size_t at) { return std::size_t(static_cast<unsigned char>(start[at])); };
  if (!start.starts_with(kMagic)) fail(0, "not a .npy file (it does not begin with \\x93NUMPY)");
  const std::size_t version = start.size() >= 8 ? byte(6) : 1;
  const std::size_t text = version == 1 ? 10 : 12;  // the length has two bytes in version 1, then four
  if (start.size() >= 8 && (version < 1 || version > 3 || byte(7) != 0))
    fail(6, fmt::format("version {}.{} is not 1.0, 2.0 or 3.0", version, byte(7)));
  if (start.size() < text) fail(size, "the file ends inside its header");
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > kLongestNpyStart - 12) fail(8, fmt::format("a header of {} bytes is too long", length));
  if (text + length > start.size())
    fail(8, fmt::format("expected a header of {} bytes, the file has {}", length, start.size() - text));
  NpyLayout layout = parse(Literal(name, start.substr(text, length), std::int64_t(text)));
  layout.data = std::int64_t(text + length);
  return layout;
}

void require_bytes(const std::string& name, const NpyLayout& layout, std::int64_t size) {
  if (size - layout.data != layout.bytes)
    throw IoError(fmt::format("{}: byte {}: expected {} bytes of data, the file has {}", name, layout.data,
                              layout.bytes, size - layout.data));
}

NpyHeader read_npy_header(const InputFile& file) {
  if (file.size() == 0) throw IoError(file.name() + ": the file is empty");
  std::string start(kLongestNpyStart, '\0');
  start.resize(file.read_some(0, start.size(), start.data()));
  const NpyLayout layout = parse_npy(file.name(), start, file.size());
  const auto fail = [&](const std::string& cause) {
    throw IoError(fmt::format("{}: byte {}: {}", file.name(), layout.shape_at, cause));
  };
  const auto& shape = layout.shape;
  if (shape.size() != 1 && shape.size() != 2)
    fail(fmt::format("the array has {} dimensions, expected one or two", shape.size()));
  const std::int64_t cols = shape.size() == 2 ? shape[1] : 1;
  if (shape[0] == 0) fail("the array has zero rows");
  if (cols == 0) fail("the array has zero columns");
  if (cols > std::numeric_limits<int>::max()) fail("the shape is too large");
  require_bytes(file.name(), layout, file.size());
  return {layout.stored, layout.fortran_order, shape[0], int(cols), layout.data};
}

std::string npy_start(const char* type, const std::vector<std::int64_t>& shape) {
  std::string sizes;
  for (const std::int64_t size : shape) sizes += fmt::format("{}{}", sizes.empty() ? "" : ", ", size);
  if (shape.size() == 1) sizes += ",";
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sizes);
  constexpr std::size_t kText = 10, kAlignment = 64;  // of the numbers, so that others may map them
  header.append((kAlignment - (kText + header.size() + 1) % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::string start(kMagic);
  start += {1, 0, char(header.size() & 0xff), char(header.size() >> 8)};
  return start + header;
}

}  // namespace cavi::io
