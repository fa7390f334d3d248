// SPDX-License-Identifier: Apache-2.0
// A call of the engine for problems with one set of options.
#pragma once

#include "src/model_file.hpp"

#include <cavi/mixture.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace cavi {

/// Throws OptionError with all of them, one per line.
void throw_if_any(const std::vector<std::string>& problems);

/// What becomes of data that cannot be fitted.
enum class Failure { thrown, status };

/// Fits problem b to rows [offsets[b], offsets[b + 1]). `weight` is empty or [N]. `resume`, when given, holds a
/// checkpoint of these data.
MixtureBatch fit_problems(const MixtureOptions& o, const Matrix& x, const std::vector<std::int64_t>& offsets,
                          const std::vector<double>& weight, const InitialResponsibilities& start, const Device& device,
                          const ModelFile* resume, Failure failure);

/// Throws ShapeError unless there are none or one per row, NumericalError for a negative one.
void require_weights(const std::vector<double>& weight, std::int64_t rows);

/// The seed of restart number `restart`; the first one's is the seed itself.
std::uint64_t restart_seed(std::uint64_t seed, int restart);

}  // namespace cavi
