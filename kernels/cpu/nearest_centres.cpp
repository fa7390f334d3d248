// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

template <class T>
class NearestCentres final : public MatrixSource {
 public:
  explicit NearestCentres(Centres of)
      : of_(std::move(of)), centres_(of_.centres.begin(), of_.centres.end()), features_(of_.x.cols()) {}

  std::int64_t rows() const override { return of_.x.rows(); }
  int cols() const override { return of_.components; }
  Scalar scalar() const override { return Scalar::float32; }
  std::string name() const override { return of_.x.name(); }

  void read(std::int64_t first, std::int64_t count, void* out) const override {
    auto* r = static_cast<float*>(out);
    for (auto next = std::upper_bound(of_.offsets.begin(), of_.offsets.end(), first); count > 0; ++next) {
      const std::int64_t problem = next - of_.offsets.begin() - 1, n = std::min(count, *next - first);
      read_problem(problem, first, n, r);
      first += n, count -= n, r += n * of_.components;
    }
  }

 private:
  void read_problem(std::int64_t problem, std::int64_t first, std::int64_t count, float* out) const {
    const int k = of_.components;
    const Rows rows{of_.x.source().get(), first, count, of_.origin.data() + problem * features_};
    RowBlock<T> block(rows, 2);
    const int points = RowBlock<T>::points(2, features_);
    std::fill_n(out, count * k, 0.0f);
    for (std::int64_t at = 0; at < count; at += points) {
      const std::int64_t n = std::min<std::int64_t>(points, count - at);
      const auto& b = block.load(at, n, nullptr);
      std::fill_n(b.r, n, std::numeric_limits<T>::infinity());
      tiles<T>().nearest(b, features_, centres_.data() + problem * k * features_, k);
      for (std::int64_t i = 0; i < n; ++i) out[(at + i) * k + std::max(0, int(b.r[b.stride + i]))] = 1;
    }
  }

  Centres of_;
  std::vector<T> centres_;
  int features_;
};

}  // namespace

Matrix nearest_centres(Centres of) {
  if (of.precision == Scalar::float32) return Matrix(std::make_shared<NearestCentres<float>>(std::move(of)));
  return Matrix(std::make_shared<NearestCentres<double>>(std::move(of)));
}

}  // namespace cavi::kernels::cpu
