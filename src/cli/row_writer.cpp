// SPDX-License-Identifier: Apache-2.0
#include "src/cli/row_writer.hpp"

#include "src/io/npy.hpp"

#include <cmath>
#include <cstdio>
#include <limits>

namespace cavi::cli {
namespace {

/// Quoted where a comma, a quote or a line end stands in it (RFC 4180).
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

const char* npy_type(StoredType type) {
  return type == StoredType::f4 ? "<f4" : type == StoredType::f8 ? "<f8" : "<i4";
}

/// Infinities are what they were; a finite number must not become one.
bool holds(StoredType type, double value) {
  if (type == StoredType::i4)
    return value == std::trunc(value) && std::abs(value) <= std::numeric_limits<std::int32_t>::max();
  return type != StoredType::f4 || !std::isfinite(value) || std::isfinite(float(value));
}

template <class T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

RowWriter::RowWriter(const Text& file, std::vector<std::int64_t> shape, std::vector<std::string> names, StoredType type,
                     std::string source)
    : source_(std::move(source)), type_(type), shape_(std::move(shape)), names_(std::move(names)) {
  if (!file) return;
  const std::string extension = io::extension(*file);
  if (extension == ".npy")
    format_ = Format::npy;
  else if (extension == ".bin")
    format_ = Format::raw;
  else if (extension != ".csv")
    throw InputError(fmt::format("{}: the name ends in none of .npy, .csv, .bin", *file));
  file_.emplace(*file);
}

// Not before there is something to say: an error leaves standard output empty.
void RowWriter::begin() {
  if (begun_) return;
  begun_ = true;
  if (format_ == Format::npy) return write(io::npy_start(npy_type(type_), shape_));
  if (format_ == Format::raw || names_.empty()) return;
  std::string line;
  for (const std::string& name : names_) line += (line.empty() ? "" : ",") + csv_field(name);
  write(line + "\n");
}

void RowWriter::append(std::span<const double> values) {
  begin();
  const std::int64_t cols = shape_.size() > 1 ? shape_[1] : 1;
  buffer_.clear();
  for (const double value : values) {
    if (!holds(type_, value))
      throw InputError(fmt::format("{}: row {}, column {} (from 0): {} {}", source_, written_ / cols, written_ % cols,
                                   value,
                                   type_ == StoredType::i4 ? "is not a 32-bit integer"
                                                           : "is too large for f4, which ends at 3.4e38; f8 holds it"));
    ++written_;
    if (format_ != Format::csv) {
      if (type_ == StoredType::f4)
        append_raw(buffer_, float(value));
      else if (type_ == StoredType::f8)
        append_raw(buffer_, value);
      else
        append_raw(buffer_, std::int32_t(value));
      continue;
    }
    if (type_ == StoredType::f4)
      fmt::format_to(std::back_inserter(buffer_), "{}", float(value));
    else if (type_ == StoredType::f8)
      fmt::format_to(std::back_inserter(buffer_), "{}", value);
    else
      fmt::format_to(std::back_inserter(buffer_), "{}", std::int32_t(value));
    buffer_ += written_ % cols == 0 ? '\n' : ',';
  }
  write(buffer_);
}

void RowWriter::append(std::span<const std::int32_t> values) {
  append(std::span<const double>(std::vector<double>(values.begin(), values.end())));
}

void RowWriter::commit() {
  begin();
  if (file_) file_->commit();
}

void RowWriter::write(const std::string& bytes) {
  if (file_) return file_->write(bytes.data(), bytes.size());
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size())
    throw io::WriteError("standard output cannot be written");
}

}  // namespace cavi::cli
