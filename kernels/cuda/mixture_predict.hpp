// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows scored on a device; formulas in mixture_scores.hpp, the CPU twin in kernels/cpu/mixture_predict.cpp.
#pragma once

#include "kernels/cuda/mixture_sweep.hpp"
#include "kernels/mixture_scores.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cavi::kernels::cuda {

/// A wave of rows, what they are scored by, and where results go, row by row.
struct ScoredRows {
  MixtureSweepDevice shape;    ///< of the float64 sweep that scores like this, ...
  std::byte* frame = nullptr;  ///< ... and its parameters where it has them
  const double *constant = nullptr, *exponent = nullptr, *factor = nullptr, *ab = nullptr;  ///< as in MixtureScores
  const double* x = nullptr;                                                                ///< tiles
  std::int64_t rows = 0;
  double* workspace = nullptr;  ///< [blocks x scoring_workspace()]
  unsigned blocks = 1;
  std::int32_t* labels = nullptr;
  double* numbers = nullptr;   ///< for a label, too: its responsibility
  Failure* failure = nullptr;  ///< the least of the columns with an impossible number and of D + rows too far away
};

/// The frame as far as the host makes it; as large as all of it.
std::vector<double> scoring_frame(const MixtureSweepDevice& shape, const MixtureScores& scores);
/// Numbers that a block wants for a tile: its whitened rows, its responsibilities.
std::int64_t scoring_workspace(const MixtureSweepDevice& shape, Question::About about);

/// Makes the rest of the frame.
cudaError_t enqueue_scoring_frame(const ScoredRows& s, cudaStream_t stream);
/// Answers a question about every row.
cudaError_t enqueue_scoring(const ScoredRows& s, ComponentFamily family, const Question& question, cudaStream_t stream);

}  // namespace cavi::kernels::cuda
