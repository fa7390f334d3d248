// SPDX-License-Identifier: Apache-2.0
/// \file
/// Regular files under a name: for reading from any thread, and for writing as a whole.
#pragma once

#include <cavi/error.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace cavi::io {

/// A file that was fine to begin with and could not be written to its end: no fault of who named it.
struct WriteError : IoError {
  using IoError::IoError;
};

class InputFile {
 public:
  /// Throws IoError for a file that is missing, not readable, or no regular file.
  explicit InputFile(const std::filesystem::path& file);
  /// Takes over an open file; `name` is for messages.
  InputFile(std::string name, int descriptor);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& name() const { return name_; }
  std::int64_t size() const { return size_; }  ///< bytes, when it was opened

  /// Bytes [position, position + bytes) to `out`; fewer than asked for only where the file ends. Returns their number.
  std::size_t read_some(std::int64_t position, std::size_t bytes, void* out) const;
  /// The same, but throws IoError when the file ends before.
  void read(std::int64_t position, std::size_t bytes, void* out) const;
  /// Throws IoError when the file has become shorter than it was.
  void require_size() const;
  /// Asks the system to fetch these bytes meanwhile.
  void prefetch(std::int64_t position, std::int64_t bytes) const noexcept;

 private:
  std::string name_;
  std::int64_t size_ = 0;
  int descriptor_ = -1;
};

/// Writes everything, or throws std::system_error.
void write_all(int descriptor, const void* data, std::size_t bytes);

/// An open file without a name in `folder`, or -1 with errno set where the file system has no such files.
int open_nameless(const std::filesystem::path& folder);

/// A file that takes its place when it is complete, and leaves nothing behind otherwise: it is written without a name
/// (beside the target where the file system has no such files), brought to the disk, and renamed. A target that is no
/// regular file is refused. commit() also removes what processes that were killed have left beside the target.
/// The constructor throws IoError, everything else WriteError, naming target and cause.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& target);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void commit();

 private:
  void open_beside();
  void remove_leftovers() const;
  [[noreturn]] void fail(int error) const;

  std::string target_, beside_;
  int descriptor_ = -1;
};

/// Extension in lower case, with the dot.
std::string extension(const std::filesystem::path& file);

}  // namespace cavi::io
