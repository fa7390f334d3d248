// SPDX-License-Identifier: Apache-2.0
/// \file
/// What sampling asks a backend for: rows drawn from the predictive of a mixture whose parameters are known.
#pragma once

#include "kernels/ops.hpp"

#include <cavi/component_family.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace cavi::kernels {

/// A component k is drawn by its weight, then the row, independent features by their family's draw() with parameters
/// drawn from a_kd and b_kd, a gaussian one as the Student-t variate
///
///     m_k + stretch_k L_k y / sqrt(g)        y standard normal, g chi-squared with f_k degrees of freedom
///
/// where L_k L_k' is the inverse scale; diag: with a g of its own for every feature.
struct MixtureDraws {
  ComponentFamily family = ComponentFamily::gaussian;
  Component component = Component::full;
  int components = 0, features = 0;
  std::vector<double> cumulative;  ///< [K] weights up to and with a component
  std::vector<double> mean;        ///< [K x D] gaussian
  std::vector<double> root;        ///< full [K x D x D], tied [D x D]: lower triangular; diag [K x D]; spherical [K]
  std::vector<double> stretch;     ///< [K] gaussian
  std::vector<double> degrees_of_freedom;  ///< [K] f, gaussian
  std::vector<double> ab;                  ///< [K x D x 2] independent features
};

/// MixtureDraws, wherever its numbers lie.
struct DrawnMixture {
  Component component = Component::full;
  int components = 0, features = 0;
  const double *cumulative = nullptr, *mean = nullptr, *root = nullptr, *stretch = nullptr,
               *degrees_of_freedom = nullptr, *ab = nullptr;
};

/// Draws rows on a device, one thread at a time. Row n is a function of seed and n alone, made by the same steps
/// everywhere; elementary functions are those of the device's library, whose last bits may be others than the host's.
class Sampler {
 public:
  virtual ~Sampler() = default;
  /// Most rows of one wave.
  virtual std::int64_t wave() const = 0;
  /// Rows [first, first + count), wave() at the most: fills `labels` [count] with components and `values` [count x D].
  /// Throws DeviceError.
  virtual void sample(std::uint64_t seed, std::int64_t first, std::int64_t count, std::int32_t* labels,
                      double* values) = 0;
};

/// For `rows` rows in all. The draws must outlive it.
std::unique_ptr<Sampler> make_cpu_sampler(const MixtureDraws& draws, std::int64_t rows, int threads);
/// On CUDA device `ordinal`, in `memory` bytes of it (0: what is free). Throws DeviceError, without CUDA always.
std::unique_ptr<Sampler> make_cuda_sampler(const MixtureDraws& draws, std::int64_t rows, int ordinal,
                                           std::int64_t memory);

}  // namespace cavi::kernels
