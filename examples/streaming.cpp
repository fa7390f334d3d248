// SPDX-License-Identifier: Apache-2.0
// Rows that do not fit into memory: with a budget of one megabyte, a file of eight is read anew in every sweep. The
// result is that of the fit in memory to the last bit.
#include <cavi/cavi.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <random>
#include <vector>

int main() try {
  constexpr int kRows = 500'000, kCols = 4;
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("cavi-streaming-" + std::to_string(std::random_device()()) + ".npy");
  {
    std::mt19937 rng(1);
    std::vector<float> x;
    for (int n = 0; n < kRows; ++n)
      for (int d = 0; d < kCols; ++d)
        x.push_back(float(rng() % 1000 + rng() % 1000) / 1000 + 5 * float(n % 3 == d % 3));
    cavi::write_npy(file, std::span<const float>(x), kRows, kCols);
  }
  cavi::MixtureOptions options;
  options.n_components = 6;
  options.init_params = cavi::Init::random_from_data;  // k-means would keep a number for every row
  options.max_iter = 30;
  options.tol = 0;

  cavi::Mixture streamed(options), whole(options);
  cavi::ReadOptions budget;
  budget.memory = 1 << 20;
  std::printf("%d MB in the file, 1 MB of memory for rows\n", int(std::filesystem::file_size(file) >> 20));
  std::printf("streamed:  %s\n", streamed.fit(cavi::open_matrix(file, budget)).brief_report().c_str());
  std::printf("in memory: %s\n", whole.fit(cavi::open_matrix(file)).brief_report().c_str());
  std::filesystem::remove(file);

  const bool same = streamed.summary().elbo_trace == whole.summary().elbo_trace &&
                    streamed.posterior().means == whole.posterior().means &&
                    streamed.posterior().covariances == whole.posterior().covariances;
  std::printf("%s\n", same ? "both fits agree to the last bit" : "the fits differ");
  return same ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "streaming: %s\n", e.what());
  return 1;
}
