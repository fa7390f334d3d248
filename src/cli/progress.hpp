// SPDX-License-Identifier: Apache-2.0
/// \file
/// A line on the terminal that follows a fit.
#pragma once

#include <cavi/inference.hpp>

#include <chrono>

namespace cavi::cli {

/// Overwrites one line of standard error a few times a second, and removes it in the end.
class Progress {
 public:
  ~Progress() { clear(); }
  void show(const Sweep& sweep);
  void clear() noexcept;

 private:
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
  bool shown_ = false;
};

/// Whether a person watches standard error.
bool terminal_on_stderr();
/// Columns of standard output: the terminal's, or a fair number for a file.
int output_width();

}  // namespace cavi::cli
