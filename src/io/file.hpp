// SPDX-License-Identifier: Apache-2.0
/// \file
/// Regular files under a name: for reading from any thread, and for writing as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace cavi::io {

class InputFile {
 public:
  /// Throws IoError for a file that is missing, not readable, or no regular file.
  explicit InputFile(const std::filesystem::path& file);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& name() const { return name_; }
  std::int64_t size() const { return size_; }  ///< bytes, when it was opened

  /// Bytes [position, position + bytes) to `out`; fewer than asked for only where the file ends. Returns their number.
  std::size_t read_some(std::int64_t position, std::size_t bytes, void* out) const;
  /// The same, but throws IoError when the file ends before.
  void read(std::int64_t position, std::size_t bytes, void* out) const;

 private:
  std::string name_;
  std::int64_t size_ = 0;
  int descriptor_ = -1;
};

/// A file that takes its place when it is complete, and leaves nothing behind otherwise: it is written beside the
/// target, brought to the disk, and renamed. Everything throws IoError naming target and cause.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& target);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void commit();

 private:
  [[noreturn]] void fail() const;

  std::string target_, beside_;
  int descriptor_ = -1;
};

/// Extension in lower case, with the dot.
std::string extension(const std::filesystem::path& file);

}  // namespace cavi::io
