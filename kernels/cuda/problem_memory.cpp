// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/problem_memory.hpp"

#include "kernels/sources.hpp"

#include <algorithm>

namespace cavi::kernels::cuda {
namespace {

constexpr std::int64_t kAlign = 32;  // numbers: buffers begin on 256 bytes

std::int64_t padded(std::int64_t numbers) { return (numbers + kAlign - 1) / kAlign * kAlign; }

}  // namespace

const BufferSpec& ProblemMemory::spec(Buffer b) const {
  const auto i = std::size_t(b);
  return i < program_.buffers.size() ? program_.buffers[i] : temporaries_[i - program_.buffers.size()];
}

std::int64_t ProblemMemory::extent(const Extent& e, std::int64_t problem) const {
  return e.plate < 0 ? e.size : extents_[std::size_t(problem) * program_.plate_offsets.size() + std::size_t(e.plate)];
}

std::int64_t ProblemMemory::size(Buffer b, std::int64_t problem) const {
  return spec(b).size * extent({1, spec(b).plate}, problem);
}

ProblemMemory::ProblemMemory(const Program& program, const std::vector<BufferSpec>& temporaries,
                             const std::vector<std::int64_t>& scratch, const std::vector<std::int64_t>& order,
                             int trace_capacity, const Stream& stream)
    : program_(program),
      temporaries_(temporaries),
      stream_(stream),
      buffers_(int(program.buffers.size() + temporaries.size())),
      trace_capacity_(trace_capacity) {
  const std::int64_t problems = program.problems, plates = std::int64_t(program.plate_offsets.size());
  std::vector<std::int64_t> firsts;
  for (std::int64_t b = 0; b < problems; ++b)
    for (const auto& offsets : program.plate_offsets) {
      firsts.push_back(offsets.empty() ? 0 : offsets[std::size_t(b)]);
      extents_.push_back(offsets.empty() ? 0 : offsets[std::size_t(b) + 1] - offsets[std::size_t(b)]);
    }

  // The program's buffers of all problems, those that all share first; then the temporaries.
  std::vector<std::int64_t> place(std::size_t(problems * buffers_), -1);
  std::int64_t total = 0;
  for (const SourceSpec& s : program.sources) {
    if (!is_shared(s)) continue;
    for (std::int64_t b = 0; b < problems; ++b) place[std::size_t(b * buffers_ + s.buffer)] = total;
    total += padded(s.matrix.rows() * s.matrix.cols());
  }
  const auto lay_out = [&](Buffer from, Buffer to) {
    for (std::int64_t b = 0; b < problems; ++b)
      for (Buffer i = from; i < to; ++i)
        if (std::int64_t& at = place[std::size_t(b * buffers_ + i)]; at < 0) {
          at = total;
          total += padded(size(i, b));
        }
  };
  lay_out(0, Buffer(program.buffers.size()));
  mirrored_ = total;
  lay_out(Buffer(program.buffers.size()), buffers_);

  numbers_ = DeviceMemory(std::size_t(total) * sizeof(double));
  for (const std::int64_t at : place) pointers_.push_back(numbers_.as<double>() + at);
  std::vector<std::int64_t> scratch_at;
  std::int64_t scratch_bytes = 0;
  for (const std::int64_t bytes : scratch) {
    scratch_at.push_back(scratch_bytes);
    scratch_bytes += (bytes + 255) / 256 * 256;
  }
  scratch_ = DeviceMemory(std::size_t(scratch_bytes));
  pointer_table_ = to_device(pointers_, "copying the table of buffers", stream_);
  extent_table_ = to_device(extents_, "copying the table of extents", stream_);
  first_table_ = to_device(firsts, "copying the table of extents", stream_);
  rows_table_ = DeviceMemory(std::size_t(problems) * program.sources.size() * sizeof(DeviceRows));
  courses_ = DeviceMemory(std::size_t(problems) * sizeof(Course));
  course_copy_ = PinnedMemory(std::size_t(problems) * sizeof(Course));
  trace_ = PinnedMemory(std::size_t(problems) * std::size_t(trace_capacity) * sizeof(double));

  std::vector<DeviceProblem> table;
  for (const std::int64_t b : order) {
    DeviceProblem p;
    p.buffers = pointer_table_.as<double*>() + b * buffers_;
    p.extents = extent_table_.as<std::int64_t>() + b * plates;
    p.firsts = first_table_.as<std::int64_t>() + b * plates;
    p.rows = rows_table_.as<DeviceRows>() + b * std::int64_t(program.sources.size());
    p.scratch = scratch_.data() + scratch_at[std::size_t(b)];
    p.course = courses_.as<Course>() + b;
    p.active = &p.course->active;
    p.failure = &p.course->failure;
    p.trace = trace_.on_device<double>() + b * trace_capacity;
    p.number = b;
    table.push_back(p);
  }
  problems_ = to_device(table, "copying the table of problems", stream_);
}

void ProblemMemory::load(std::vector<std::string>& complaints) {
  mirror_.assign(std::size_t(mirrored_), 0.0);
  for (const SourceSpec& s : program_.sources) {
    if (s.buffer == kNoBuffer) continue;
    for (std::int64_t b = 0; b < (is_shared(s) ? 1 : program_.problems); ++b) {
      try {
        kernels::load(s, is_shared(s) ? all_rows(s) : rows_of(program_, s, b), mirror_.data() + place(s.buffer, b));
      } catch (const NumericalError& e) {
        if (!program_.batched || is_shared(s)) throw;
        complaints[std::size_t(b)] = e.what();
      }
    }
  }
  if (mirror_.empty()) return;
  check(cudaMemcpyAsync(numbers_.data(), mirror_.data(), mirror_.size() * sizeof(double), cudaMemcpyHostToDevice,
                        stream_),
        "copying numbers to the device");
  stream_.wait();
}

void ProblemMemory::set_rows(const std::vector<DeviceRows>& rows) {
  if (rows.empty()) return;
  check(cudaMemcpyAsync(rows_table_.data(), rows.data(), rows_table_.bytes(), cudaMemcpyHostToDevice, stream_),
        "copying the table of rows");
  stream_.wait();
}

std::vector<double> ProblemMemory::read(Buffer b, std::int64_t problem) {
  const auto n = std::size_t(size(b, problem));
  const auto at = std::size_t(place(b, problem));
  if (mirror_.empty() && program_.problems > 1 && n > 0) {
    mirror_.resize(std::size_t(mirrored_));
    check(cudaMemcpyAsync(mirror_.data(), numbers_.data(), mirror_.size() * sizeof(double), cudaMemcpyDeviceToHost,
                          stream_),
          "copying results to the host");
    stream_.wait();
  }
  std::vector<double> values(n);
  if (!mirror_.empty()) {
    std::copy_n(mirror_.begin() + std::ptrdiff_t(at), n, values.begin());
  } else if (n > 0) {
    check(cudaMemcpyAsync(values.data(), address(b, problem), n * sizeof(double), cudaMemcpyDeviceToHost, stream_),
          "copying results to the host");
    stream_.wait();
  }
  return values;
}

void ProblemMemory::write(Buffer b, std::int64_t problem, const double* values) {
  mirror_.clear();
  check(cudaMemcpyAsync(address(b, problem), values, std::size_t(size(b, problem)) * sizeof(double),
                        cudaMemcpyHostToDevice, stream_),
        "copying numbers to the device");
  stream_.wait();
}

void ProblemMemory::put_courses(const std::vector<Course>& courses) {
  mirror_ = {};
  std::copy(courses.begin(), courses.end(), course_copy_.as<Course>());
  check(cudaMemcpyAsync(courses_.data(), course_copy_.as<Course>(), courses_.bytes(), cudaMemcpyHostToDevice, stream_),
        "copying courses to the device");
}

std::vector<Course> ProblemMemory::get_courses() const {
  check(cudaMemcpyAsync(course_copy_.as<Course>(), courses_.data(), courses_.bytes(), cudaMemcpyDeviceToHost, stream_),
        "copying courses to the host");
  stream_.wait();
  return {course_copy_.as<Course>(), course_copy_.as<Course>() + program_.problems};
}

}  // namespace cavi::kernels::cuda
