// SPDX-License-Identifier: Apache-2.0
// Density estimation: how long eruptions of Old Faithful last, and how long one waits for the next.
//
//     density FAITHFUL.CSV
//
// A mixture with more components than needed; the data keep two. The density drawn is that of the waiting times: the
// mixture of the components' marginals, with their expected covariances.
#include <cavi/cavi.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <numbers>
#include <string>

int main(int argc, char** argv) try {
  if (argc != 2) return std::fprintf(stderr, "usage: density FILE.csv\n"), 2;
  const cavi::Matrix x = cavi::open_matrix(argv[1]);
  cavi::MixtureOptions options;
  options.n_components = 8;
  options.max_iter = 500;
  options.precision = cavi::Scalar::float64;
  cavi::Mixture mixture(options);
  std::printf("%s\n\n", mixture.fit(x).brief_report().c_str());

  const cavi::MixturePosterior& q = mixture.posterior();
  const auto density = [&](double minutes) {
    constexpr int kWaiting = 1;  // column
    double sum = 0;
    for (int k = 0; k < q.n_components; ++k) {
      const double variance = q.covariances[std::size_t((k * 2 + kWaiting) * 2 + kWaiting)];
      const double z = minutes - q.means[std::size_t(k * 2 + kWaiting)];
      sum += q.weights[std::size_t(k)] * std::exp(-z * z / (2 * variance)) / std::sqrt(2 * std::numbers::pi * variance);
    }
    return sum;
  };
  double total = 0;
  std::printf("waiting  density per minute\n");
  for (int minutes = 40; minutes <= 100; minutes += 4) {
    const double p = density(minutes);
    total += 4 * p;
    std::printf("%7d  %.5f  %s\n", minutes, p, std::string(std::size_t(p * 1000), '*').c_str());
  }
  std::printf("between 38 and 102 minutes: %.3f of the probability\n", total);
} catch (const std::exception& e) {
  std::fprintf(stderr, "density: %s\n", e.what());
  return 1;
}
