// SPDX-License-Identifier: Apache-2.0
/// \file
/// Places in the source where a program synchronises. Each has an id, "file.cuh:42", by which a test of the tests can
/// take it out without a rebuild:
///
///     EMULATOR_DISABLE="sweep.cuh:42 backend.cu:107"   these do nothing
///     EMULATOR_SITES=sites.txt                         the ids of all that ran are appended to this file at exit
#pragma once

#include <string>
#include <vector>

namespace emulator {

struct Site {
  const char* file = "";
  int line = 0;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
  bool operator==(const Site&) const = default;  // one place has one file name pointer
};

std::string id(const Site& site);

/// False where the site is switched off. Remembers it otherwise.
bool active(const Site& site);

/// What EMULATOR_DISABLE says, from inside a program.
void disable_sites(const std::vector<std::string>& ids);
/// Sites seen by active() so far, sorted, when EMULATOR_SITES is set or after disable_sites().
std::vector<std::string> seen_sites();

}  // namespace emulator
