// SPDX-License-Identifier: Apache-2.0
// Time of a sweep, from the public interface: sweeps alone, as Summary::seconds counts them.
//
//   GFLOP/s   useful work, 4 N K P / t with P statistics per component: D (D + 1) / 2 + D + 1 full, 2 D + 1 diag,
//             D + 1 tied, D + 2 spherical
//   pairs/s   rows times components
#include <cavi/cavi.hpp>

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

namespace {

using namespace cavi;

/// Overlapping clusters, so that no responsibility is negligible and nothing can be skipped.
Matrix rows(std::int64_t n, int d) {
  std::mt19937 rng(1);
  std::normal_distribution<float> gauss;
  std::vector<float> x(std::size_t(n * d));
  for (std::int64_t i = 0; i < n; ++i)
    for (int j = 0; j < d; ++j) x[std::size_t(i * d + j)] = gauss(rng) + 1.5f * float((i + j) % 4 == 0);
  return Matrix(std::move(x), n, d);
}

double statistics(CovarianceType type, double d) {
  switch (type) {
    case CovarianceType::full: return d * (d + 1) / 2 + d + 1;
    case CovarianceType::tied: return d + 1;
    case CovarianceType::diag: return 2 * d + 1;
    case CovarianceType::spherical: return d + 2;
  }
  return 0;
}

MixtureOptions options(CovarianceType type, int components, Scalar precision) {
  MixtureOptions o;
  o.n_components = components;
  o.covariance_type = type;
  o.precision = precision;
  o.init_params = Init::random_from_data;
  o.tol = 0;
  o.max_iter = 5;
  return o;
}

void report(benchmark::State& state, CovarianceType type, double n, double d, double k, double sweeps) {
  const auto rate = benchmark::Counter::kIsRate;
  state.counters["GFLOP/s"] = benchmark::Counter(4e-9 * n * k * statistics(type, d) * sweeps, rate);
  state.counters["pairs/s"] = benchmark::Counter(n * k * sweeps, rate);
}

void sweep(benchmark::State& state, CovarianceType type, std::int64_t n, int d, int k, Scalar precision) {
  const Matrix x = rows(n, d);
  Mixture mixture(options(type, k, precision), Device::cpu());
  double sweeps = 0;
  for (auto _ : state) {
    const Summary s = mixture.fit(x);
    state.SetIterationTime(s.seconds / s.n_iter);
    sweeps += 1;
  }
  report(state, type, double(n), d, k, sweeps);
}

/// Many small fits in one call; the time of one sweep of one of them, all included.
void batch(benchmark::State& state, int fits, int n, int d, int k) {
  const Matrix x = rows(std::int64_t(fits) * n, d);
  std::vector<std::int64_t> offsets;
  for (int b = 0; b <= fits; ++b) offsets.push_back(std::int64_t(b) * n);
  MixtureOptions o = options(CovarianceType::full, k, Scalar::float32);
  o.max_iter = 50;
  double sweeps = 0;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(fit_batch(o, x, offsets, Device::cpu()));
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() /
                           (fits * o.max_iter));
    sweeps += 1;
  }
  report(state, CovarianceType::full, n, d, k, sweeps);
}

#define CAVI_SWEEP(name, type, n, d, k)                                                    \
  BENCHMARK_CAPTURE(sweep, name##_float32, CovarianceType::type, n, d, k, Scalar::float32) \
      ->UseManualTime()                                                                    \
      ->Unit(benchmark::kMillisecond);                                                     \
  BENCHMARK_CAPTURE(sweep, name##_float64, CovarianceType::type, n, d, k, Scalar::float64) \
      ->UseManualTime()                                                                    \
      ->Unit(benchmark::kMillisecond)

CAVI_SWEEP(full_200k_16_32, full, 200'000, 16, 32);
CAVI_SWEEP(diag_200k_64_32, diag, 200'000, 64, 32);
CAVI_SWEEP(full_200k_2_16, full, 200'000, 2, 16);
CAVI_SWEEP(full_50k_64_64, full, 50'000, 64, 64);
CAVI_SWEEP(tied_200k_16_32, tied, 200'000, 16, 32);
CAVI_SWEEP(spherical_200k_16_32, spherical, 200'000, 16, 32);
BENCHMARK_CAPTURE(batch, full_1000_8_8_in_1000_fits, 1000, 1000, 8, 8)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
