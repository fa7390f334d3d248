// SPDX-License-Identifier: Apache-2.0
// Time of a sweep over the shapes, families and kinds of rows that matter, from the public interface.
//
// A benchmark is one measurement as `cavi bench` makes it, the median of seven fits; its counters are the numbers of
// `cavi bench --json`. Google Benchmark chooses among them, repeats and writes files:
//
//   sweep_bench --benchmark_filter=K/ --benchmark_out=FILE --benchmark_out_format=json
//
// bench/results/sweeps.json is of a machine with much else to do: what compares there are processor times.
#include <cavi/cavi.hpp>

#include "src/cli/bench_report.hpp"
#include "src/cli/bench_rows.hpp"
#include "src/cli/measure.hpp"
#include "src/cli/peaks.hpp"
#include "src/family.hpp"
#include "src/work.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace cavi;
using cli::RowKind;
using Family = ComponentFamily;
using Type = CovarianceType;

constexpr int kRepeats = 7, kSweeps = 10;
const std::pair<const char*, Type> kTypes[] = {
    {"full", Type::full}, {"tied", Type::tied}, {"diag", Type::diag}, {"spherical", Type::spherical}};
const std::pair<const char*, RowKind> kKinds[] = {{"overlapping", RowKind::overlapping},
                                                  {"separated", RowKind::separated},
                                                  {"far", RowKind::far},
                                                  {"denormal", RowKind::denormal}};

struct Shape {
  std::int64_t rows;
  int features, components;
};
const std::pair<const char*, Type> kFull = kTypes[0], kDiag = kTypes[2];
const std::tuple<std::pair<const char*, Type>, Shape> kShapes[] = {
    {kFull, {200'000, 16, 32}}, {kDiag, {200'000, 64, 32}},     {kFull, {200'000, 2, 16}},
    {kFull, {50'000, 64, 64}},  {kTypes[1], {200'000, 16, 32}}, {kTypes[3], {200'000, 16, 32}}};

MixtureOptions options_of(Type type, int components, Scalar precision = Scalar::float32) {
  MixtureOptions o;
  o.n_components = components;
  o.covariance_type = type;
  o.precision = precision;
  o.init_params = Init::random_from_data;
  o.tol = 0;
  o.max_iter = kSweeps;
  return o;
}

/// Rows for which a sweep is some 4e8 multiply-adds, or 200k.
std::int64_t scaled_rows(Type type, int features, int components) {
  const double each = components * statistics_per_component(Family::gaussian, type, features);
  return std::clamp<std::int64_t>(std::int64_t(2e8 / each), 2 * components, 200'000);
}

const CpuMachine& machine() {
  static const CpuMachine measured = cli::measure_peaks(Device::cpu().threads());
  return measured;
}

void report(benchmark::State& state, const nlohmann::json& run) {
  for (const auto& [key, value] : run.items())
    if (value.is_number()) state.counters[key] = value.get<double>();
}

void sweep(benchmark::State& state, const MixtureOptions& o, const std::function<Matrix()>& rows) {
  machine();  // measured before, not while
  const Matrix x = rows();
  for (auto _ : state) {
    const cli::Measured m = cli::measure(o, x, Device::cpu(), kRepeats);
    state.SetIterationTime(m.median());
    const cli::RowShape shape{x.rows(), x.cols(), x.scalar()};
    SweepShape predicted = cli::sweep_shape(o, shape);
    predicted.live = m.live;
    report(state, cli::json_run(o, shape, m, machine(), predict(predicted, machine())));
  }
}

/// All of them in one call, reading and starts included; the time of one sweep of one of them.
void batch(benchmark::State& state, std::int64_t fits, const Shape& each) {
  const Matrix x = cli::make_rows(Family::gaussian, RowKind::overlapping, fits * each.rows, each.features);
  std::vector<std::int64_t> offsets;
  for (std::int64_t b = 0; b <= fits; ++b) offsets.push_back(b * each.rows);
  const MixtureOptions o = options_of(Type::full, each.components);
  for (auto _ : state) {
    const double processor = cli::processor_seconds();
    const auto begin = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(fit_batch(o, x, offsets, Device::cpu()));
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    const double sweeps = double(fits) * o.max_iter, seconds = wall.count() / sweeps;
    state.SetIterationTime(seconds);
    state.counters["pairs_per_second"] = double(each.rows) * each.components / seconds;
    state.counters["gflops"] = 1e-9 * operations_per_sweep(o, double(each.rows), each.features) / seconds;
    state.counters["processor_ms_per_sweep"] = 1e3 * (cli::processor_seconds() - processor) / sweeps;
  }
}

/// A file four times as large as the memory that its rows may take.
void streamed(benchmark::State& state, Type type, const Shape& s) {
  const auto file =
      std::filesystem::temp_directory_path() /
      ("cavi_bench_" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + ".npy");
  const struct Remove {
    const std::filesystem::path& file;
    ~Remove() { std::filesystem::remove(file); }
  } remove{file};
  sweep(state, options_of(type, s.components), [&] {
    const Matrix x = cli::make_rows(Family::gaussian, RowKind::overlapping, s.rows, s.features);
    std::vector<float> values(std::size_t(s.rows) * std::size_t(s.features));
    x.source()->read(0, s.rows, values.data());
    write_npy(file, values, s.rows, s.features);
    ReadOptions small;
    small.memory = std::int64_t(values.size()) * 4 / 4;
    return open_matrix(file, small);
  });
}

std::string name_of(const char* group, const char* what, const Shape& s, const char* more = "") {
  return std::string(group) + "/" + what + "/" + std::to_string(s.rows) + "x" + std::to_string(s.features) + "/" +
         std::to_string(s.components) + more;
}

template <class Run>
void add(const std::string& name, Run run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
}

void add_sweep(const std::string& name, MixtureOptions o, RowKind kind, const Shape& s) {
  add(name, [=](benchmark::State& state) {
    sweep(state, o, [&] { return cli::make_rows(o.family, kind, s.rows, s.features); });
  });
}

void add_all() {
  for (const auto& [type, s] : kShapes) {
    for (const auto& [name, precision] :
         {std::pair{"/float32", Scalar::float32}, std::pair{"/float64", Scalar::float64}})
      add_sweep(name_of("shape", type.first, s, name), options_of(type.second, s.components, precision),
                RowKind::overlapping, s);
  }
  for (const auto& [name, type] : kTypes) {
    for (int k = 1; k <= 1024; k *= 4) {
      const Shape s{scaled_rows(type, 8, k), 8, k};
      add_sweep(name_of("K", name, s), options_of(type, k), RowKind::overlapping, s);
    }
    for (int d = 1; d <= 256; d *= 4) {
      const Shape s{scaled_rows(type, d, 16), d, 16};
      add_sweep(name_of("D", name, s), options_of(type, 16), RowKind::overlapping, s);
    }
  }
  const Shape usual{100'000, 16, 32};
  for (const IndependentFamily& f : independent_families()) {
    MixtureOptions o = options_of(Type::full, usual.components);
    o.family = f.family;
    add_sweep(name_of("family", f.name, usual), o, RowKind::overlapping, usual);
  }
  for (const auto& [name, kind] : kKinds)
    for (const auto& type : {kFull, kDiag})
      add_sweep(name_of("rows", name, usual, type.first == kFull.first ? "/full" : "/diag"),
                options_of(type.second, usual.components), kind, usual);
  for (const auto& type : {kFull, kDiag})
    add(name_of("streamed", type.first, {400'000, 16, 32}), [=](benchmark::State& state) {
      streamed(state, type.second, {400'000, 16, 32});
    });
  for (const std::int64_t fits : {100, 1'000, 10'000, 100'000})
    add("batch/full/" + std::to_string(fits) + "x200x4/4", [=](benchmark::State& state) {
      batch(state, fits, {200, 4, 4});
    });
  add("batch/full/1000x1000x8/8", [](benchmark::State& state) { batch(state, 1000, {1000, 8, 8}); });
}

/// "AMD EPYC"; empty when the system does not say.
std::string processor_name() {
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);)
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  add_all();
  benchmark::AddCustomContext("processor", processor_name());
  benchmark::AddCustomContext("fma_peak_gflops", std::to_string(1e-9 * machine().flops));
  benchmark::AddCustomContext("read_bandwidth_gb_per_second", std::to_string(1e-9 * machine().bandwidth));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
