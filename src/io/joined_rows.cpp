// SPDX-License-Identifier: Apache-2.0
#include "src/io/joined_rows.hpp"

#include "src/memory_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace cavi::io {
namespace {

class JoinedRows final : public MatrixSource {
 public:
  explicit JoinedRows(std::vector<Matrix> parts) : parts_(std::move(parts)) {
    for (const Matrix& part : parts_) {
      ends_.push_back(rows() + part.rows());
      if (part.scalar() == Scalar::float64) scalar_ = Scalar::float64;
    }
  }

  std::int64_t rows() const override { return ends_.empty() ? 0 : ends_.back(); }
  int cols() const override { return parts_[0].cols(); }
  Scalar scalar() const override { return scalar_; }
  std::string name() const override {
    return parts_.size() == 1 ? parts_[0].name() : fmt::format("{} and {} more", parts_[0].name(), parts_.size() - 1);
  }
  std::vector<std::string> column_names() const override { return parts_[0].column_names(); }

  void prefetch(std::int64_t first, std::int64_t count) const noexcept override {
    for_each_part(first, count,
                  [](const Matrix& part, std::int64_t from, std::int64_t n) { part.source()->prefetch(from, n); });
  }
  void read(std::int64_t first, std::int64_t count, void* out) const override {
    require_rows(*this, first, count);
    for_each_part(first, count, [&](const Matrix& part, std::int64_t from, std::int64_t n) {
      const std::size_t numbers = std::size_t(n) * std::size_t(cols());
      if (part.scalar() == scalar_)
        part.source()->read(from, n, out);
      else
        read_widened(part, from, n, static_cast<double*>(out));
      out = static_cast<char*>(out) + numbers * std::size_t(size_of(scalar_));
    });
  }

 private:
  /// visit(part, first row in it, number of rows) for all parts that have some of the rows.
  template <class Visit>
  void for_each_part(std::int64_t first, std::int64_t count, Visit visit) const {
    auto at = std::size_t(std::upper_bound(ends_.begin(), ends_.end(), first) - ends_.begin());
    for (; count > 0 && at < parts_.size(); ++at) {
      const std::int64_t begin = ends_[at] - parts_[at].rows(), n = std::min(count, ends_[at] - first);
      if (n > 0) visit(parts_[at], first - begin, n);
      first += n, count -= n;
    }
  }

  void read_widened(const Matrix& part, std::int64_t first, std::int64_t count, double* out) const {
    const std::int64_t at_once = std::max<std::int64_t>(1, (1 << 15) / std::max(1, cols()));
    std::vector<float> block;
    for (std::int64_t done = 0; done < count; done += at_once) {
      block.resize(std::size_t(std::min(at_once, count - done) * cols()));
      part.source()->read(first + done, std::min(at_once, count - done), block.data());
      out = std::copy(block.begin(), block.end(), out);
    }
  }

  std::vector<Matrix> parts_;
  std::vector<std::int64_t> ends_;  // of the parts, in rows
  Scalar scalar_ = Scalar::float32;
};

}  // namespace

Matrix join_rows(std::vector<Matrix> parts) { return Matrix(std::make_shared<JoinedRows>(std::move(parts))); }

}  // namespace cavi::io
