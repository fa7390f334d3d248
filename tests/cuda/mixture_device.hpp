// SPDX-License-Identifier: Apache-2.0
// Mixture sweeps of a batch of problems on the (emulated) device: what Bench is to the CPU.
#pragma once

#include "emulator/programs.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_block.cuh"
#include "kernels/cuda/mixture_regimes.hpp"
#include "kernels/cuda/mixture_sweep.hpp"
#include "tests/mixture_kernel_oracle.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace cavi::test {

using kernels::cuda::Course;
using kernels::cuda::DeviceProblem;
using kernels::cuda::MixtureRegime;
using kernels::cuda::MixtureSweepDevice;
using programs::check;
using programs::DeviceArray;

template <class F, class T>
__global__ void block_kernel(MixtureSweepDevice op, const DeviceProblem* problems) {
  kernels::cuda::mixture_sweep_block<F, T>(op, problems[blockIdx.x]);
}

/// Problems of one shape but for their rows. Buffers are poisoned, scratch is not set at all.
class DeviceSweep {
 public:
  DeviceSweep(const std::vector<MixtureProblem>& problems, Scalar precision,
              MixtureRegime regime = MixtureRegime::automatic, int most_slabs = 1024)
      : problems_(problems) {
    const MixtureProblem& p = problems[0];
    op_.component = p.component, op_.components = p.components, op_.features = p.features, op_.precision = precision;
    op_.quadratic = 0, op_.linear = 1, op_.constant = 2, op_.weight = p.weight.empty() ? kernels::kNoBuffer : 3;
    op_.count = 4, op_.first = 5, op_.second = 6, op_.entropy = 7;
    op_.operation = 9, op_.regime = regime, op_.most_slabs = most_slabs;
    for (const auto& problem : problems_) add(problem);
    put_behind(0);
  }

  MixtureSweepDevice& op() { return op_; }
  /// Where the rows of the first problem lie, and their bytes.
  const void* rows() const { return raw_[0]->data(); }
  std::size_t row_bytes() const {
    return std::size_t(problems_[0].rows) * op_.features * kernels::cuda::scalar_size(op_);
  }
  /// The pass may come in several slices.
  void sweep(int slices = 1) {
    const std::int64_t slabs = kernels::cuda::mixture_slabs(op_, max_rows_);
    const programs::Stream stream;
    const programs::Quiesce quiesce;
    check(enqueue_mixture_frame(op_, table_->data(), count_, stream.handle));
    for (int s = 0; s < slices; ++s) {
      const std::int64_t first = s * slabs / slices, last = (s + 1) * slabs / slices;
      check(enqueue_mixture_pass(op_, table_->data(), count_, max_rows_, {first, last - first}, stream.handle));
    }
    check(enqueue_mixture_finish(op_, table_->data(), count_, max_rows_, stream.handle));
    check(cudaStreamSynchronize(stream.handle));
    fetch();
  }
  /// Every problem by a block of its own.
  void sweep_block() {
    const programs::Quiesce quiesce;
    check(kernels::cuda::with_sweep_types(op_, [&]<class F, class T>(F, T) {
      return kernels::cuda::launch(block_kernel<F, T>, unsigned(count_), kernels::cuda::kTile, 0, nullptr, op_,
                                   table_->data());
    }));
    check(cudaDeviceSynchronize());
    fetch();
  }
  void deactivate(std::size_t problem) {
    const int no = 0;
    check(cudaMemcpy(&courses_[problem]->data()->active, &no, sizeof no, cudaMemcpyHostToDevice));
  }

  /// So many problems that are over come first.
  void put_behind(std::size_t others) {
    never_ = std::make_unique<DeviceArray<int>>(std::vector<int>{0});
    DeviceProblem over = device_[0];
    over.active = never_->data();
    std::vector<DeviceProblem> all(others, over);
    all.insert(all.end(), device_.begin(), device_.end());
    table_ = std::make_unique<DeviceArray<DeviceProblem>>(all);
    count_ = std::int64_t(all.size());
  }

  /// Of the problem that select() named, the first otherwise.
  void select(std::size_t problem) { selected_ = problem; }
  const std::vector<double>& count() const { return results_[selected_][4]; }
  const std::vector<double>& first() const { return results_[selected_][5]; }
  const std::vector<double>& second() const { return results_[selected_][6]; }
  double entropy() const { return results_[selected_][7][0]; }
  double negligible() const { return courses_[selected_]->get()[0].negligible; }
  double near() const { return courses_[selected_]->get()[0].near; }
  /// For comparisons bit by bit, so that what is not counted is -1.
  std::vector<double> outputs() const {
    std::vector<double> all = {std::isnan(negligible()) ? -1 : negligible()};
    for (int b = 4; b < 8; ++b) all.insert(all.end(), results_[selected_][b].begin(), results_[selected_][b].end());
    return all;
  }
  kernels::cuda::Failure failure() const { return courses_[selected_]->get()[0].failure; }

 private:
  template <class T>
  void add_rows(const MixtureProblem& p) {
    constexpr int tile = kernels::cuda::kTile;
    const std::int64_t tiles = (p.rows + tile - 1) / tile;
    std::vector<T> x(tiles * tile * p.features);
    for (std::int64_t n = 0; n < p.rows; ++n)
      for (int d = 0; d < p.features; ++d)
        x[(n / tile * p.features + d) * tile + n % tile] =
            T(p.x[n * p.features + d] - (p.origin.empty() ? 0 : p.origin[d]));
    raw_.push_back(std::make_unique<DeviceArray<std::byte>>(std::max<std::size_t>(1, x.size() * sizeof(T))));
    check(cudaMemcpy(raw_.back()->data(), x.data(), x.size() * sizeof(T), cudaMemcpyHostToDevice));
  }
  void add(const MixtureProblem& p) {
    const double poison = std::numeric_limits<double>::quiet_NaN();
    std::vector<double> second(p.quadratic.size(), poison);
    if (p.component == Component::tied) {
      const Moments moments = definition(p);
      second.assign(moments.second.begin(), moments.second.end());
    }
    const std::vector<std::vector<double>> values = {p.quadratic,
                                                     p.linear,
                                                     p.constant,
                                                     p.weight.empty() ? std::vector<double>{0} : p.weight,
                                                     std::vector<double>(p.components, poison),
                                                     std::vector<double>(p.linear.size(), poison),
                                                     second,
                                                     {poison}};
    std::vector<double*> addresses;
    for (const auto& v : values) {
      buffers_.push_back(std::make_unique<DeviceArray<double>>(v));
      addresses.push_back(buffers_.back()->data());
    }
    addresses_.push_back(std::make_unique<DeviceArray<double*>>(addresses));
    op_.precision == Scalar::float32 ? add_rows<float>(p) : add_rows<double>(p);
    rows_.push_back(std::make_unique<DeviceArray<kernels::cuda::DeviceRows>>(
        std::vector<kernels::cuda::DeviceRows>{{raw_.back()->data(), p.rows}}));
    raw_.push_back(std::make_unique<DeviceArray<std::byte>>(kernels::cuda::mixture_sweep_scratch(op_, p.rows)));
    Course course;
    course.active = 1;
    courses_.push_back(std::make_unique<DeviceArray<Course>>(std::vector<Course>{course}));
    DeviceProblem problem;
    problem.buffers = addresses_.back()->data(), problem.rows = rows_.back()->data();
    problem.scratch = raw_.back()->data(), problem.course = courses_.back()->data();
    problem.failure = &problem.course->failure, problem.active = &problem.course->active;
    device_.push_back(problem);
    max_rows_ = std::max(max_rows_, p.rows);
  }
  void fetch() {
    results_.assign(device_.size(), {});
    for (std::size_t i = 0; i < buffers_.size(); ++i) results_[i / 8].push_back(buffers_[i]->get());
  }

  std::vector<MixtureProblem> problems_;
  MixtureSweepDevice op_;
  std::vector<std::unique_ptr<DeviceArray<double>>> buffers_;
  std::vector<std::unique_ptr<DeviceArray<double*>>> addresses_;
  std::vector<std::unique_ptr<DeviceArray<std::byte>>> raw_;
  std::vector<std::unique_ptr<DeviceArray<kernels::cuda::DeviceRows>>> rows_;
  std::vector<std::unique_ptr<DeviceArray<Course>>> courses_;
  std::vector<DeviceProblem> device_;
  std::unique_ptr<DeviceArray<int>> never_;
  std::unique_ptr<DeviceArray<DeviceProblem>> table_;
  std::int64_t count_ = 0, max_rows_ = 0;
  std::size_t selected_ = 0;
  std::vector<std::vector<std::vector<double>>> results_;
};

}  // namespace cavi::test
