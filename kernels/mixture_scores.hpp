// SPDX-License-Identifier: Apache-2.0
/// \file
/// What prediction asks a backend for: how rows stand to the components of a mixture whose parameters are known.
#pragma once

#include "kernels/ops.hpp"

#include <cavi/component_family.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cavi::kernels {

/// With x the row minus `origin`, and R'R the precision that a family's root stands for (see math/components/),
///
///     q_nk = |R_k (x_n - mean_k)|^2
///     Gaussian    s_nk = constant_k - q_nk
///     Student-t   s_nk = constant_k - exponent_k log(1 + factor_k q_nk)
///                 diag: the sum over features of such logarithms, as each has a Student-t of its own
///     linear      s_nk = constant_k + <mean_k, x_n>
///     predictive  s_nk = constant_k + sum_d ln p(x_nd | a_kd, b_kd), theta integrated out (components/independent.hpp)
///
/// A row's responsibilities are exp(s_nk) over their sum, its log density is the logarithm of that sum. Both in
/// float64. The origin is zero for families other than the gaussian.
struct MixtureScores {
  ComponentFamily family = ComponentFamily::gaussian;
  Component component = Component::full;
  int components = 0, features = 0;
  std::vector<double> root;      ///< full [K x D x D], tied [D x D]: upper triangular; diag [K x D]; spherical [K]
  std::vector<double> mean;      ///< [K x D] about the origin
  std::vector<double> constant;  ///< [K] nats
  std::vector<double> exponent;  ///< [K] Student-t; empty: Gaussian
  std::vector<double> factor;    ///< [K] Student-t; empty: Gaussian
  std::vector<double> ab;        ///< [K x D x 2] predictive; empty: linear
  std::vector<double> origin;    ///< [D]
};

/// A distance under a Student-t counts as this one when it is larger: two such factors fit into a product.
inline constexpr double kFarthest = 0x1p450;
/// A product of such factors is put away as a logarithm when it has grown to this.
inline constexpr double kProduct = 0x1p100;

/// The parameters in the frames that rows are scored in, as a family's factor() and locate() leave them
/// (math/components/): logits are `scale` s_nk. Of Student-t components the distances alone, with offsets of zero; the
/// root of a diag one holds the factor.
struct MixtureFrame {
  std::vector<double> root, centre, offset;
};
MixtureFrame frame_of(const MixtureScores& scores, double scale);

/// What is asked about every row.
struct Question {
  enum class About {
    label,             ///< the component with the largest responsibility, the first among equals
    responsibilities,  ///< of all components
    top,               ///< the largest ones by falling value, the lower component first among equals
    log_density,
  };
  About about = About::label;
  int top = 1;  ///< how many

  /// Results of a row: numbers of components, and float64 numbers.
  int labels() const { return about == About::label || about == About::top ? top : 0; }
  int numbers(int components) const {
    if (about == About::label) return 0;
    return about == About::responsibilities ? components : about == About::top ? top : 1;
  }
  std::int64_t bytes(int components) const {
    return labels() * std::int64_t(sizeof(std::int32_t)) + numbers(components) * std::int64_t(sizeof(double));
  }
};

/// Answers a question on a device. What a row gets depends on that row alone, to the last bit.
class Predictor {
 public:
  virtual ~Predictor() = default;
  /// Most rows of one wave.
  virtual std::int64_t wave() const = 0;
  /// Fills `labels` [rows x Question::labels()] and `numbers` [rows x Question::numbers()]. Throws NumericalError for
  /// a number that the family cannot have and, asked about responsibilities, for a row so far away that all distances
  /// overflow; IoError when the source does; DeviceError.
  virtual void predict(const Rows& rows, std::int32_t* labels, double* numbers) = 0;
};

/// For `rows` rows in all. The scores must outlive it.
std::unique_ptr<Predictor> make_cpu_predictor(const MixtureScores& scores, const Question& question, std::int64_t rows,
                                              int threads);
/// On CUDA device `ordinal`, in `memory` bytes of it (0: what is free). Throws DeviceError, without CUDA always.
std::unique_ptr<Predictor> make_cuda_predictor(const MixtureScores& scores, const Question& question, std::int64_t rows,
                                               int ordinal, std::int64_t memory);

/// What predict() throws.
inline NumericalError impossible_value(int column) {
  return NumericalError("column " + std::to_string(column) + " has a number that is out of range");
}
inline NumericalError too_far(std::int64_t row) {
  return NumericalError("row " + std::to_string(row) + " (from 0) is too far from every component to be told apart");
}

}  // namespace cavi::kernels
