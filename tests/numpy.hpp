// SPDX-License-Identifier: Apache-2.0
/// \file
/// NumPy as a witness, where there is one.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace cavi::test {

/// A Python that imports numpy, or nullptr: the first on the path may have been installed beside the system's.
inline const char* python_with_numpy() {
  for (const char* python : {"python3", "/usr/bin/python3"})
    if (std::system((std::string(python) + " -c 'import numpy' 2>/dev/null").c_str()) == 0) return python;
  return nullptr;
}

/// Runs a script in a folder; its exit status.
inline int run_python(const std::filesystem::path& folder, const std::string& script) {
  std::ofstream(folder / "script.py") << script;
  return std::system(("cd '" + folder.string() + "' && " + python_with_numpy() + " script.py").c_str());
}

}  // namespace cavi::test
