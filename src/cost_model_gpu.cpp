// SPDX-License-Identifier: Apache-2.0
// A sweep on a GPU: the busiest of its units, counted from the code of the kernels, and what waits for its turn.
//
// Counted: instructions of a thread for a pair of row and component (a multiply-add is one), bytes through shared
// memory and L2, exponentials. Assumed: 32 bytes per cycle and multiprocessor from L2, 128 from shared memory, 16
// exponentials, the boost clock throughout. Fitted to bench/results/h100.json: the share of the issue
// slots that a regime fills (few warps are resident, and they wait for what they have issued, on any GPU alike), and
// the time outside the pass over the rows. In most of those runs a row belongs to one component alone, so the shares
// are those of scoring; accumulating is taken to be as good. Other GPUs have not been measured.
#include "src/cost_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace cavi {
namespace {

/// As published: NVIDIA's data sheets and architecture white papers (SXM where there are several). The first whose
/// name fits counts.
constexpr GpuMachine kGpus[] = {{"H100", 132, 1.98, 3350, 128, 1024},  {"H200", 132, 1.98, 4800, 128, 1024},
                                {"A100", 108, 1.41, 2039, 64, 512},    {"L40S", 142, 2.52, 864, 128, 256},
                                {"B200", 148, 1.965, 8000, 128, 2048}, {"RTX 4090", 128, 2.52, 1008, 128, 128}};

/// A number for each pair of row and component: constant + feature D + cell Q, where Q = D (D + 1) / 2 for a precision
/// matrix each and 0 for other families.
struct PerPair {
  double constant, feature, cell;
  double operator()(double d, double q) const { return constant + feature * d + cell * q; }
};

struct Regime {
  std::string_view name;
  double share_full, share_axes;  ///< of issue slots that are filled
  PerPair full, axes;             ///< instructions for all pairs: scores, exponentials, the list of those that matter
  PerPair live_full, live_axes;   ///< more of them for pairs that matter
  PerPair shared;                 ///< bytes
  double l2;                      ///< bytes for a pair beside parameters
  double rows_of_parameters;      ///< that are scored with parameters read once from L2; 0: they stay on chip
  double reads;                   ///< of the rows from memory
  PerPair tensor;                 ///< multiply-adds on tensor cores
};

/// kernels/cuda/: mixture_points.cu, mixture_fused_*.cu, mixture_chunked.cu, mixture_tensor.cu, mixture_tile.cuh. A
/// new regime is a row. No run on record is of the tile pass: its share is a guess, as is that instructions of a warp
/// get 0.62 of the tensor cores' multiply-adds. The points pass and the fused one of up to 32 features and a precision
/// matrix each ("records") have other instructions since their shares were fitted, which says nothing of how they fill
/// issue slots now; those of the points pass are for all pairs alike, those for a point spread over four components.
constexpr Regime kRegimes[] = {
    {"points", 0.40, 0.40, {8, 3, 2}, {8, 5, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, 0, 0, 1, {0, 0, 0}},
    {"records", 0.235, 0.235, {11, 1.25, 1.07}, {0, 0, 0}, {4, 3, 1.7}, {0, 0, 0}, {12, 4, 1.2}, 0, 128, 1, {0, 0, 0}},
    {"fused", 0.235, 0.235, {11, 2.25, 1}, {11, 2, 0}, {4, 3, 1.8}, {4, 3, 0}, {12, 4, 0}, 0, 256, 1, {0, 0, 0}},
    {"chunked", 0.092, 0.092, {11, 4, 1}, {11, 2, 0}, {4, 3, 1}, {4, 3, 0}, {12, 8, 0}, 8, 128, 2, {0, 0, 0}},
    {"tensor", 0.245, 0.245, {11, 2, 0.47}, {11, 2, 0}, {4, 3, 0.39}, {4, 3, 0}, {12, 8, 0}, 8, 128, 2, {0, 4, 4.8}},
    {"tile", 0.1, 0.1, {16, 4, 1.5}, {16, 4, 0}, {8, 4, 1.5}, {8, 4, 0}, {0, 0, 0}, 12, 128, 2, {0, 0, 0}}};

constexpr double kIssue = 128;           ///< instructions of threads that a multiprocessor issues in a cycle
constexpr double kAttained = 0.9;        ///< of its float32 lanes, at best
constexpr double kCyclesOfWhole = 14.5;  ///< of a block that does a whole fit, for a pair: it waits most of the time
constexpr int kBlocksOfWhole = 3;        ///< on a multiprocessor
constexpr std::int64_t kRowsOfWhole = 4096;

double cells(const SweepShape& s) {
  const double d = s.features;
  return s.family == ComponentFamily::gaussian && s.covariance_type == CovarianceType::full ? d * (d + 1) / 2 : 0;
}

/// The frame of the parameters, updates and the bound: chains of small launches, in which a matrix of D x D is
/// factored column by column.
double seconds_beside_pass(const SweepShape& s) { return cells(s) > 0 ? 46e-6 + 20e-6 * s.features : 60e-6; }

const Regime& regime_named(std::string_view name) {
  return *std::find_if(std::begin(kRegimes), std::end(kRegimes) - 1, [&](const Regime& r) { return r.name == name; });
}

/// As in mixture_float32.hpp: what the points pass is for, and the bytes of a block's rows in the others.
constexpr int kPointsFeatures = 4, kPointsComponents = 128;
double block_bytes(int d, int k, int points, int lists) {
  const int padded = (d + 3) / 4 * 4, counts = (k + 1) / 2 * 16;
  return 4.0 * (double(padded) * (points + 9) + points) + counts + lists;
}
/// Whether the fused pass scores components from records, which a warp has in the place of its list.
bool in_records(const SweepShape& s) { return cells(s) > 0 && s.features <= 32; }
/// Its smallest tile.
double fused_bytes(const SweepShape& s) {
  const bool wide = cells(s) > 0 && s.features > 16;
  const int points = wide ? 256 : 64, warps = wide ? 4 : 8, fours = (s.features + 3) / 4;
  const int record = in_records(s) ? 32 * fours * (fours + 1) + 16 * fours + 16 : 0;
  return block_bytes(s.features, s.components, points, warps * std::max(6 * points, record));
}

}  // namespace

std::span<const GpuMachine> known_gpus() { return kGpus; }

const GpuMachine* find_gpu(std::string_view description) {
  for (const GpuMachine& gpu : kGpus)
    if (description.find(gpu.name) != std::string_view::npos) return &gpu;
  return nullptr;
}

std::string_view gpu_regime(const SweepShape& s) {
  constexpr double kShared = 98 << 10, kSums = 320 << 20;
  if (s.rows <= kRowsOfWhole) return "whole";
  if (s.precision == Scalar::float64 || s.family != ComponentFamily::gaussian) return "tile";
  if (s.features <= kPointsFeatures && s.components <= kPointsComponents) return "points";
  if (s.tensor_cores && cells(s) > 0 && s.features >= 32 && s.features <= 128) return "tensor";
  const bool fits = fused_bytes(s) <= kShared;
  const double blocks = std::ceil(s.features / 4.0),
               sums = s.components * (2 + s.features + 8 * blocks * (blocks + 1)) + 1;
  if (cells(s) > 0 && block_bytes(s.features, 0, 128, 4096) <= kShared && (!fits || 8 * 132 * sums > kSums))
    return "chunked";
  return fits ? "fused" : "tile";
}

Prediction predict(const SweepShape& s, const GpuMachine& gpu) {
  const double d = s.features, q = cells(s), rows = s.rows * s.fits, pairs = rows * s.components;
  const double hertz = 1e9 * gpu.ghz, all = hertz * gpu.multiprocessors;  // cycles per second of all multiprocessors
  const int width = s.precision == Scalar::float64 ? 2 : 1;
  const std::string_view name = gpu_regime(s);
  const Regime& r = regime_named(name == "fused" && in_records(s) ? "records" : name == "whole" ? "fused" : name);
  const double instructions = (q > 0 ? r.full : r.axes)(d, q) + s.live * (q > 0 ? r.live_full : r.live_axes)(d, q);
  const double rate = std::min(kIssue * (q > 0 ? r.share_full : r.share_axes), kAttained * gpu.lanes);
  const double slots = instructions * width / rate;  // cycles of a multiprocessor for a pair
  if (name == "whole") {
    const double rounds = std::ceil(s.fits / (gpu.multiprocessors * kBlocksOfWhole));
    const double cycles = std::max(kCyclesOfWhole, slots * kBlocksOfWhole);
    return {rounds * s.rows * s.components * cycles / hertz, "latency"};
  }
  const double parameters = 4 * width * (1 + d + std::max(q, d));
  const double l2 = width * r.l2 + (r.rows_of_parameters > 0 ? parameters / r.rows_of_parameters : 0);
  const std::array<Prediction, 6> units{{{pairs * slots / all, "issue"},
                                         {pairs * r.tensor(d, q) / (all * gpu.tensor), "tensor"},
                                         {pairs * r.shared(d, q) / (all * 128), "shared"},
                                         {pairs * l2 / (all * 32), "L2"},
                                         {rows * d * 4 * width * r.reads / (1e9 * gpu.bandwidth), "HBM"},
                                         {pairs / (all * 16), "special"}}};
  const Prediction pass =
      *std::max_element(units.begin(), units.end(), [](auto& a, auto& b) { return a.seconds < b.seconds; });
  const double beside = seconds_beside_pass(s);
  return {pass.seconds + beside, pass.seconds >= beside ? pass.by : "latency"};
}

}  // namespace cavi
