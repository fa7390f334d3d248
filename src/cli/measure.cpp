// SPDX-License-Identifier: Apache-2.0
#include "src/cli/measure.hpp"

#include "src/cli/peaks.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace cavi::cli {
namespace {

constexpr double kNegligible = 0x1p-40;  // of a responsibility, to a sweep in float32

/// The system forgets what the process needed before, where it can.
void reset_peak_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  std::ofstream("/proc/self/clear_refs") << 5;
}

/// Bytes since then; 0 when the system does not say.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (double kib = 0; word == "VmHWM:" && status >> kib) return 1024 * kib;
  return 0;
}

/// Labels of the seed's start, so that two precisions begin with the same.
std::vector<std::int32_t> start_of(MixtureOptions options, const Matrix& x, const Device& device) {
  options.max_iter = 0;
  Mixture start(std::move(options), device);
  start.fit(x);
  return start.predict(x);
}

/// Compares the precisions, and counts the pairs that the sums of a sweep do not leave out.
void compare(MixtureOptions options, const Matrix& x, const Device& device, Measured& m) {
  const std::vector<std::int32_t> labels = start_of(options, x, device);
  const auto fitted = [&](Scalar precision) {
    options.precision = precision;
    Mixture mixture(options, device);
    mixture.fit(x, {}, labels);
    return mixture;
  };
  const Mixture exact = fitted(Scalar::float64);
  const double bound = exact.summary().elbo;
  m.bound_error = std::abs(fitted(Scalar::float32).summary().elbo - bound) / std::abs(bound);
  std::int64_t live = 0;
  exact.predict_proba(x, [&](std::span<const double> r) {
    live += std::count_if(r.begin(), r.end(), [](double p) { return p > kNegligible; });
  });
  m.live = double(live) / (double(x.rows()) * options.n_components);
}

}  // namespace

Measured measure(MixtureOptions options, const Matrix& x, const Device& device, int repeats) {
  Measured m;
  double first = 0, last = 0;
  // A GPU runs all sweeps without the host, as long as nobody asks after every one.
  if (device.kind() == Device::Kind::cpu && options.max_iter > 1)
    options.on_sweep = [&](const Sweep& sweep) {
      (sweep.index == 1 ? first : last) = processor_seconds();
      return true;
    };
  reset_peak_memory();
  for (int i = 0; i < repeats; ++i) {
    Mixture mixture(options, device);
    const Summary s = mixture.fit(x);
    m.seconds.push_back(s.seconds / s.n_iter);
    const double processor = (last - first) / (s.n_iter - 1);
    if (options.on_sweep && (i == 0 || processor < m.processor_seconds)) m.processor_seconds = processor;
  }
  m.peak_memory = peak_memory();
  std::sort(m.seconds.begin(), m.seconds.end());
  options.on_sweep = {};
  compare(options, x, device, m);
  return m;
}

}  // namespace cavi::cli
