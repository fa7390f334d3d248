// SPDX-License-Identifier: Apache-2.0
/// \file
/// A fitted mixture as a person or a program reads it.
#pragma once

#include <cavi/mixture.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace cavi::cli {

/// A component is active when it holds at least this many rows (expected and weighted).
inline constexpr double kActiveCount = 0.5;
int active_components(const MixturePosterior& posterior);

/// The active components by falling weight: number (from 0, as in labels), weight, expected rows N_k, means and
/// standard deviations of as many features as fit into `width` columns. `names` of the features may be empty: x0, x1,
/// ...
std::string component_table(const MixturePosterior& posterior, const std::vector<std::string>& names, int width);

/// One JSON document; numbers are printed so that they read back exactly. `rows` are those of the file.
std::string json_report(const Summary& summary, const MixturePosterior& posterior, std::int64_t rows);

}  // namespace cavi::cli
