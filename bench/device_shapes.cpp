// SPDX-License-Identifier: Apache-2.0
// Time of a sweep on a device for the shapes that the design gives floors for, as one table and one JSON file.
//
//   device_shapes [--device cuda:0|cpu] [--rows-scale 1.0] [--only TEXT] [--json FILE]
//
// Data are clusters with means two standard deviations about the origin in each feature, and fits start from their
// labels: they overlap in few features and are apart in many, where sums have little to do (`live`: the share of pairs
// of row and component that matter).
// Shapes named _overlap have them near each other, shapes named _no_tensor are those before them without tensor cores.
// The time is Summary::seconds, all launches and waits included, over as many sweeps as make it about half a second.
// `floor` is the largest of memory, fp32 issue and tensor time of an H100 (3.35 TB/s, 67 TFLOP/s fp32, 3xTF32 where D
// is at least 32): what no kernel of that arithmetic can beat. `predicted` is what src/cost_model.hpp says of this GPU.
#include <cavi/cavi.hpp>

#include "src/cost_model.hpp"
#include "src/work.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace cavi;

struct Shape {
  const char* name;
  CovarianceType type;
  std::int64_t rows;
  int features, components;
  std::int64_t fits = 1;
  double floor_ms = 0;  ///< on an H100, of all rows
  bool tensor_cores = true;
  float spread = 2;  ///< of the centres, per feature
};

constexpr CovarianceType kFull = CovarianceType::full, kDiag = CovarianceType::diag, kTied = CovarianceType::tied,
                         kSpherical = CovarianceType::spherical;
const Shape kShapes[] = {{"full_10M_2_16", kFull, 10'000'000, 2, 16, 1, 0.081},
                         {"full_10M_16_64", kFull, 10'000'000, 16, 64, 1, 5.95},
                         {"full_10M_64_64", kFull, 10'000'000, 64, 64, 1, 33},
                         {"full_10M_64_64_no_tensor", kFull, 10'000'000, 64, 64, 1, 82, false},
                         {"full_1M_64_64_overlap", kFull, 1'000'000, 64, 64, 1, 3.3, true, 0.1f},
                         {"full_1M_64_64_overlap_no_tensor", kFull, 1'000'000, 64, 64, 1, 8.2, false, 0.1f},
                         {"diag_10M_64_256", kDiag, 10'000'000, 64, 256, 1, 20},
                         {"full_1M_128_128", kFull, 1'000'000, 128, 128, 1, 26},
                         {"full_1M_128_128_no_tensor", kFull, 1'000'000, 128, 128, 1, 64, false},
                         {"diag_100M_16_32", kDiag, 100'000'000, 16, 32, 1, 6.8},
                         {"full_10k_fits_1000_8_8", kFull, 10'000'000, 8, 8, 10'000, 0.23},
                         {"tied_10M_16_64", kTied, 10'000'000, 16, 64, 1, 0},
                         {"spherical_10M_16_64", kSpherical, 10'000'000, 16, 64, 1, 0},
                         {"full_200k_16_32", kFull, 200'000, 16, 32, 1, 0},
                         {"full_20k_2_16", kFull, 20'000, 2, 16, 1, 0},
                         {"full_4k_2_16", kFull, 4'000, 2, 16, 1, 0}};

/// Cheap numbers that look normal enough, each a function of its place alone.
float noise(std::uint64_t i) {
  float sum = 0;
  for (int j = 0; j < 4; ++j) {
    std::uint64_t x = i * 4 + std::uint64_t(j) + 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    sum += float((x ^ (x >> 31)) >> 40) * 0x1p-24f - 0.5f;
  }
  return sum * 1.7320508f;
}

struct Data {
  std::vector<float> x;
  std::vector<std::int32_t> labels;
};

Data make(std::int64_t rows, const Shape& s) {
  Data data{std::vector<float>(std::size_t(rows * s.features)), std::vector<std::int32_t>(std::size_t(rows))};
  std::vector<std::thread> threads;
  const auto workers = std::int64_t(std::max(1u, std::thread::hardware_concurrency()));
  for (std::int64_t w = 0; w < workers; ++w)
    threads.emplace_back([&, w] {
      for (std::int64_t n = rows * w / workers; n < rows * (w + 1) / workers; ++n) {
        const auto k = std::int32_t(std::uint64_t(n) * 2654435761u % std::uint64_t(s.components));
        data.labels[std::size_t(n)] = k;
        for (int d = 0; d < s.features; ++d)
          data.x[std::size_t(n * s.features + d)] = noise(std::uint64_t(n) * 131 + std::uint64_t(d)) +
                                                    s.spread * noise(std::uint64_t(k) * 7919 + std::uint64_t(d) + 77);
      }
    });
  for (std::thread& t : threads) t.join();
  return data;
}

/// Share of the pairs that matter: clusters have means two standard deviations about the origin in each feature, and a
/// responsibility of less than 2^-40 counts as none. From the first sweep on it is as good as the clusters' own.
double live_pairs(const Shape& s) {
  int near = 0;
  for (int j = 1; j < s.components; ++j) {
    double square = 0;
    for (int d = 0; d < s.features; ++d) {
      const auto mean = [&](int k) { return s.spread * noise(std::uint64_t(k) * 7919 + std::uint64_t(d) + 77); };
      square += std::pow(mean(j) - mean(0), 2);
    }
    near += square / 2 < 40 * std::log(2.0);
  }
  return double(1 + near) / s.components;
}

double operations(const Shape& s, double pairs) {
  return 4 * pairs * statistics_per_component(ComponentFamily::gaussian, s.type, s.features);
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

nlohmann::json measure(const Shape& s, double scale, const Device& device) {
  const std::int64_t each =
      s.fits > 1 ? s.rows / s.fits : std::max<std::int64_t>(1, std::int64_t(double(s.rows) * scale));
  const std::int64_t fits = s.fits > 1 ? std::max<std::int64_t>(1, std::int64_t(double(s.fits) * scale)) : 1;
  const std::int64_t rows = each * fits;
  const Data data = make(rows, s);
  const Matrix x = Matrix::view(data.x.data(), rows, s.features);
  MixtureOptions o;
  o.n_components = s.components;
  o.covariance_type = s.type;
  o.tol = 0;
  s.tensor_cores ? unsetenv("CAVI_TENSOR_CORES") : setenv("CAVI_TENSOR_CORES", "0", 1);
  nlohmann::json out;
  double seconds = 0, best = 1e300, bound = 0;
  int sweeps = 0;
  const double begin = now();
  if (fits > 1) {
    o.init_params = Init::random_from_data;
    o.max_iter = 100;
    std::vector<std::int64_t> offsets;
    for (std::int64_t b = 0; b <= fits; ++b) offsets.push_back(b * each);
    const MixtureBatch batch = fit_batch(o, x, offsets, device);
    for (const Summary& f : batch.summaries) seconds = std::max(seconds, f.seconds), bound += f.elbo;
    sweeps = o.max_iter;
    best = seconds / sweeps;
  } else {
    const double guess =
        1e-4 + operations(s, double(rows) * s.components) / (device.kind() == Device::Kind::cuda ? 2e13 : 1e11);
    o.max_iter = int(std::clamp(0.25 / guess, 3.0, 1000.0));
    Mixture mixture(o, device);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const Summary f = mixture.fit(x, {}, data.labels);
      seconds = f.seconds;
      sweeps = f.n_iter;
      bound = f.elbo;
      out["kernel"] = f.kernel;
      best = std::min(best, seconds / sweeps);
    }
  }
  if (std::string(s.name) == "full_10M_16_64") {
    // What comes before the first sweep by default: reading, the prior, k-means, the first parameters.
    o.max_iter = 0;
    const double start = now();
    Mixture(o, device).fit(x);
    out["kmeans_start_seconds"] = now() - start;
  }
  const double ms = 1e3 * best, pairs = double(rows) * s.components / best;
  out["shape"] = s.name;
  out["rows"] = rows;
  out["features"] = s.features;
  out["components"] = s.components;
  out["fits"] = fits;
  out["sweeps"] = sweeps;
  out["ms_per_sweep"] = ms;
  out["pairs_per_second"] = pairs;
  out["gflops"] = 1e-9 * operations(s, pairs);
  out["elbo"] = bound;
  out["wall_seconds"] = now() - begin;
  char bits[32];
  std::snprintf(bits, sizeof bits, "%a", bound);
  out["elbo_bits"] = bits;
  const double live = live_pairs(s);
  out["live_pairs"] = live;
  if (const GpuMachine* gpu = find_gpu(device.description())) {
    const Prediction predicted = predict({double(each), s.features, s.components, double(fits),
                                          ComponentFamily::gaussian, s.type, Scalar::float32, live, s.tensor_cores},
                                         *gpu);
    out["predicted_ms_per_sweep"] = 1e3 * predicted.seconds;
    out["predicted_bound_by"] = predicted.by;
  }
  if (s.floor_ms > 0) out["h100_floor_ms"] = s.floor_ms * double(rows) / double(s.rows);
  return out;
}

}  // namespace

int main(int argc, char** argv) try {
  std::string device = "cuda:0", only, json;
  double scale = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--device")
      device = argv[i + 1];
    else if (option == "--rows-scale")
      scale = std::atof(argv[i + 1]);
    else if (option == "--only")
      only = argv[i + 1];
    else if (option == "--json")
      json = argv[i + 1];
    else
      throw Error("unknown option " + option);
  }
  const Device where =
      device == "cpu" ? Device::cpu() : Device::cuda(device.size() > 5 ? std::atoi(device.c_str() + 5) : 0);
  nlohmann::json all = {
      {"device", where.name()}, {"description", where.description()}, {"shapes", nlohmann::json::array()}};
  std::printf("%s: %s\n%-32s %10s %10s %8s %6s %12s %10s %10s %8s %8s\n", where.name().c_str(),
              where.description().c_str(), "shape", "ms/sweep", "predicted", "by", "live", "pairs/s", "GFLOP/s",
              "floor ms", "of floor", "wall s");
  for (const Shape& s : kShapes) {
    if (std::string(s.name).find(only) == std::string::npos) continue;
    const nlohmann::json r = measure(s, scale, where);
    const double ms = r["ms_per_sweep"], floor = r.value("h100_floor_ms", 0.0);
    std::printf("%-32s %10.4g %10.4g %8s %5.1f%% %12.4g %10.4g %10.4g %7.0f%% %8.2f\n", s.name, ms,
                r.value("predicted_ms_per_sweep", 0.0), r.value("predicted_bound_by", "-").c_str(),
                100 * double(r["live_pairs"]), double(r["pairs_per_second"]), double(r["gflops"]), floor,
                floor > 0 ? 100 * floor / ms : 0.0, double(r["wall_seconds"]));
    if (r.contains("kmeans_start_seconds"))
      std::printf("  ... reading, prior and k-means of it: %.2f s\n", double(r["kmeans_start_seconds"]));
    std::fflush(stdout);
    all["shapes"].push_back(r);
    if (!json.empty()) std::ofstream(json) << all.dump(1) << '\n';
  }
} catch (const std::exception& e) {
  std::cerr << "device_shapes: " << e.what() << '\n';
  return 1;
}
