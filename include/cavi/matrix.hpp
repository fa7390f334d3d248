// SPDX-License-Identifier: Apache-2.0
/// \file
/// Data as the library sees it: rows of numbers that can be read block by block.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cavi {

/// Type of the numbers in a matrix, and of the arithmetic inside a sweep.
enum class Scalar { float32, float64 };

/// Bytes of one number.
constexpr int size_of(Scalar s) { return s == Scalar::float32 ? 4 : 8; }

/// Rows behind an interface, so that a file need not fit into memory. Implementations must allow read() from several
/// threads at once.
class MatrixSource {
 public:
  virtual ~MatrixSource() = default;
  virtual std::int64_t rows() const = 0;
  virtual int cols() const = 0;
  virtual Scalar scalar() const = 0;
  /// Where the rows come from, for messages: a file name, or "array".
  virtual std::string name() const = 0;
  /// Copies rows [first, first + count) to `out`: count x cols() numbers of type scalar(), row-major, packed.
  /// Throws IoError when the rows cannot be read.
  virtual void read(std::int64_t first, std::int64_t count, void* out) const = 0;
  /// Says that these rows will be read soon, so that a device can fetch them meanwhile. Never fails and never waits.
  virtual void prefetch(std::int64_t first, std::int64_t count) const noexcept { (void)first, (void)count; }
  /// What the columns are called, [cols()]; nothing when they have no names.
  virtual std::vector<std::string> column_names() const { return {}; }
  /// Address of row 0 when all rows are in host memory, else nullptr.
  virtual const void* data() const { return nullptr; }
  /// Distance of two rows in memory, in numbers; meaningful when data() is not nullptr.
  virtual std::int64_t row_stride() const { return cols(); }
};

/// A cheap handle to rows x cols numbers, float32 or float64. Copies share the source.
class Matrix {
 public:
  Matrix() = default;  ///< 0 x 0
  explicit Matrix(std::shared_ptr<const MatrixSource> source) : source_(std::move(source)) {}
  /// Takes over `values` [rows x cols, row-major]; throws ShapeError unless their number fits.
  Matrix(std::vector<float> values, std::int64_t rows, int cols);
  Matrix(std::vector<double> values, std::int64_t rows, int cols);

  /// Borrows host memory [rows x cols, row-major, row_stride numbers from row to row; 0 means cols]. The memory must
  /// live as long as any copy of the matrix. Throws ShapeError for negative sizes or a stride below cols.
  static Matrix view(const float* data, std::int64_t rows, int cols, std::int64_t row_stride = 0);
  static Matrix view(const double* data, std::int64_t rows, int cols, std::int64_t row_stride = 0);

  std::int64_t rows() const { return source_ ? source_->rows() : 0; }
  int cols() const { return source_ ? source_->cols() : 0; }
  Scalar scalar() const { return source_ ? source_->scalar() : Scalar::float32; }
  std::string name() const { return source_ ? source_->name() : "empty matrix"; }
  std::vector<std::string> column_names() const {
    return source_ ? source_->column_names() : std::vector<std::string>{};
  }
  const std::shared_ptr<const MatrixSource>& source() const { return source_; }

  /// All numbers as float64, row-major: for small matrices (priors, weights, tests).
  std::vector<double> to_vector() const;

 private:
  std::shared_ptr<const MatrixSource> source_;
};

}  // namespace cavi
