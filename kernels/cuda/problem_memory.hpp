// SPDX-License-Identifier: Apache-2.0
/// \file
/// The problems of a program in device memory: buffers, tables of pointers, courses.
#pragma once

#include "kernels/cuda/problem.hpp"
#include "kernels/cuda/runtime.hpp"
#include "kernels/ops.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cavi::kernels::cuda {

class ProblemMemory {
 public:
  /// `temporaries` follow the program's buffers. scratch[b]: bytes for problem b. order: the problems in the order of
  /// the device's array. Buffers are zero, temporaries are not initialised. Throws DeviceError.
  ProblemMemory(const Program& program, const std::vector<BufferSpec>& temporaries,
                const std::vector<std::int64_t>& scratch, const std::vector<std::int64_t>& order, int trace_capacity,
                const Stream& stream);

  /// Loads what the program keeps in buffers. Problem b with data that cannot be used gets complaints[b]; when there is
  /// one problem only it is thrown.
  void load(std::vector<std::string>& complaints);

  /// Tells kernels where the fused rows are; [problems x sources].
  void set_rows(const std::vector<DeviceRows>& rows);

  DeviceRows* rows_table() const { return rows_table_.as<DeviceRows>(); }
  std::int64_t bytes() const { return std::int64_t(numbers_.bytes() + scratch_.bytes()); }

  const DeviceProblem* problems() const { return problems_.as<const DeviceProblem>(); }
  std::int64_t extent(const Extent& e, std::int64_t problem) const;
  std::int64_t size(Buffer b, std::int64_t problem) const;
  /// In a batch the first read brings the buffers of all problems, which later ones are served from.
  std::vector<double> read(Buffer b, std::int64_t problem);
  void write(Buffer b, std::int64_t problem, const double* values);

  /// Courses of all problems, by problem number. They go and come on the stream; the latter waits.
  void put_courses(const std::vector<Course>& courses);
  std::vector<Course> get_courses() const;
  /// Bounds of the round that has ended.
  const double* trace(std::int64_t problem) const { return trace_.as<const double>() + problem * trace_capacity_; }

 private:
  const BufferSpec& spec(Buffer b) const;
  std::int64_t place(Buffer b, std::int64_t problem) const { return address(b, problem) - numbers_.as<double>(); }
  double* address(Buffer b, std::int64_t problem) const {
    return pointers_[std::size_t(problem) * std::size_t(buffers_) + std::size_t(b)];
  }

  const Program& program_;
  const std::vector<BufferSpec>& temporaries_;
  const Stream& stream_;
  int buffers_ = 0, trace_capacity_ = 0;
  std::vector<double*> pointers_;      ///< [problems x buffers]
  std::vector<double> mirror_;         ///< the program's buffers on the host, or empty: out of date
  std::int64_t mirrored_ = 0;          ///< numbers in the program's buffers
  std::vector<std::int64_t> extents_;  ///< [problems x plates]
  DeviceMemory numbers_, scratch_, pointer_table_, extent_table_, first_table_, rows_table_, courses_, problems_;
  PinnedMemory trace_, course_copy_;
};

}  // namespace cavi::kernels::cuda
