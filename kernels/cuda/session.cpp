// SPDX-License-Identifier: Apache-2.0
// Rounds of sweeps: the host says how far each problem may go, the device goes there, the host reads what happened.
#include "kernels/cuda/session.hpp"

#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/cuda/launch_plan.hpp"
#include "kernels/cuda/lower.hpp"
#include "kernels/cuda/mixture_float32.hpp"
#include "kernels/cuda/problem_memory.hpp"
#include "kernels/cuda/range.hpp"
#include "kernels/cuda/row_store.hpp"
#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/sweep_graph.hpp"
#include "kernels/cuda/tables.hpp"
#include "kernels/failures.hpp"
#include "kernels/sources.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <thread>

namespace cavi::kernels::cuda {
namespace {

constexpr int kRound = 128;  // sweeps between two looks of the host

/// The largest extent of every plate.
std::vector<std::int64_t> largest(const Program& program, const std::vector<std::int64_t>& problems) {
  std::vector<std::int64_t> out(program.plate_offsets.size(), 0);
  for (std::size_t plate = 0; plate < out.size(); ++plate)
    for (const std::int64_t b : problems)
      if (const auto& offsets = program.plate_offsets[plate]; !offsets.empty())
        out[plate] = std::max(out[plate], offsets[std::size_t(b) + 1] - offsets[std::size_t(b)]);
  return out;
}

std::vector<std::int64_t> all_problems(const Program& program) {
  std::vector<std::int64_t> out(std::size_t(program.problems));
  for (std::size_t b = 0; b < out.size(); ++b) out[b] = std::int64_t(b);
  return out;
}

/// CAVI_TENSOR_CORES=0 in the environment leaves them alone, to compare.
bool wants_tensor_cores() {
  const char* wanted = std::getenv("CAVI_TENSOR_CORES");
  return !wanted || std::string(wanted) != "0";
}

/// Where blocks cannot have the shared memory that fast passes want, the plain one does. Tensor cores of float32 came
/// with compute capability 8.
Lowered for_device(Lowered lowered, int ordinal) {
  int shared = 0, major = 0;
  check(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal), "asking for shared memory");
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal), "asking for compute capability");
  for (DeviceOp& op : lowered.sweep) {
    if (op.kind != DeviceOp::Kind::mixture_sweep) continue;
    op.mixture_sweep.tensor_cores = major >= 8 && wants_tensor_cores();
    if (shared < kBlockBytes) op.mixture_sweep.regime = MixtureRegime::tile;
  }
  return lowered;
}

class CudaSession : public Session {
 public:
  CudaSession(const Program& program, int ordinal, std::int64_t budget)
      : program_(program),
        ordinal_(ordinal),
        tables_(program_, stream_),
        lowered_(for_device(lower(program_, largest(program_, all_problems(program_)), tables_), ordinal)),
        summaries_(std::size_t(program.problems)),
        started_(summaries_.size(), false),
        weight_(summaries_.size(), 0) {
    if (program_.problems == 0) return;
    find_groups();
    const int bounds = std::max({1, count_bounds(lowered_.init), kRound * count_bounds(lowered_.sweep)});
    memory_.emplace(program_, lowered_.temporaries, scratch(), order_, bounds, stream_);
    rows_.emplace(program_, fused_sources(), rows_budget(budget), stream_);
    memory_->set_rows(rows_->rows());
    init_ops_ = to_device(lowered_.init, "copying operations", stream_);
    sweep_ops_ = to_device(lowered_.sweep, "copying operations", stream_);
    for (Part* part : {&whole_, &split_}) {
      const auto extents = largest(program_, part->problems);
      part->init.emplace(lowered_.init, init_ops_.as<const DeviceOp>(), false, extents);
      part->sweep.emplace(lowered_.sweep, sweep_ops_.as<const DeviceOp>(), true, extents);
      part->group.count = std::int64_t(part->problems.size());
      for (const std::int64_t b : part->problems) part->group.max_rows = std::max(part->group.max_rows, fused_rows(b));
    }
    whole_.group.problems = memory_->problems();
    split_.group.problems = memory_->problems() + whole_.group.count;
    load();
  }

  void start() override {
    const OnDevice on(ordinal_);
    const Range range("cavi: start");
    std::vector<Course> courses(summaries_.size());
    bool any = false;
    for (std::size_t b = 0; b < courses.size(); ++b) {
      if (started_[b]) continue;
      started_[b] = true;
      Summary& s = summaries_[b];
      s.device = "cuda:" + std::to_string(ordinal_);
      s.kernel = kernel_of(std::int64_t(b));
      for (const Op& op : program_.sweep)
        if (const auto* sweep = std::get_if<MixtureSweep>(&op)) s.fused = true, s.precision = sweep->shape.precision;
      s.rows = weight_[b];
      if (is_over(s)) continue;  // refused
      if (!complaints_[b].empty()) {
        s.termination = Termination::numerical_error;
        s.message = complaints_[b];
        continue;
      }
      if (program_.batched && program_.rows.plate >= 0 && memory_->extent(program_.rows, std::int64_t(b)) == 0) {
        s.termination = Termination::no_data;
        s.message = "no rows";
        continue;
      }
      Course& c = courses[b];
      c.active = any = true;
      c.limit = 1;
      c.before = c.sweep_before = -std::numeric_limits<double>::infinity();
      c.slack = bound_slack(s.precision);
      c.rows = weight_[b];
    }
    if (!any) return;
    memory_->put_courses(courses);
    for (const Part* part : {&whole_, &split_}) {
      if (part->group.count == 0) continue;
      if (rows_->streamed())
        part->init->enqueue_streamed(part->group, *rows_, memory_->rows_table(), stream_);
      else
        part->init->enqueue(part->group, stream_);
    }
    const std::vector<Course> after = memory_->get_courses();
    for (std::size_t b = 0; b < courses.size(); ++b)
      if (courses[b].active) finish_start(b, after[b]);
  }

  std::vector<Summary> run(const StoppingRule& rule, const std::function<bool(const Sweep&)>& on_sweep) override {
    const OnDevice on(ordinal_);
    start();
    for (Summary& s : summaries_)
      if (!is_over(s)) s.termination = Termination::max_iter;
    bool stopped = false;
    while (!stopped && round(rule, on_sweep, stopped)) {
    }
    return summaries_;
  }

  std::vector<double> read(Buffer buffer, std::int64_t problem) override {
    const OnDevice on(ordinal_);
    return memory_->read(buffer, problem);
  }

  void write(Buffer buffer, std::int64_t problem, const std::vector<double>& values) override {
    const OnDevice on(ordinal_);
    if (std::int64_t(values.size()) != memory_->size(buffer, problem))
      throw ShapeError("'" + program_.buffers[std::size_t(buffer)].name + "' holds " +
                       std::to_string(memory_->size(buffer, problem)) + " numbers, not " +
                       std::to_string(values.size()));
    if (!values.empty()) memory_->write(buffer, problem, values.data());
  }

  void set_summary(std::int64_t problem, const Summary& summary) override {
    summaries_.at(std::size_t(problem)) = summary;
  }

  /// They go to the host row by row, so the host computes them, from the parameters that the device found.
  std::vector<double> responsibilities(const MixtureSweep& op, std::int64_t problem) override {
    Problem p;
    std::vector<std::vector<double>> parameters;
    p.buffers.assign(program_.buffers.size(), nullptr);
    for (const Buffer b : {op.quadratic, op.linear, op.constant}) {
      parameters.push_back(read(b, problem));
      p.buffers[std::size_t(b)] = parameters.back().data();
    }
    for (const SourceSpec& s : program_.sources) p.rows.push_back(rows_of(program_, s, problem));
    std::vector<double> r(std::size_t(p.rows[std::size_t(op.shape.source)].count * op.shape.components));
    cpu::ThreadPool pool(int(std::max(1u, std::thread::hardware_concurrency())));
    cpu::mixture_responsibilities(op, p, r.data(), pool);
    return r;
  }

 private:
  /// Problems that share a way of being launched.
  struct Part {
    std::vector<std::int64_t> problems;
    Group group;
    std::optional<LaunchPlan> init, sweep;
  };

  // ---- preparation --------------------------------------------------------------------------------------------------

  std::vector<FusedSource> fused_sources() const {
    std::vector<FusedSource> out;
    for (const DeviceOp& op : lowered_.sweep)
      if (op.kind == DeviceOp::Kind::mixture_sweep)
        out.push_back({op.mixture_sweep.source, op.mixture_sweep.precision});
    return out;
  }

  std::int64_t fused_rows(std::int64_t problem) const {
    std::int64_t rows = 0;
    for (const FusedSource& f : fused_sources())
      rows = std::max(rows, rows_of(program_, program_.sources[std::size_t(f.source)], problem).count);
    return rows;
  }

  std::string kernel_of(std::int64_t problem) const {
    if (std::binary_search(whole_.problems.begin(), whole_.problems.end(), problem)) return "whole";
    const MixtureSweepDevice* sweep = split_.sweep->mixture_sweep();
    return (sweep ? mixture_regime(*sweep, fused_rows(problem)) : "generic") + (rows_->streamed() ? ", streamed" : "");
  }

  void find_groups() {
    for (const std::int64_t b : all_problems(program_))
      (fits_one_block(lowered_.sweep, largest(program_, {b}), fused_rows(b)) ? whole_ : split_).problems.push_back(b);
    order_ = whole_.problems;
    order_.insert(order_.end(), split_.problems.begin(), split_.problems.end());
  }

  std::vector<std::int64_t> scratch() const {
    std::vector<std::int64_t> bytes(summaries_.size(), 0);
    for (const DeviceOp& op : lowered_.sweep)
      if (op.kind == DeviceOp::Kind::mixture_sweep)
        for (std::size_t b = 0; b < bytes.size(); ++b)
          bytes[b] = std::max(bytes[b], mixture_sweep_scratch(op.mixture_sweep, fused_rows(std::int64_t(b))));
    return bytes;
  }

  std::int64_t rows_budget(std::int64_t budget) const {
    const std::int64_t most = usable_memory();
    return budget > 0 ? std::min(budget - memory_->bytes(), most) : most;
  }

  void load() {
    complaints_.resize(summaries_.size());
    memory_->load(complaints_);
    for (std::size_t b = 0; b < summaries_.size(); ++b) {
      weight_[b] = double(memory_->extent(program_.rows, std::int64_t(b)));
      if (program_.rows_weight == kNoBuffer || weight_[b] == 0) continue;
      weight_[b] = 0;
      for (const double w : memory_->read(program_.rows_weight, std::int64_t(b))) weight_[b] += w;
    }
  }

  // ---- rounds -------------------------------------------------------------------------------------------------------

  static bool is_over(const Summary& s) {
    return s.termination == Termination::converged || s.termination == Termination::no_data ||
           s.termination == Termination::numerical_error;
  }

  void finish_start(std::size_t b, const Course& c) {
    Summary& s = summaries_[b];
    const double* trace = memory_->trace(std::int64_t(b));
    for (int i = 0; i < c.bounds; ++i) s.update_trace.push_back(trace[i]);
    if (c.failure != kNoFailure)
      return fail(b, c.failure, trace, c.bounds, -std::numeric_limits<double>::infinity(), 0);
    s.elbo = trace[c.bounds - 1];
    s.elbo_trace = {s.elbo};
  }

  /// One round of sweeps for all problems that go on; false when there is none.
  bool round(const StoppingRule& rule, const std::function<bool(const Sweep&)>& on_sweep, bool& stopped) {
    const Range range("cavi: sweeps");
    const auto begin = std::chrono::steady_clock::now();
    const int at_once = on_sweep ? 1 : kRound;
    std::vector<Course> courses(summaries_.size());
    bool any = false;
    for (std::size_t b = 0; b < courses.size(); ++b) {
      const Summary& s = summaries_[b];
      if (is_over(s) || s.n_iter >= rule.max_iter) continue;
      Course& c = courses[b];
      c.active = any = true;
      c.sweeps = s.n_iter;
      c.limit = std::min(rule.max_iter, s.n_iter + at_once);
      c.before = c.sweep_before = s.elbo;
      c.least_gain = rule.tol > 0 ? rule.tol * weight_[b] : 0;
      c.slack = bound_slack(s.precision);
      c.rows = weight_[b];
    }
    if (!any) return false;
    memory_->put_courses(courses);
    const MixtureSweepDevice* sweep = whole_.sweep->mixture_sweep();
    if (whole_.group.count > 0)
      check(enqueue_whole(whole_.sweep->all(), sweep ? std::optional(sweep->component) : std::nullopt, at_once,
                          whole_.group.problems, whole_.group.count, stream_),
            "launching whole fits");
    if (split_.group.count > 0) sweep_split(courses, at_once);
    const std::vector<Course> after = memory_->get_courses();
    const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    for (std::size_t b = 0; b < courses.size(); ++b)
      if (courses[b].active) read_course(b, after[b], elapsed, on_sweep, stopped);
    return true;
  }

  void sweep_split(const std::vector<Course>& courses, int at_once) {
    if (std::none_of(split_.problems.begin(), split_.problems.end(),
                     [&](std::int64_t b) { return courses[std::size_t(b)].active; }))
      return;
    if (rows_->streamed()) {
      for (int i = 0; i < at_once; ++i) {
        split_.sweep->enqueue_streamed(split_.group, *rows_, memory_->rows_table(), stream_);
        if (i + 1 < at_once && !memory_->get_courses()[std::size_t(split_.problems[0])].active) return;
      }
    } else if (at_once == 1) {
      split_.sweep->enqueue(split_.group, stream_);
    } else {
      if (!graph_) graph_.emplace(*split_.sweep, split_.group, stream_);
      graph_->launch(stream_);
    }
  }

  void read_course(std::size_t b, const Course& c, double elapsed, const std::function<bool(const Sweep&)>& on_sweep,
                   bool& stopped) {
    Summary& s = summaries_[b];
    const double* trace = memory_->trace(std::int64_t(b));
    const int per_sweep = count_bounds(lowered_.sweep);
    s.seconds += elapsed;
    s.negligible = c.negligible;
    s.near = c.near;
    double before = s.elbo;
    for (int i = 0; i < c.bounds; ++i) {
      const bool failed = c.failure != kNoFailure && i / per_sweep == (c.bounds - 1) / per_sweep;
      if (failed) return fail(b, c.failure, trace + i, c.bounds - i, s.elbo, s.n_iter + 1);
      s.update_trace.push_back(trace[i]);
      if ((i + 1) % per_sweep != 0) continue;
      before = s.elbo;
      s.elbo = trace[i];
      s.elbo_trace.push_back(s.elbo);
      ++s.n_iter;
    }
    if (c.converged) s.termination = Termination::converged;
    if (!on_sweep) return;
    if (stopped) {
      if (!c.converged) s.termination = Termination::stopped;
      return;
    }
    const double rows = double(memory_->extent(program_.rows, std::int64_t(b)));
    if (on_sweep({int(b), s.n_iter, s.elbo, s.elbo - before, elapsed > 0 ? rows / elapsed : 0})) return;
    stopped = true;
    s.termination = Termination::stopped;
  }

  /// The problem's first failure becomes its status, or an exception when there is one problem. `bounds`: those of the
  /// sweep in which it happened.
  void fail(std::size_t b, Failure failure, const double* bounds, int count, double before, int sweep) {
    const int number = int(failure >> 40), cause = int(failure & 0xff);
    const auto element = std::int64_t(failure >> 8 & 0xffffffff);
    const int starting = int(program_.init.size());
    const Op& op =
        number < starting ? program_.init[std::size_t(number)] : program_.sweep[std::size_t(number - starting)];
    NumericalError error("");
    if (const auto* m = std::get_if<Moments>(&op)) {
      error = moments_failure(m->factor, element, math::Failure(cause));
    } else if (const auto* o = std::get_if<Bound>(&op)) {
      const auto& ops = number < starting ? program_.init : program_.sweep;
      const auto at = int(std::count_if(ops.begin(), ops.begin() + (number - (number < starting ? 0 : starting)),
                                        [](const Op& other) { return std::holds_alternative<Bound>(other); }));
      error = bound_failure(*o, at < count ? bounds[at] : 0, at > 0 ? bounds[at - 1] : before, sweep);
    } else {
      error = sweep_failure(SweepFailure(cause), element);
    }
    if (!program_.batched) throw error;
    summaries_[b].termination = Termination::numerical_error;
    summaries_[b].message = error.what();
  }

  const Program program_;
  const int ordinal_;
  const Stream stream_;
  DeviceTables tables_;
  const Lowered lowered_;
  std::vector<Summary> summaries_;
  std::vector<bool> started_;
  std::vector<double> weight_;  ///< observed rows
  std::vector<std::string> complaints_;
  Part whole_, split_;
  std::vector<std::int64_t> order_;
  std::optional<ProblemMemory> memory_;
  std::optional<RowStore> rows_;
  DeviceMemory init_ops_, sweep_ops_;
  std::optional<SweepGraph> graph_;
};

}  // namespace

std::unique_ptr<Session> make_session(const Program& program, int ordinal, std::int64_t budget) {
  const OnDevice on(ordinal);
  const Range range("cavi: prepare");
  return std::make_unique<CudaSession>(program, ordinal, budget);
}

}  // namespace cavi::kernels::cuda
