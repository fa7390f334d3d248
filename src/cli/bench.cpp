// SPDX-License-Identifier: Apache-2.0
// cavi bench: what a sweep costs, beside what the machine can do.
#include "src/cli/bench_report.hpp"
#include "src/cli/bench_rows.hpp"
#include "src/cli/command.hpp"
#include "src/cli/fit_options.hpp"
#include "src/cli/inputs.hpp"
#include "src/cli/measure.hpp"
#include "src/cli/model.hpp"
#include "src/cli/peaks.hpp"

#include <cstdio>
#include <memory>
#include <utility>

namespace cavi::cli {
namespace {

constexpr int kFewestRepeats = 7;
constexpr std::int64_t kMostNumbers = std::int64_t(1) << 40;
const Choices<RowKind> kRowKinds{{"overlapping", RowKind::overlapping},
                                 {"separated", RowKind::separated},
                                 {"far", RowKind::far},
                                 {"denormal", RowKind::denormal}};

struct Arguments {
  FitArguments fit;
  Text rows, features, kind, repeats;
  bool predict = false;
};

/// DATA, or how to make its rows.
struct Input {
  RowShape shape{200'000, 16};
  RowKind kind = RowKind::overlapping;
  std::optional<Matrix> x;
};

Input read_input(const Arguments& a, Complaints& complaints) {
  Input in;
  if (a.fit.data.file) {
    if (a.rows || a.features || a.kind)
      complaints.add("DATA has rows of its own: leave out --rows, --features and --kind");
    in.x = read_data(a.fit.data, complaints);
    if (in.x) in.shape = {in.x->rows(), in.x->cols(), in.x->scalar()};
    if (in.shape.rows == 0) complaints.add(in.x->name() + ": there are no rows");
    return in;
  }
  if (a.fit.data.columns || a.fit.data.raw || a.fit.data.memory)
    complaints.add("--columns, --raw and --memory are about DATA");
  auto& [rows, features, scalar] = in.shape;
  read_number<std::int64_t>("--rows", a.rows, rows, complaints);
  read_number<int>("--features", a.features, features, complaints);
  read_choice("--kind", a.kind, kRowKinds, in.kind, complaints);
  if (rows < 1) complaints.add(fmt::format("--rows must be at least 1, not {}", rows));
  if (features < 1) complaints.add(fmt::format("--features must be at least 1, not {}", features));
  if (rows > 0 && features > 0 && rows > kMostNumbers / features)
    complaints.add(fmt::format("--rows: {} x {} numbers are too many", rows, features));
  return in;
}

/// Prints rows as they come, the headings before the first, or all as one document.
class Output {
 public:
  Output(const Device& device, const std::optional<CpuMachine>& machine, BenchTable table, bool json)
      : table_(table), as_json_(json), json_{{"device", device.name()}, {"description", device.description()}} {
    heading_ = fmt::format("{}: {}", device.name(), device.description());
    if (machine) {
      json_["threads"] = machine->threads;
      json_["fma_peak_gflops"] = 1e-9 * machine->flops;
      json_["read_bandwidth_gb_per_second"] = 1e-9 * machine->bandwidth;
      heading_ +=
          fmt::format("; peaks: {:.4g} GFLOP/s, {:.3g} GB/s read", 1e-9 * machine->flops, 1e-9 * machine->bandwidth);
    }
    heading_ += "\n" + bench_heading(table_);
  }
  void add(const nlohmann::json& run) {
    json_["runs"].push_back(run);
    if (as_json_) return;
    fmt::print("{}{}", std::exchange(heading_, ""), bench_row(table_, run));
    std::fflush(stdout);  // the next one takes its time
  }
  void finish() const {
    if (as_json_) fmt::print("{}\n", json_.dump(2));
  }

 private:
  BenchTable table_;
  bool as_json_;
  nlohmann::json json_;
  std::string heading_;
};

/// On the device that was asked for, when it is known.
std::optional<Prediction> prediction(const SweepShape& shape, const Device& device,
                                     const std::optional<CpuMachine>& machine) {
  if (machine) return predict(shape, *machine);
  const GpuMachine* gpu = find_gpu(device.description());
  return gpu ? std::optional(predict(shape, *gpu)) : std::nullopt;
}

void predict_all(const std::vector<MixtureOptions>& sets, const RowShape& rows,
                 const std::optional<CpuMachine>& machine, Output& out) {
  for (const MixtureOptions& o : sets) {
    const SweepShape shape = sweep_shape(o, rows);
    if (machine) out.add(json_prediction(o, rows, "cpu", predict(shape, *machine)));
    for (const GpuMachine& gpu : known_gpus()) out.add(json_prediction(o, rows, gpu.name, predict(shape, gpu)));
  }
}

void measure_all(const std::vector<MixtureOptions>& sets, const Input& in, const Device& device, int repeats,
                 const std::optional<CpuMachine>& machine, Output& out) {
  const Matrix x = in.x ? *in.x : make_rows(sets[0].family, in.kind, in.shape.rows, in.shape.features);
  blame_data([&] { require_values(x, sets[0]); });
  for (const MixtureOptions& o : sets) {
    const Measured m = measure(o, x, device, repeats);
    SweepShape shape = sweep_shape(o, in.shape);
    shape.live = m.live;
    out.add(json_run(o, in.shape, m, machine, prediction(shape, device, machine)));
  }
}

void bench(const Arguments& a) {
  Complaints complaints;
  std::vector<MixtureOptions> sets = read_fit_options(a.fit, complaints);
  const Device device = read_device(a.fit.device, a.fit.threads, complaints);
  int repeats = kFewestRepeats;
  read_number<int>("--repeats", a.repeats, repeats, complaints);
  if (repeats < kFewestRepeats)
    complaints.add(fmt::format("--repeats must be at least {}, not {}", kFewestRepeats, repeats));
  if (is_start_file(a.fit.init)) complaints.add("--init: a start for all fits, not a file");
  const Input in = read_input(a, complaints);
  for (MixtureOptions& o : sets) {
    if (!a.fit.max_iter) o.max_iter = 10;
    if (!a.fit.init) o.init_params = Init::random_from_data;
    o.tol = 0;
  }
  if (sets[0].max_iter == 0) complaints.add("--max-iter must be at least 1, not 0");
  complain_about(sets, in.shape.features, complaints);
  complaints.throw_if_any();

  std::optional<CpuMachine> machine;
  if (device.kind() == Device::Kind::cpu) machine = measure_peaks(device.threads());
  Output out(device, machine, a.predict ? BenchTable::predictions : BenchTable::runs, a.fit.json);
  if (a.predict)
    predict_all(sets, in.shape, machine, out);
  else
    measure_all(sets, in, device, repeats, machine, out);
  out.finish();
}

constexpr const char* kFooter =
    "\nFits of --max-iter sweeps are made --repeats times, without DATA on rows of four clusters. Columns:\n"
    "  ms/sweep, least  wall time of a sweep, median and least of the fits, without reading and start\n"
    "  cpu ms           processor time of a sweep, all threads; if it is much less than ms/sweep times the\n"
    "                   threads, others were at work on this machine\n"
    "  predicted        processor time over threads by a model: counts of operations, and the peaks below\n"
    "  pairs/s          rows x components per second\n"
    "  GFLOP/s          useful work, 4 N K P / t with P statistics of a component: full D (D + 1) / 2 + D + 1,\n"
    "                   diag 2 D + 1, spherical D + 2, tied and the other families D + 1\n"
    "  roofline         the time of so many multiply-adds at the processor's peak, or of one read of the rows\n"
    "                   at the memory's, whichever is longer, over ms/sweep; peaks are measured in the same run\n"
    "  live             pairs of row and component whose responsibility is more than 2^-40 at the end: sums\n"
    "                   leave out the others, so that rows of separated clusters cost less\n"
    "  MiB              peak memory of the process in these fits, rows included\n"
    "  error            of the bound in float32 after the last sweep, relative to float64\n"
    "--predict runs no sweep: it says what the model expects of this machine and of some GPUs if all pairs\n"
    "are live, and what a sweep is bound by there.\n"
    "\nExamples:\n"
    "  cavi bench --n-components 1,4,16,64 --covariance-type full,diag\n"
    "  cavi bench --rows 1000000 --features 2 --n-components 16 --json\n"
    "  cavi bench --rows 10000000 --n-components 64 --predict\n"
    "  cavi bench measurements.npy --n-components 32 --device cuda";

}  // namespace

Command add_bench(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("bench", "Measure what a sweep costs on this machine");
  parser->group("Commands");
  parser->footer(kFooter);
  auto a = std::make_shared<Arguments>();
  const auto add = [&](const char* group, const char* name, Text& text, const char* type, const char* help) {
    parser->add_option(name, text, help)->type_name(type)->group(group);
  };
  add_data_options(*parser, a->fit.data);
  parser->get_option("DATA")->type_name("[FILE]");
  const char* group = "Without DATA";
  add(group, "--rows", a->rows, "N", "Make so many rows (default 200000)");
  add(group, "--features", a->features, "D", "And so many columns (default 16)");
  add(group, "--kind", a->kind, "KIND",
      "overlapping (default), separated, far (from the\norigin) or denormal (many numbers that are)");
  group = "Model";
  add(group, "--n-components", a->fit.n_components, "K",
      "Number of components (required), or several: 1:20, or\n2,4,8");
  add(group, "--family", a->fit.family, "FAMILY", "gaussian (default) or another one of cavi fit");
  add(group, "--covariance-type", a->fit.covariance_type, "TYPE", "full (default), tied, diag, spherical, or several");
  group = "Measurement";
  add(group, "--max-iter", a->fit.max_iter, "I", "Sweeps of a fit (default 10)");
  add(group, "--repeats", a->repeats, "R", "Fits that are timed (default and at least 7)");
  add(group, "--init", a->fit.init, "INIT", "random-from-data (default), kmeans, k-means++ or random");
  add(group, "--seed", a->fit.seed, "S", "Seed of the start (default 0)");
  parser->add_flag("--predict", a->predict, "Run nothing: what a model expects, here and on GPUs")->group(group);
  group = "Where it runs";
  add(group, "--precision", a->fit.precision, "P", "Arithmetic over rows: float32 (default) or float64");
  add_device_options(*parser, a->fit.device, a->fit.threads);
  parser->add_flag("--json", a->fit.json, "Print one JSON document and nothing else")->group("Output");
  return {parser, [a] { bench(*a); }};
}

}  // namespace cavi::cli
