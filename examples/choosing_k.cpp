// SPDX-License-Identifier: Apache-2.0
// How many components? Twice: by the bound on the evidence, which pays for every parameter, over K = 1 to 8; and by one
// fit with a Dirichlet process, which leaves the components empty that the data do not need.
#include <cavi/cavi.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <random>
#include <string>
#include <vector>

/// Four clouds in the plane, two of them near each other.
cavi::Matrix clouds(int rows) {
  constexpr double kCentres[4][2] = {{0, 0}, {6, 0}, {0, 6}, {2.8, 2.8}};
  std::mt19937_64 rng(7);
  std::vector<double> x;
  for (int n = 0; n < rows; ++n)
    for (int d = 0; d < 2; ++d) {
      double noise = -6;  // nearly Gaussian, and the same in every standard library
      for (int i = 0; i < 12; ++i) noise += double(rng() >> 11) * 0x1p-53;
      x.push_back(kCentres[n % 4][d] + noise);
    }
  return cavi::Matrix(std::move(x), rows, 2);
}

int main() try {
  const cavi::Matrix x = clouds(1200);
  cavi::MixtureOptions options;
  options.weight_concentration_prior_type = cavi::WeightPrior::dirichlet;
  options.precision = cavi::Scalar::float64;
  options.max_iter = 1000;

  constexpr int kMost = 8, kStarts = 5;
  std::vector<double> bound;
  for (int k = 1; k <= kMost; ++k) {
    options.n_components = k;
    options.weight_concentration_prior = 1;
    for (options.seed = 0; options.seed < kStarts; ++options.seed) {
      const double elbo = cavi::Mixture(options).fit(x).elbo;
      if (options.seed == 0)
        bound.push_back(elbo);
      else
        bound.back() = std::max(bound.back(), elbo);
    }
  }
  const auto best = std::max_element(bound.begin(), bound.end());
  std::printf("  K  bound (nats), best of %d starts\n", kStarts);
  for (std::size_t k = 0; k < bound.size(); ++k)
    std::printf("%3zu  %.2f  %s\n", k + 1, bound[k], bound[k] == *best ? "<- best" : "");

  options.weight_concentration_prior_type = cavi::WeightPrior::dirichlet_process;
  options.weight_concentration_prior = 0.01;
  options.n_components = kMost;
  options.seed = 0;
  cavi::Mixture process(options);
  process.fit(x);
  std::printf("one fit with a Dirichlet process of %d components keeps", kMost);
  for (const double n : process.posterior().counts)
    if (n > 0.5) std::printf(" %.0f", n);
  std::printf(" rows\n");
} catch (const std::exception& e) {
  std::fprintf(stderr, "choosing_k: %s\n", e.what());
  return 1;
}
