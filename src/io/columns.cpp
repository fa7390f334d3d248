// SPDX-License-Identifier: Apache-2.0
#include "src/io/columns.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <utility>

namespace cavi::io {
namespace {

class SelectedColumns final : public MatrixSource {
 public:
  SelectedColumns(Matrix all, std::vector<int> columns) : all_(std::move(all)), columns_(std::move(columns)) {}

  std::int64_t rows() const override { return all_.rows(); }
  int cols() const override { return int(columns_.size()); }
  Scalar scalar() const override { return all_.scalar(); }
  std::string name() const override { return all_.name(); }
  std::vector<std::string> column_names() const override {
    const std::vector<std::string> all = all_.column_names();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < columns_.size() && !all.empty(); ++i) names.push_back(all[std::size_t(columns_[i])]);
    return names;
  }
  void prefetch(std::int64_t first, std::int64_t count) const noexcept override {
    all_.source()->prefetch(first, count);
  }
  void read(std::int64_t first, std::int64_t count, void* out) const override {
    if (scalar() == Scalar::float32)
      read_as(first, count, static_cast<float*>(out));
    else
      read_as(first, count, static_cast<double*>(out));
  }

 private:
  template <class T>
  void read_as(std::int64_t first, std::int64_t count, T* out) const {
    const std::int64_t cols = all_.cols(),
                       at_once = std::max<std::int64_t>(1, (1 << 15) / std::max<std::int64_t>(1, cols));
    std::vector<T> block(std::size_t(std::min(at_once, std::max<std::int64_t>(0, count)) * cols));
    do {  // once at least: the source says what is wrong with rows that it does not have
      const std::int64_t n = std::min(at_once, count);
      all_.source()->read(first, n, block.data());
      for (std::int64_t i = 0; i < n; ++i)
        for (const int c : columns_) *out++ = block[std::size_t(i * cols + c)];
      first += n, count -= n;
    } while (count > 0);
  }

  Matrix all_;
  std::vector<int> columns_;
};

}  // namespace

std::vector<int> find_columns(const std::string& file, const std::vector<std::string>& selected, int cols,
                              const std::vector<std::string>& names) {
  std::vector<int> found;
  for (const std::string& column : selected) {
    const auto fail = [&](const std::string& cause) {
      throw IoError(fmt::format("{}: column '{}' {}", file, column, cause));
    };
    int number = int(std::find(names.begin(), names.end(), column) - names.begin());
    if (column.empty() || number == int(names.size())) {
      const char* end = column.data() + column.size();
      const auto [stop, error] = std::from_chars(column.data(), end, number);
      if (error != std::errc() || stop != end || number < 0 || number >= cols)
        fail(fmt::format(
            "is not there; there are {} columns, numbered from 0{}", cols,
            std::all_of(names.begin(), names.end(), [](const auto& n) { return n.empty(); }) ? ", without names" : ""));
    }
    if (std::find(found.begin(), found.end(), number) != found.end()) fail("is selected twice");
    found.push_back(number);
  }
  for (int c = 0; selected.empty() && c < cols; ++c) found.push_back(c);
  return found;
}

Matrix in_order_of(const std::vector<std::string>& names, const Matrix& x) {
  const std::vector<std::string> own = x.column_names();
  if (own == names || own.size() != names.size()) return x;
  std::vector<int> order;
  for (const std::string& name : names) {
    const auto found = std::find(own.begin(), own.end(), name);
    if (found == own.end() || std::count(own.begin(), own.end(), name) > 1) return x;
    order.push_back(int(found - own.begin()));
  }
  return std::set<int>(order.begin(), order.end()).size() == order.size() ? select_columns(x, std::move(order)) : x;
}

void require_names(const std::vector<std::string>& names, const std::string& whose, const Matrix& x) {
  const std::vector<std::string> own = x.column_names();
  if (own.empty() || names.empty()) return;
  const auto [here, there] = std::mismatch(own.begin(), own.end(), names.begin(), names.end());
  if (here == own.end()) return;
  throw ShapeError(fmt::format("{}: column {} (from 0) is called '{}', but '{}' in {}; give the same names or none",
                               x.name(), here - own.begin(), *here, *there, whose));
}

Matrix select_columns(const Matrix& x, std::vector<int> columns) {
  return Matrix(std::make_shared<SelectedColumns>(x, std::move(columns)));
}

}  // namespace cavi::io
