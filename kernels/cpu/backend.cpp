// SPDX-License-Identifier: Apache-2.0
// The CPU backend: runs a program for every problem of a batch, each with memory, stopping and status of its own.
#include "kernels/cpu/assign_start.hpp"
#include "kernels/cpu/contract.hpp"
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/moments.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/failures.hpp"
#include "kernels/ops.hpp"
#include "kernels/sources.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <mutex>

namespace cavi::kernels {

namespace cpu {
namespace {

constexpr std::int64_t kLine = 8;  // doubles in a cache line: buffers begin on one

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// One problem: its memory and how far it has come.
struct Instance {
  Problem problem;
  std::vector<double> memory;
  Summary summary;
  bool started = false;
  double weight = 0;  ///< observed rows
};

class CpuSession : public Session {
 public:
  CpuSession(const Program& program, int threads)
      : program_(program), pool_(threads), instances_(std::size_t(program.problems)) {
    for (const auto& map : program_.maps) maps_.push_back(map.data());
    find_shared_buffers();
    load_shared_buffers();
    for (std::size_t b = 0; b < instances_.size(); ++b) bind(instances_[b], std::int64_t(b));
    for (const Op& op : program_.sweep) {
      if (const auto* sweep = std::get_if<MixtureSweep>(&op)) precision_ = sweep->shape.precision, fused_ = true;
    }
  }

  void start() override {
    over_problems([&](Instance& i) { start(i); });
  }

  std::vector<Summary> run(const StoppingRule& rule, const std::function<bool(const Sweep&)>& on_sweep) override {
    stopped_ = false;
    over_problems([&](Instance& i) { run_problem(i, rule, on_sweep); });
    std::vector<Summary> out;
    for (const Instance& i : instances_) out.push_back(i.summary);
    return out;
  }

  std::vector<double> read(Buffer buffer, std::int64_t problem) override {
    const Problem& p = instances_.at(std::size_t(problem)).problem;
    return {p[buffer], p[buffer] + size(buffer, p)};
  }

  void write(Buffer buffer, std::int64_t problem, const std::vector<double>& values) override {
    const Problem& p = instances_.at(std::size_t(problem)).problem;
    if (std::int64_t(values.size()) != size(buffer, p))
      throw ShapeError("'" + program_.buffers[std::size_t(buffer)].name + "' holds " + std::to_string(size(buffer, p)) +
                       " numbers, not " + std::to_string(values.size()));
    std::copy(values.begin(), values.end(), p[buffer]);
  }

  void set_summary(std::int64_t problem, const Summary& summary) override {
    instances_.at(std::size_t(problem)).summary = summary;
  }

  std::vector<double> responsibilities(const MixtureSweep& op, std::int64_t problem) override {
    const Problem& p = instances_.at(std::size_t(problem)).problem;
    std::vector<double> r(std::size_t(p.rows[std::size_t(op.shape.source)].count) * std::size_t(op.shape.components));
    mixture_responsibilities(op, p, r.data(), pool_);
    return r;
  }

 private:
  /// One problem uses all threads inside its operations; several are dealt out whole.
  template <class F>
  void over_problems(F work) {
    if (instances_.size() == 1) return work(instances_[0]);
    pool_.run(std::int64_t(instances_.size()), [&](std::int64_t b, int) { work(instances_[std::size_t(b)]); });
  }

  std::int64_t size(Buffer b, const Problem& p) const {
    const BufferSpec& spec = program_.buffers[std::size_t(b)];
    return spec.size * (spec.plate < 0 ? 1 : p.extents[std::size_t(spec.plate)]);
  }

  // ---- memory -------------------------------------------------------------------------------------------------------

  /// Data that are the same for every problem are loaded once.
  void find_shared_buffers() {
    shared_.assign(program_.buffers.size(), nullptr);
    for (const SourceSpec& s : program_.sources)
      if (is_shared(s))
        shared_memory_.emplace_back(s.buffer, std::vector<double>(std::size_t(s.matrix.rows() * s.matrix.cols())));
  }

  void load_shared_buffers() {
    for (auto& [buffer, memory] : shared_memory_) {
      shared_[std::size_t(buffer)] = memory.data();
      for (const SourceSpec& s : program_.sources)
        if (s.buffer == buffer) load(s, all_rows(s), memory.data());
    }
  }

  void bind(Instance& instance, std::int64_t number) const {
    Problem& p = instance.problem;
    p.number = number;
    for (const auto& offsets : program_.plate_offsets)
      p.extents.push_back(offsets.empty() ? 0 : offsets[std::size_t(number) + 1] - offsets[std::size_t(number)]);
    for (const SourceSpec& s : program_.sources) p.rows.push_back(rows_of(program_, s, number));
    p.buffers.assign(program_.buffers.size(), nullptr);
  }

  /// Memory for one problem, when its turn comes.
  void allocate(Instance& instance) const {
    Problem& p = instance.problem;
    std::int64_t total = kLine;
    const auto padded = [&](Buffer b) { return (size(b, p) + kLine - 1) / kLine * kLine; };
    for (Buffer b = 0; b < Buffer(program_.buffers.size()); ++b)
      if (!shared_[std::size_t(b)]) total += padded(b);
    instance.memory.assign(std::size_t(total), 0.0);
    double* next = instance.memory.data();
    next += (kLine - (reinterpret_cast<std::uintptr_t>(next) / sizeof(double)) % kLine) % kLine;
    for (Buffer b = 0; b < Buffer(program_.buffers.size()); ++b) {
      p.buffers[std::size_t(b)] = shared_[std::size_t(b)] ? shared_[std::size_t(b)] : next;
      if (!shared_[std::size_t(b)]) next += padded(b);
    }
    for (const SourceSpec& s : program_.sources)
      if (s.buffer != kNoBuffer && !shared_[std::size_t(s.buffer)])
        load(s, rows_of(program_, s, p.number), p[s.buffer]);
    instance.weight = double(p.size(program_.rows));
    if (program_.rows_weight != kNoBuffer) {
      const double* w = p[program_.rows_weight];
      instance.weight = 0;
      for (std::int64_t i = 0; i < p.size(program_.rows); ++i) instance.weight += w[i];
    }
  }

  // ---- running ------------------------------------------------------------------------------------------------------

  void execute(const Op& op, Instance& instance) {
    Problem& p = instance.problem;
    std::visit(
        [&](const auto& o) {
          using T = std::decay_t<decltype(o)>;
          if constexpr (std::is_same_v<T, Contract>)
            contract(o, p, pool_, maps_);
          else if constexpr (std::is_same_v<T, Fill>)
            std::fill_n(p[o.buffer], size(o.buffer, p), o.value);
          else if constexpr (std::is_same_v<T, Copy>)
            std::copy_n(p[o.from], size(o.from, p), p[o.to]);
          else if constexpr (std::is_same_v<T, Moments>)
            moments(o, p, pool_);
          else if constexpr (std::is_same_v<T, MixtureSweep>) {
            const SweepShares shares = mixture_sweep(o, p, pool_);
            instance.summary.negligible = shares.negligible;
            instance.summary.near = shares.near;
          } else if constexpr (std::is_same_v<T, MixtureStart>) {
            const Rows& rows = p.rows[std::size_t(o.shape.source)];
            const SourceSpec& s = program_.sources[std::size_t(o.shape.source)];
            p.first_row = s.per_problem ? rows.first : p.number * rows.count;
            mixture_start(o, program_.responsibilities[std::size_t(o.responsibilities)], p, pool_);
          } else if constexpr (std::is_same_v<T, AssignStart>) {
            p.first_row = o.elements.plate < 0
                              ? p.number * o.elements.size
                              : program_.plate_offsets[std::size_t(o.elements.plate)][std::size_t(p.number)];
            assign_start(o, program_.responsibilities[std::size_t(o.responsibilities)], p, pool_);
          } else if constexpr (std::is_same_v<T, Bound>) {
            bound(o, p);
          }
        },
        op);
  }

  static void bound(const Bound& op, const Problem& p) {
    double sum = 0, magnitude = 0;
    for (Buffer b : op.parts) {
      sum += p[b][0];
      magnitude += std::abs(p[b][0]);
    }
    p[op.record][0] = sum;
    p[op.record][1] = magnitude;
  }

  /// Runs a list of operations; every bound is compared with the one before. Returns the last one.
  double execute(const std::vector<Op>& ops, Instance& instance, double before) {
    for (const Op& op : ops) {
      execute(op, instance);
      const auto* b = std::get_if<Bound>(&op);
      if (!b) continue;
      const double* record = instance.problem[b->record];
      const int sweep = instance.summary.elbo_trace.empty() ? 0 : instance.summary.n_iter + 1;
      if (!std::isfinite(record[0]) || record[0] < before - bound_slack(precision_) * (record[1] + instance.weight))
        throw bound_failure(*b, record[0], before, sweep);
      before = record[0];
      if (&op != &ops.back()) instance.summary.update_trace.push_back(before);
    }
    instance.summary.update_trace.push_back(before);
    return before;
  }

  /// A numerical failure of a problem in a batch is its status.
  template <class F>
  void guarded(Instance& instance, F work) const {
    try {
      work();
    } catch (const NumericalError& e) {
      if (!program_.batched) throw;
      instance.summary.termination = Termination::numerical_error;
      instance.summary.message = e.what();
    }
  }

  static bool is_over(const Summary& s) {
    return s.termination == Termination::converged || s.termination == Termination::no_data ||
           s.termination == Termination::numerical_error;
  }

  void run_problem(Instance& instance, const StoppingRule& rule, const std::function<bool(const Sweep&)>& on_sweep) {
    Summary& s = instance.summary;
    start(instance);
    if (is_over(s)) return;
    guarded(instance, [&] {
      s.termination = Termination::max_iter;
      while (s.n_iter < rule.max_iter) {
        if (stopped_) return void(s.termination = Termination::stopped);
        const auto begin = std::chrono::steady_clock::now();
        const double gain = sweep(instance);
        const double elapsed = seconds_since(begin);
        s.seconds += elapsed;
        if (on_sweep && !report(on_sweep, instance, gain, elapsed)) return void(s.termination = Termination::stopped);
        if (rule.tol > 0 && gain < rule.tol * instance.weight) return void(s.termination = Termination::converged);
      }
    });
  }

  void start(Instance& instance) {
    if (instance.started) return;
    instance.started = true;
    Summary& s = instance.summary;
    s.device = "cpu";
    s.precision = precision_;
    s.fused = fused_;
    guarded(instance, [&] {
      allocate(instance);
      s.rows = instance.weight;
      if (is_over(s)) return;  // refused
      if (program_.batched && program_.rows.plate >= 0 && instance.problem.size(program_.rows) == 0) {
        s.termination = Termination::no_data;
        s.message = "no rows";
        return;
      }
      s.elbo = execute(program_.init, instance, -std::numeric_limits<double>::infinity());
      s.elbo_trace = {s.elbo};
    });
  }

  double sweep(Instance& instance) {
    Summary& s = instance.summary;
    const double before = s.elbo;
    s.elbo = execute(program_.sweep, instance, before);
    s.elbo_trace.push_back(s.elbo);
    ++s.n_iter;
    return s.elbo - before;
  }

  bool report(const std::function<bool(const Sweep&)>& on_sweep, const Instance& instance, double gain,
              double elapsed) {
    const std::lock_guard lock(callback_);
    const Sweep sweep{int(instance.problem.number), instance.summary.n_iter, instance.summary.elbo, gain,
                      elapsed > 0 ? double(instance.problem.size(program_.rows)) / elapsed : 0};
    if (!on_sweep(sweep)) stopped_ = true;
    return !stopped_;
  }

  const Program program_;
  ThreadPool pool_;
  std::vector<Instance> instances_;
  std::vector<const std::int32_t*> maps_;
  std::vector<double*> shared_;  ///< by buffer
  std::vector<std::pair<Buffer, std::vector<double>>> shared_memory_;
  Scalar precision_ = Scalar::float64;
  bool fused_ = false;
  std::mutex callback_;
  std::atomic<bool> stopped_ = false;
};

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(int threads) : threads_(threads) {}
  std::string name() const override { return "cpu"; }
  std::unique_ptr<Session> prepare(const Program& program) override {
    return std::make_unique<CpuSession>(program, threads_);
  }

 private:
  int threads_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(int threads) { return std::make_unique<cpu::CpuBackend>(threads); }

}  // namespace cavi::kernels
