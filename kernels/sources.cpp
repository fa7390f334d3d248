// SPDX-License-Identifier: Apache-2.0
#include "kernels/sources.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace cavi::kernels {

namespace {

const double* origin(const SourceSpec& s, std::int64_t problem) {
  if (s.origin.empty()) return nullptr;
  const std::int64_t cols = s.matrix.cols();
  return s.origin.data() + (std::int64_t(s.origin.size()) > cols ? problem * cols : 0);
}

}  // namespace

Rows all_rows(const SourceSpec& source) {
  return {source.matrix.source().get(), 0, source.matrix.rows(), origin(source, 0)};
}

Rows rows_of(const Program& program, const SourceSpec& s, std::int64_t problem) {
  Rows r{s.matrix.source().get(), 0, s.matrix.rows(), origin(s, problem)};
  if (s.per_problem && s.plate >= 0) {
    const auto& offsets = program.plate_offsets[std::size_t(s.plate)];
    r.first = offsets[std::size_t(problem)];
    r.count = offsets[std::size_t(problem) + 1] - r.first;
  } else if (s.per_problem) {
    r.count = s.matrix.rows() / program.problems;
    r.first = problem * r.count;
  }
  return r;
}

void load(const SourceSpec& s, const Rows& rows, double* out) {
  if (rows.count == 0 || s.matrix.cols() == 0) return;
  constexpr std::int64_t kBlock = 4096;
  const std::int64_t cols = s.matrix.cols();
  std::vector<char> raw(std::size_t(std::min(kBlock, rows.count) * cols * size_of(rows.source->scalar())));
  for (std::int64_t first = 0; first < rows.count; first += kBlock) {
    const std::int64_t count = std::min(kBlock, rows.count - first);
    rows.source->read(rows.first + first, count, raw.data());
    for (std::int64_t i = 0; i < count * cols; ++i) {
      const double value = rows.source->scalar() == Scalar::float32 ? reinterpret_cast<const float*>(raw.data())[i]
                                                                    : reinterpret_cast<const double*>(raw.data())[i];
      if (!std::isfinite(value))
        throw NumericalError("'" + s.name + "': row " + std::to_string(rows.first + first + i / cols) + ", column " +
                             std::to_string(i % cols) + " is not finite");
      out[first * cols + i] = value - (rows.origin ? rows.origin[i % cols] : 0);
    }
  }
}

}  // namespace cavi::kernels
