// SPDX-License-Identifier: Apache-2.0
#include "src/standardised_rows.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace cavi {

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Square = Eigen::Map<RowMajor>;
using ConstSquare = Eigen::Map<const RowMajor>;

class StandardisedRows final : public MatrixSource {
 public:
  StandardisedRows(std::shared_ptr<const MatrixSource> source, std::vector<std::int64_t> offsets,
                   std::vector<double> origin, std::vector<double> scale)
      : source_(std::move(source)),
        offsets_(std::move(offsets)),
        origin_(std::move(origin)),
        scale_(std::move(scale)) {}

  std::int64_t rows() const override { return source_->rows(); }
  int cols() const override { return source_->cols(); }
  Scalar scalar() const override { return Scalar::float64; }
  std::string name() const override { return source_->name(); }
  std::vector<std::string> column_names() const override { return source_->column_names(); }
  void prefetch(std::int64_t first, std::int64_t count) const noexcept override { source_->prefetch(first, count); }

  void read(std::int64_t first, std::int64_t count, void* out) const override {
    double* z = static_cast<double*>(out);
    if (source_->scalar() == Scalar::float64) {
      source_->read(first, count, z);
    } else {
      std::vector<float> narrow(std::size_t(count) * std::size_t(cols()));
      source_->read(first, count, narrow.data());
      std::copy(narrow.begin(), narrow.end(), z);
    }
    // Problems without rows share their offset with the next.
    std::size_t b = std::size_t(std::upper_bound(offsets_.begin(), offsets_.end(), first) - offsets_.begin()) - 1;
    for (std::int64_t done = 0; done < count; ++b) {
      const std::int64_t n = std::min(count, offsets_[b + 1] - first) - done;
      standardise(b, z + done * cols(), n);
      done += n;
    }
  }

 private:
  // A few rows at a time side by side, so that the compiler finds lanes; every row by itself.
  static constexpr int kAbreast = 8;

  void standardise(std::size_t b, double* z, std::int64_t count) const {
    const std::size_t d = std::size_t(cols());
    const double *origin = &origin_[b * d], *scale = &scale_[b * d * d];
    for (std::int64_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < d; ++j) z[std::size_t(i) * d + j] -= origin[j];
    if (scale[0] == 0) return;
    std::vector<double> side_by_side(d * kAbreast, 0.0);
    for (std::int64_t first = 0; first < count; first += kAbreast) {
      const int rows = int(std::min<std::int64_t>(kAbreast, count - first));
      double *v = side_by_side.data(), *from = z + std::size_t(first) * d;
      for (int i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < d; ++j) v[j * kAbreast + std::size_t(i)] = from[std::size_t(i) * d + j];
      for (std::size_t j = 0; j < d; ++j) {
        double at[kAbreast];
        std::copy_n(v + j * kAbreast, kAbreast, at);
        for (std::size_t l = 0; l < j; ++l)
          for (int i = 0; i < kAbreast; ++i) at[i] -= scale[j * d + l] * v[l * kAbreast + std::size_t(i)];
        for (int i = 0; i < kAbreast; ++i) v[j * kAbreast + std::size_t(i)] = at[i] / scale[j * d + j];
      }
      for (int i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < d; ++j) from[std::size_t(i) * d + j] = v[j * kAbreast + std::size_t(i)];
    }
  }

  std::shared_ptr<const MatrixSource> source_;
  std::vector<std::int64_t> offsets_;
  std::vector<double> origin_, scale_;
};

}  // namespace

Matrix standardised_rows(const Matrix& x, std::vector<std::int64_t> offsets, std::vector<double> origin,
                         std::vector<double> scale) {
  return Matrix(
      std::make_shared<StandardisedRows>(x.source(), std::move(offsets), std::move(origin), std::move(scale)));
}

void standardise_vector(const double* scale, int d, double* v) {
  ConstSquare(scale, d, d).triangularView<Eigen::Lower>().solveInPlace(Eigen::Map<Eigen::VectorXd>(v, d));
}

void standardise_matrix(const double* scale, int d, double* m) {
  const ConstSquare l(scale, d, d);
  Square matrix(m, d, d);
  l.triangularView<Eigen::Lower>().solveInPlace(matrix);
  l.triangularView<Eigen::Lower>().transpose().solveInPlace<Eigen::OnTheRight>(matrix);
  const RowMajor symmetric = (matrix + matrix.transpose()) / 2;
  matrix = symmetric;
}

void restore_vector(const double* scale, int d, double* v) {
  Eigen::Map<Eigen::VectorXd> vector(v, d);
  const Eigen::VectorXd product = ConstSquare(scale, d, d).triangularView<Eigen::Lower>() * vector;
  vector = product;
}

void restore_matrix(const double* scale, int d, double* m) {
  const RowMajor l = ConstSquare(scale, d, d).triangularView<Eigen::Lower>();
  Square matrix(m, d, d);
  const RowMajor product = l * matrix * l.transpose();
  matrix = (product + product.transpose()) / 2;
}

}  // namespace cavi
