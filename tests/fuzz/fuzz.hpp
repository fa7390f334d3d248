// SPDX-License-Identifier: Apache-2.0
/// \file
/// What fuzz targets have in common: bytes as a file, and requirements. An exception that is no cavi::Error escapes and
/// ends the run.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace cavi::fuzz {

/// Descriptor of a file in memory with these bytes; it belongs to the caller.
inline int file_of(const std::uint8_t* data, std::size_t size) {
  const int file = ::memfd_create("input", MFD_CLOEXEC);
  if (file < 0 || ::write(file, data, size) != ssize_t(size)) std::abort();
  return file;
}

inline void require(bool law, const char* text) {
  if (law) return;
  std::fprintf(stderr, "broken: %s\n", text);
  std::abort();
}

}  // namespace cavi::fuzz
