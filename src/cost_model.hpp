// SPDX-License-Identifier: Apache-2.0
/// \file
/// How long a sweep of a mixture takes, from its shape and the machine: what to expect before running it, and what to
/// hold a measurement against.
#pragma once

#include <cavi/mixture.hpp>

#include <span>
#include <string>
#include <string_view>

namespace cavi {

struct SweepShape {
  double rows = 0;  ///< of one fit
  int features = 1, components = 1;
  double fits = 1;  ///< that many at once, each with its own rows
  ComponentFamily family = ComponentFamily::gaussian;
  CovarianceType covariance_type = CovarianceType::full;
  Scalar precision = Scalar::float32;
  double live = 1;           ///< share of the pairs of row and component whose responsibility is not negligible
  bool tensor_cores = true;  ///< of a GPU, where they are good for the shape
};

struct Prediction {
  double seconds;  ///< of one sweep of all fits
  std::string_view
      by;  ///< what takes longest: "fma", "read", "issue", "special", "shared", "L2", "HBM", "tensor", "latency"
};

/// Of all threads together.
struct CpuMachine {
  int threads = 1;
  double flops = 0;      ///< float32 operations per second of multiply-adds
  double bandwidth = 0;  ///< bytes per second read from memory
};
Prediction predict(const SweepShape& shape, const CpuMachine& machine);

/// A GPU as its vendor describes it.
struct GpuMachine {
  std::string_view name;  ///< a part of what the driver calls it
  int multiprocessors;
  double ghz;        ///< boost clock
  double bandwidth;  ///< of its memory, GB/s
  int lanes;         ///< float32 multiply-adds of a multiprocessor in a cycle
  int tensor;        ///< TF32 multiply-adds on the tensor cores of a multiprocessor in a cycle, dense
};
std::span<const GpuMachine> known_gpus();
/// The one whose name is part of a device's description; nullptr when there is none.
const GpuMachine* find_gpu(std::string_view description);
/// Rows resident on the device.
Prediction predict(const SweepShape& shape, const GpuMachine& machine);
/// The kernel that the CUDA backend takes, as Summary::kernel names it.
std::string_view gpu_regime(const SweepShape& shape);

}  // namespace cavi
