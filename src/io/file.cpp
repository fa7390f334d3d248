// SPDX-License-Identifier: Apache-2.0
#include "src/io/file.hpp"

#include <cavi/error.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace cavi::io {
namespace {

[[noreturn]] void fail(const std::string& name, int error) {
  throw IoError(name + ": " + std::generic_category().message(error));
}

}  // namespace

InputFile::InputFile(const std::filesystem::path& file) : name_(file.string()) {
  // Opening a pipe would wait for its writer; it is refused below.
  descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail(name_, errno);
  struct stat status {};
  const int error = ::fstat(descriptor_, &status) == 0 ? 0 : errno;
  if (error == 0 && S_ISREG(status.st_mode)) {
    size_ = status.st_size;
    return;
  }
  ::close(descriptor_);
  if (error != 0) fail(name_, error);
  throw IoError(name_ + (S_ISDIR(status.st_mode) ? ": is a directory, not a file" : ": is not a regular file"));
}

InputFile::~InputFile() { ::close(descriptor_); }

std::size_t InputFile::read_some(std::int64_t position, std::size_t bytes, void* out) const {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::pread(descriptor_, static_cast<char*>(out) + done, bytes - done, position + std::int64_t(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw IoError(
          fmt::format("{}: byte {}: {}", name_, position + std::int64_t(done), std::generic_category().message(errno)));
    if (n == 0) break;
    done += std::size_t(n);
  }
  return done;
}

void InputFile::read(std::int64_t position, std::size_t bytes, void* out) const {
  const std::size_t got = read_some(position, bytes, out);
  if (got < bytes)
    throw IoError(
        fmt::format("{}: byte {}: the file became shorter while it was read", name_, position + std::int64_t(got)));
}

OutputFile::OutputFile(const std::filesystem::path& target) : target_(target.string()) {
  static std::atomic<unsigned> number = 0;
  do {  // a process of that number may have been killed here
    beside_ = fmt::format("{}.{}-{}.part", target_, ::getpid(), number++);
    descriptor_ = ::open(beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail();
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

void OutputFile::write(const void* data, std::size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(descriptor_, from, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail();
    from += n;
    bytes -= std::size_t(n);
  }
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) fail();
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0 || ::rename(beside_.c_str(), target_.c_str()) != 0) fail();
  beside_.clear();
}

void OutputFile::fail() const {
  throw IoError(fmt::format("{}: cannot be written: {}", target_, std::generic_category().message(errno)));
}

std::string extension(const std::filesystem::path& file) {
  std::string text = file.extension().string();
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return text;
}

}  // namespace cavi::io
