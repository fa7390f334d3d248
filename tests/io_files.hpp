// SPDX-License-Identifier: Apache-2.0
/// \file
/// Files for tests of files.
#pragma once

#include "tests/messages.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace cavi::test {

/// A folder that goes with its content.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = ::testing::TempDir() + "cavi-XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder " + name);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return path / name;
  }
  std::ptrdiff_t size() const { return std::distance(std::filesystem::directory_iterator(path), {}); }
};

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The numbers' bytes as they stand in memory.
template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A .npy with any header text, padded as NumPy does.
inline std::string npy(std::string header, const std::string& data, int version = 1) {
  const std::size_t start = version == 1 ? 10 : 12;
  header.append(63 - (start + header.size()) % 64, ' ');
  header += '\n';
  std::string out = "\x93NUMPY";
  out += char(version);
  out += '\0';
  for (std::size_t byte = 0; byte < start - 8; ++byte) out += char(header.size() >> (8 * byte) & 0xff);
  return out + header + data;
}

/// Runs in a child; its exit status, or -1 when it did not exit.
template <class Function>
int in_child(Function&& function) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(function());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace cavi::test
