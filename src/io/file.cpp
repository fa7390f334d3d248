// SPDX-License-Identifier: Apache-2.0
#include "src/io/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>

namespace cavi::io {
namespace {

[[noreturn]] void fail(const std::string& name, int error) {
  throw IoError(name + ": " + std::generic_category().message(error));
}

constexpr const char* kDescriptors = "/proc/self/fd";  // through which a file without a name gets one

std::string cannot_write(const std::string& target, int error) {
  return fmt::format("{}: cannot be written: {}", target, std::generic_category().message(error));
}

/// A process of that number may have been killed here: the name may be taken.
std::string name_beside(const std::string& target) {
  static std::atomic<unsigned> number = 0;
  return fmt::format("{}.{}-{}.part", target, ::getpid(), number++);
}

/// Whether `name` is what name_beside(target) gives in a process that is no more.
bool is_leftover(std::string_view name, std::string_view target) {
  if (!name.starts_with(target) || !name.ends_with(".part")) return false;
  const char *p = name.data() + target.size(), *end = name.data() + name.size() - std::string_view(".part").size();
  const auto number = [&](char before, auto& value) {
    if (p >= end || *p != before) return false;
    const auto [stop, error] = std::from_chars(p + 1, end, value);
    p = stop;
    return error == std::errc();
  };
  pid_t process = 0;
  unsigned count = 0;
  return number('.', process) && number('-', count) && p == end && process > 0 && ::kill(process, 0) != 0 &&
         errno == ESRCH;
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

InputFile::InputFile(std::string name, int descriptor) : name_(std::move(name)), descriptor_(descriptor) {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) {
    const int error = errno;
    ::close(descriptor_);
    fail(name_, error);
  }
  size_ = status.st_size;
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

void InputFile::require_size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail(name_, errno);
  if (status.st_size < size_)
    throw IoError(fmt::format("{}: byte {}: the file became shorter while it was read", name_, status.st_size));
}

void InputFile::prefetch(std::int64_t position, std::int64_t bytes) const noexcept {
  (void)::posix_fadvise(descriptor_, position, bytes, POSIX_FADV_WILLNEED);
}

void write_all(int descriptor, const void* data, std::size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(descriptor, from, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw std::system_error(errno, std::generic_category());
    from += n;
    bytes -= std::size_t(n);
  }
}

int open_nameless(const std::filesystem::path& folder) {
  return ::open(folder.empty() ? "." : folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
}

OutputFile::OutputFile(const std::filesystem::path& target) : target_(target.string()) {
  std::error_code none;
  const auto type = std::filesystem::status(target, none).type();
  if (type == std::filesystem::file_type::directory) throw IoError(cannot_write(target_, EISDIR));
  if (type != std::filesystem::file_type::regular && std::filesystem::exists(target, none))
    throw IoError(target_ + ": cannot be written: is not a regular file");
  if (::access(kDescriptors, X_OK) == 0) descriptor_ = open_nameless(target.parent_path());
  if (descriptor_ < 0) open_beside();
}

void OutputFile::open_beside() {
  do {
    beside_ = name_beside(target_);
    descriptor_ = ::open(beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ >= 0) return;
  const int error = errno;
  beside_.clear();
  throw IoError(cannot_write(target_, error));
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

void OutputFile::write(const void* data, std::size_t bytes) try {
  write_all(descriptor_, data, bytes);
} catch (const std::system_error& e) {
  fail(e.code().value());
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) fail(errno);
  if (beside_.empty()) {
    const std::string itself = fmt::format("{}/{}", kDescriptors, descriptor_);
    std::string name = name_beside(target_);
    while (::linkat(AT_FDCWD, itself.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      if (errno != EEXIST) fail(errno);
      name = name_beside(target_);
    }
    beside_ = name;
  }
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0 || ::rename(beside_.c_str(), target_.c_str()) != 0) fail(errno);
  beside_.clear();
  remove_leftovers();
}

/// Tidying up is no reason to fail.
void OutputFile::remove_leftovers() const {
  const std::filesystem::path target(target_), folder = target.has_parent_path() ? target.parent_path() : ".";
  std::error_code none;
  std::filesystem::directory_iterator entry(folder, none), end;
  for (; !none && entry != end; entry.increment(none)) {
    std::error_code still_there;
    if (is_leftover(entry->path().filename().native(), target.filename().native()))
      std::filesystem::remove(entry->path(), still_there);
  }
}

void OutputFile::fail(int error) const { throw WriteError(cannot_write(target_, error)); }

std::string extension(const std::filesystem::path& file) {
  std::string text = file.extension().string();
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return text;
}

}  // namespace cavi::io
