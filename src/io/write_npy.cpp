// SPDX-License-Identifier: Apache-2.0
#include <cavi/error.hpp>
#include <cavi/io.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

namespace cavi {
namespace {

/// A file that takes its place when it is complete, and leaves nothing behind otherwise.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& target) : target_(target.string()) {
    static std::atomic<unsigned> number = 0;
    beside_ = fmt::format("{}.{}-{}.part", target_, ::getpid(), number++);
    descriptor_ = ::open(beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail();
  }
  ~OutputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!beside_.empty()) ::unlink(beside_.c_str());
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* data, std::size_t bytes) {
    const char* from = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t n = ::write(descriptor_, from, bytes);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail();
      from += n;
      bytes -= std::size_t(n);
    }
  }

  void commit() {
    const int descriptor = std::exchange(descriptor_, -1);
    if (::close(descriptor) != 0 || ::rename(beside_.c_str(), target_.c_str()) != 0) fail();
    beside_.clear();
  }

 private:
  [[noreturn]] void fail() const {
    throw IoError(fmt::format("{}: cannot be written: {}", target_, std::generic_category().message(errno)));
  }

  std::string target_, beside_;
  int descriptor_ = -1;
};

void write(const std::filesystem::path& file, const char* type, const std::string& shape, const void* data,
           std::size_t bytes) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  constexpr std::size_t kStart = 10, kAlignment = 64;  // of the numbers, so that others may map them
  header.append((kAlignment - (kStart + header.size() + 1) % kAlignment) % kAlignment, ' ');
  header += '\n';
  const char start[kStart] = {
      '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, char(header.size() & 0xff), char(header.size() >> 8)};

  OutputFile out(file);
  out.write(start, kStart);
  out.write(header.data(), header.size());
  out.write(data, bytes);
  out.commit();
}

template <class T>
void write_matrix(const std::filesystem::path& file, const char* type, std::span<const T> values, std::int64_t rows,
                  int cols) {
  if (rows < 0 || cols < 0 || __int128(rows) * cols != __int128(values.size()))
    throw ShapeError(fmt::format("{}: {} numbers are not {} x {}", file.string(), values.size(), rows, cols));
  write(file, type, fmt::format("{}, {}", rows, cols), values.data(), values.size_bytes());
}

}  // namespace

void write_npy(const std::filesystem::path& file, std::span<const double> values, std::int64_t rows, int cols) {
  write_matrix(file, "<f8", values, rows, cols);
}

void write_npy(const std::filesystem::path& file, std::span<const float> values, std::int64_t rows, int cols) {
  write_matrix(file, "<f4", values, rows, cols);
}

void write_npy(const std::filesystem::path& file, std::span<const std::int32_t> values) {
  write(file, "<i4", fmt::format("{},", values.size()), values.data(), values.size_bytes());
}

}  // namespace cavi
