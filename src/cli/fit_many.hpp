// SPDX-License-Identifier: Apache-2.0
/// \file
/// `cavi fit` under several sets of options, and of several data sets.
#pragma once

#include "src/cli/fit_options.hpp"

#include <cavi/mixture.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cavi::cli {

/// Rows of one data set after the other.
struct Batch {
  Matrix x;
  std::vector<std::int64_t> offsets;  ///< data set b has rows [offsets[b], offsets[b + 1])
  std::vector<std::string> names;     ///< of the files; empty when there is one
};

/// Opens DATA and MORE and reads --batch; nothing when there is a complaint.
std::optional<Batch> read_batch(const FitArguments& a, Complaints& complaints);

/// Fits every data set, prints them, and saves their arrays when asked to.
void fit_batch(const FitArguments& a, MixtureOptions options, const Device& device, const Batch& data,
               const std::vector<double>& weights);

/// Fits under every set of options, prints them by falling bound, then the best, and saves that when asked to.
void fit_selection(const FitArguments& a, const std::vector<MixtureOptions>& sets, const Device& device,
                   const Matrix& x, const std::vector<double>& weights);

}  // namespace cavi::cli
