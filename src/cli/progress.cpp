// SPDX-License-Identifier: Apache-2.0
#include "src/cli/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

namespace cavi::cli {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr int kFileWidth = 120;
constexpr const char* kEraseLine = "\r\x1b[K";

}  // namespace

void Progress::show(const Sweep& sweep) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  shown_ = true;
  fmt::print(stderr, "{}sweep {}  bound {:.6f}  gain {:.3g}  {:.3g} rows/s", kEraseLine, sweep.index, sweep.elbo,
             sweep.gain, sweep.rows_per_second);
  std::fflush(stderr);
}

void Progress::clear() noexcept {
  if (shown_) std::fputs(kEraseLine, stderr);
  shown_ = false;
}

bool terminal_on_stderr() { return ::isatty(STDERR_FILENO) == 1; }

int output_width() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kFileWidth;
}

}  // namespace cavi::cli
