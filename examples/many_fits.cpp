// SPDX-License-Identifier: Apache-2.0
// Many small data sets in one call: a thousand sensors, each with readings of its own, each fitted by itself. Some have
// no reading, and one a broken one: that is their status, and the others do not notice.
#include <cavi/cavi.hpp>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <limits>
#include <map>
#include <random>
#include <vector>

int main() try {
  constexpr int kSensors = 1000;
  std::mt19937_64 rng(3);
  std::vector<float> readings;
  std::vector<std::int64_t> offsets{0};  // sensor b has rows [offsets[b], offsets[b + 1])
  for (int b = 0; b < kSensors; ++b) {
    const int rows = b % 50 == 0 ? 0 : 100 + b % 200;
    for (int n = 0; n < rows; ++n)
      for (int d = 0; d < 2; ++d) {
        float noise = -6;  // nearly Gaussian
        for (int i = 0; i < 12; ++i) noise += float(rng() >> 40) * 0x1p-24f;
        readings.push_back(noise + 8 * float(n % (1 + b % 3)));  // one, two or three groups
      }
    offsets.push_back(offsets.back() + rows);
  }
  readings[std::size_t(2 * offsets[777])] = std::numeric_limits<float>::quiet_NaN();

  cavi::MixtureOptions options;
  options.n_components = 8;
  options.covariance_type = cavi::CovarianceType::diag;
  options.weight_concentration_prior = 0.01;
  options.max_iter = 500;
  const std::int64_t rows = offsets.back();
  const cavi::MixtureBatch batch = cavi::fit_batch(options, cavi::Matrix(std::move(readings), rows, 2), offsets);

  std::map<cavi::Termination, int> ends;
  double sweeps = 0;
  for (const cavi::Summary& s : batch.summaries) ++ends[s.termination], sweeps += s.n_iter;
  std::printf("%d data sets, %lld rows, %.0f sweeps on average\n", kSensors, static_cast<long long>(rows),
              sweeps / kSensors);
  std::printf("%d came to a maximum, %d ran out of sweeps, %d had no rows, %d failed\n",
              ends[cavi::Termination::converged], ends[cavi::Termination::max_iter], ends[cavi::Termination::no_data],
              ends[cavi::Termination::numerical_error]);
  std::printf("sensor 777: %s\n", batch.summaries[777].message.c_str());
  const auto active = [&](int b) {
    int n = 0;
    for (int k = 0; k < 8; ++k) n += batch.posterior.counts[std::size_t(b * 8 + k)] > 0.5;
    return n;
  };
  std::printf("sensors 1, 2, 3 show %d, %d, %d groups\n", active(1), active(2), active(3));
} catch (const std::exception& e) {
  std::fprintf(stderr, "many_fits: %s\n", e.what());
  return 1;
}
