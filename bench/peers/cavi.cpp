// SPDX-License-Identifier: Apache-2.0
// Seconds per sweep of cavi, for compare.py:
//
//   peers_cavi fit   X.npy LABELS.npy  TYPE K PRECISION THREADS SWEEPS     one fit that starts from the labels
//   peers_cavi batch X.npy OFFSETS.npy TYPE K PRECISION THREADS SWEEPS     fits of their own, each from random rows
//   peers_cavi bound X.npy LABELS.npy  TYPE K PRECISION THREADS SWEEPS     the bound after every sweep, and when
//
// A fit is timed from the end of its first sweep to the end of its last, in on_sweep, and repeated for half a second.
// A batch is timed as the difference of calls with one sweep and with SWEEPS. A bound's time is counted from the call.
// Prints a JSON object.
#include "bench/peers/clocks.hpp"

#include <cavi/cavi.hpp>

#include <nlohmann/json.hpp>

#include <iostream>
#include <map>

namespace {

using namespace cavi;
using peers::Clocks;

constexpr double kEnough = 0.5;  // seconds of measured sweeps

nlohmann::json time_fit(MixtureOptions options, const Device& device, const Matrix& x, const char* labels_file) {
  const std::vector<std::int32_t> labels = read_labels(labels_file);
  Clocks first, total;
  options.on_sweep = [&](const Sweep& sweep) {
    if (sweep.index == 1) first = Clocks::now();
    if (sweep.index == options.max_iter) total += Clocks::now() - first;
    return true;
  };
  Mixture mixture(options, device);
  Summary summary;
  int sweeps = 0;
  do {
    summary = mixture.fit(x, {}, labels);
    sweeps += summary.n_iter - 1;
  } while (total.wall < kEnough);
  const Clocks each = total / sweeps;
  return {{"wall", each.wall},
          {"cpu", each.cpu},
          {"bound", summary.elbo},
          {"means", mixture.posterior().means},
          {"covariances", mixture.posterior().covariances}};
}

nlohmann::json time_batch(MixtureOptions options, const Device& device, const Matrix& x, const char* offsets_file) {
  std::vector<std::int64_t> offsets;
  for (const double o : open_matrix(offsets_file).to_vector()) offsets.push_back(std::int64_t(o));
  const int sweeps = options.max_iter;
  const auto run = [&](int n) {
    options.max_iter = n;
    const Clocks begin = Clocks::now();
    fit_batch(options, x, offsets, device);
    return Clocks::now() - begin;
  };
  run(1);
  const Clocks once = run(1), each = (run(sweeps) - once) / (sweeps - 1);
  return {{"wall", each.wall}, {"cpu", each.cpu}};
}

nlohmann::json time_bound(MixtureOptions options, const Device& device, const Matrix& x, const char* labels_file) {
  const std::vector<std::int32_t> labels = read_labels(labels_file);
  std::vector<double> wall;
  Clocks begin;
  options.on_sweep = [&](const Sweep&) {
    wall.push_back((Clocks::now() - begin).wall);
    return true;
  };
  Mixture mixture(options, device);
  begin = Clocks::now();
  const Summary summary = mixture.fit(x, {}, labels);
  return {{"wall", wall},
          {"bound", summary.elbo_trace},
          {"means", mixture.posterior().means},
          {"covariances", mixture.posterior().covariances}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 9) throw Error("takes 8 arguments: fit|batch|bound X.npy START.npy TYPE K PRECISION THREADS SWEEPS");
  const std::map<std::string, CovarianceType> types{{"full", CovarianceType::full},
                                                    {"tied", CovarianceType::tied},
                                                    {"diag", CovarianceType::diag},
                                                    {"spherical", CovarianceType::spherical}};
  const Matrix x = open_matrix(argv[2]);
  MixtureOptions options;
  options.covariance_type = types.at(argv[4]);
  options.n_components = std::stoi(argv[5]);
  options.precision = std::string(argv[6]) == "float32" ? Scalar::float32 : Scalar::float64;
  options.max_iter = std::stoi(argv[8]);
  options.tol = 0;
  options.init_params = Init::random_from_data;  // of a batch
  const Device device = Device::cpu(std::stoi(argv[7]));
  const std::map<std::string, decltype(&time_fit)> kinds{
      {"fit", time_fit}, {"batch", time_batch}, {"bound", time_bound}};
  std::cout << kinds.at(argv[1])(options, device, x, argv[3]) << '\n';
} catch (const std::exception& e) {
  std::cerr << "peers_cavi: " << e.what() << '\n';
  return 1;
}
