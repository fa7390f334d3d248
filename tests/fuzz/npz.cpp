// SPDX-License-Identifier: Apache-2.0
// Bytes as an archive with a model in it: refused, or a model.
#include "src/model_file.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <cavi/error.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int file = cavi::fuzz::file_of(data, size);
  try {
    cavi::read_model("/proc/self/fd/" + std::to_string(file));
  } catch (const cavi::Error&) {
  }
  ::close(file);
  return 0;
}
