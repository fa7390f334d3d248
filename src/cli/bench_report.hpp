// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `cavi bench` found out, as a person or a program reads it.
#pragma once

#include "src/cli/measure.hpp"
#include "src/cost_model.hpp"

#include <cavi/mixture.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cavi::cli {

/// The rows that are swept.
struct RowShape {
  std::int64_t rows = 0;
  int features = 0;
  Scalar scalar = Scalar::float32;
};

SweepShape sweep_shape(const MixtureOptions& options, const RowShape& rows);

/// Keys with units in their names; those that are not known are left out.
nlohmann::json json_run(const MixtureOptions& options, const RowShape& rows, const Measured& measured,
                        const std::optional<CpuMachine>& machine, const std::optional<Prediction>& predicted);
nlohmann::json json_prediction(const MixtureOptions& options, const RowShape& rows, std::string_view machine,
                               const Prediction& predicted);

/// A table of runs or of predictions: its headings, and a row.
enum class BenchTable { runs, predictions };
std::string bench_heading(BenchTable table);
std::string bench_row(BenchTable table, const nlohmann::json& run);

}  // namespace cavi::cli
