// SPDX-License-Identifier: Apache-2.0
#include "src/cli/bench_report.hpp"

#include "src/cli/inputs.hpp"
#include "src/work.hpp"

#include <algorithm>
#include <span>

namespace cavi::cli {
namespace {

using Json = nlohmann::json;

struct Column {
  const char* heading;
  int width;
  std::string (*cell)(const Json& run);
};

/// A number times `scale` in a format, "-" when it is not known.
std::string number(const Json& run, const char* key, double scale, const char* format) {
  return run.contains(key) ? fmt::format(fmt::runtime(format), scale * run.at(key).get<double>()) : "-";
}

const Column kShape[] = {
    {"rows", 9, [](const Json& r) { return r.at("rows").dump(); }},
    {"D", 4, [](const Json& r) { return r.at("features").dump(); }},
    {"K", 5, [](const Json& r) { return r.at("components").dump(); }},
    {"type", 11, [](const Json& r) { return r.value("covariance_type", r.at("family").get<std::string>()); }},
    {"precision", 9, [](const Json& r) { return r.at("precision").get<std::string>(); }}};
const Column kRun[] = {
    {"ms/sweep", 9, [](const Json& r) { return number(r, "ms_per_sweep_median", 1, "{:.4g}"); }},
    {"least", 9, [](const Json& r) { return number(r, "ms_per_sweep_minimum", 1, "{:.4g}"); }},
    {"cpu ms", 9, [](const Json& r) { return number(r, "processor_ms_per_sweep", 1, "{:.4g}"); }},
    {"predicted", 9, [](const Json& r) { return number(r, "predicted_ms_per_sweep", 1, "{:.4g}"); }},
    {"pairs/s", 9, [](const Json& r) { return number(r, "pairs_per_second", 1, "{:.3g}"); }},
    {"GFLOP/s", 8, [](const Json& r) { return number(r, "gflops", 1, "{:.4g}"); }},
    {"roofline", 8, [](const Json& r) { return number(r, "fraction_of_roofline", 100, "{:.1f}%"); }},
    {"live", 7, [](const Json& r) { return number(r, "live_pairs", 100, "{:.1f}%"); }},
    {"MiB", 8, [](const Json& r) { return number(r, "peak_memory_bytes", 1.0 / 1048576, "{:.1f}"); }},
    {"error", 8, [](const Json& r) { return number(r, "bound_error", 1, "{:.1e}"); }}};
const Column kPrediction[] = {
    {"machine", 9, [](const Json& r) { return r.at("machine").get<std::string>(); }},
    {"ms/sweep", 9, [](const Json& r) { return number(r, "predicted_ms_per_sweep", 1, "{:.4g}"); }},
    {"bound by", 9, [](const Json& r) { return r.at("predicted_bound_by").get<std::string>(); }}};

template <class Cell>
std::string line(BenchTable table, Cell&& cell) {
  std::string out;
  const auto add = [&](std::span<const Column> columns) {
    for (const Column& c : columns) out += fmt::format("{:>{}} ", cell(c), c.width);
  };
  add(kShape);
  table == BenchTable::runs ? add(kRun) : add(kPrediction);
  out.back() = '\n';
  return out;
}

Json json_shape(const MixtureOptions& o, const RowShape& rows) {
  Json j{{"rows", rows.rows},
         {"features", rows.features},
         {"components", o.n_components},
         {"family", name_of(kFamilies, o.family)},
         {"precision", name_of(kPrecisions, o.precision)}};
  if (o.family == ComponentFamily::gaussian) j["covariance_type"] = name_of(kCovarianceTypes, o.covariance_type);
  return j;
}

void add_prediction(Json& j, const Prediction& predicted) {
  j["predicted_ms_per_sweep"] = 1e3 * predicted.seconds;
  j["predicted_bound_by"] = predicted.by;
}

}  // namespace

SweepShape sweep_shape(const MixtureOptions& o, const RowShape& rows) {
  return {double(rows.rows), rows.features, o.n_components, 1, o.family, o.covariance_type, o.precision, 1};
}

Json json_run(const MixtureOptions& o, const RowShape& x, const Measured& m, const std::optional<CpuMachine>& machine,
              const std::optional<Prediction>& predicted) {
  const double rows = double(x.rows), operations = operations_per_sweep(o, rows, x.features);
  Json j = json_shape(o, x);
  j["sweeps"] = o.max_iter;
  j["repeats"] = m.seconds.size();
  j["ms_per_sweep_median"] = 1e3 * m.median();
  j["ms_per_sweep_minimum"] = 1e3 * m.seconds.front();
  j["pairs_per_second"] = rows * o.n_components / m.median();
  j["gflops"] = 1e-9 * operations / m.median();
  j["live_pairs"] = m.live;
  j["bound_error"] = m.bound_error;
  if (m.processor_seconds > 0) j["processor_ms_per_sweep"] = 1e3 * m.processor_seconds;
  if (m.peak_memory > 0) j["peak_memory_bytes"] = m.peak_memory;
  if (predicted) add_prediction(j, *predicted);
  if (machine) {
    const double flops = machine->flops * 4 / size_of(o.precision);  // half as many float64 numbers fill a vector
    const double fma = operations / flops, read = rows * x.features * size_of(x.scalar) / machine->bandwidth;
    j["fraction_of_fma_peak"] = fma / m.median();
    j["fraction_of_read_bandwidth"] = read / m.median();
    j["fraction_of_roofline"] = std::max(fma, read) / m.median();
  }
  return j;
}

Json json_prediction(const MixtureOptions& o, const RowShape& rows, std::string_view machine,
                     const Prediction& predicted) {
  Json j = json_shape(o, rows);
  j["machine"] = machine;
  add_prediction(j, predicted);
  return j;
}

std::string bench_heading(BenchTable table) {
  return line(table, [](const Column& c) { return c.heading; });
}

std::string bench_row(BenchTable table, const Json& run) {
  return line(table, [&](const Column& c) { return c.cell(run); });
}

}  // namespace cavi::cli
