// SPDX-License-Identifier: Apache-2.0
// Fits to rows that stay in a file: the bits of the fit in memory, one reading per sweep, memory apart from the rows.
#include "tests/fits.hpp"

#include <cavi/cavi.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>

namespace {

using namespace cavi;
using namespace cavi::test;

const ReadOptions kStreamed{{}, {}, 0};

std::string text_of(const Matrix& x) {
  std::string text = "# clouds\n";
  const std::vector<double> values = x.to_vector();
  for (std::size_t i = 0; i < values.size(); ++i)
    text += fmt::format("{}{}", values[i], (i + 1) % std::size_t(x.cols()) ? "," : "\n");
  return text;
}

std::string bits(const Mixture& m) { return cavi::test::bits(m.posterior()) + cavi::test::bits(m.summary()); }

TEST(Streaming, GivesTheBitsOfTheFitInMemory) {
  const Folder folder;
  const int rows = 9000, cols = 3;  // more than one slab
  const Matrix x = three_clouds(rows, cols, 3);
  const std::vector<double> values = x.to_vector();
  std::vector<double> turned(values.size());
  for (int n = 0; n < rows; ++n)
    for (int d = 0; d < cols; ++d) turned[std::size_t(d * rows + n)] = values[std::size_t(n * cols + d)];
  const std::string shape = fmt::format("'shape': ({}, {})}}", rows, cols);
  const auto c = folder.write("c.npy", npy("{'descr': '<f8', 'fortran_order': False, " + shape, raw(values)));
  const auto fortran = folder.write("f.npy", npy("{'descr': '<f8', 'fortran_order': True, " + shape, raw(turned)));
  const auto text = folder.write("x.csv", text_of(x)), binary = folder.write("x.bin", raw(values));
  const std::vector<Matrix> files{open_matrix(c, kStreamed),
                                  open_matrix(fortran, kStreamed),
                                  open_matrix(text, kStreamed),
                                  open_matrix(binary, {{}, RawLayout{StoredType::f8, 0, cols}, 0}),
                                  open_matrix(c, {{"0", "1", "2"}, {}, 0}),
                                  open_matrix(fortran)};
  for (const CovarianceType covariance : kCovariances)
    for (const Init init : {Init::kmeans, Init::kmeans_plus_plus, Init::random, Init::random_from_data})
      for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
        MixtureOptions o = options(covariance, WeightPrior::dirichlet_process, precision);
        o.init_params = init;
        o.max_iter = 3;
        const std::string expected = bits(fitted(o, x));
        for (std::size_t f = 0; f < files.size(); ++f) {
          if (f > 0 && covariance != CovarianceType::full) break;
          Mixture m(o, Device::cpu(int(f) % 3 + 1));
          m.fit(files[f]);
          EXPECT_EQ(bits(m), expected) << "file " << f;
        }
      }
  const MixtureOptions o = options(CovarianceType::diag, WeightPrior::dirichlet);
  const std::vector<std::int64_t> offsets{0, 1, 5000, 5000, rows};
  const MixtureBatch batch = fit_batch(o, files[0], offsets, Device::cpu(2)),
                     expected = fit_batch(o, x, offsets, Device::cpu(1));
  EXPECT_EQ(cavi::test::bits(batch.posterior), cavi::test::bits(expected.posterior));
}

/// Counts the rows that are read, and may fail at one of them.
class Counted final : public MatrixSource {
 public:
  Counted(Matrix x, std::int64_t last) : x_(std::move(x)), last_(last), fetched_(std::size_t(x_.rows())) {}
  std::int64_t rows() const override { return x_.rows(); }
  int cols() const override { return x_.cols(); }
  Scalar scalar() const override { return x_.scalar(); }
  std::string name() const override { return "stream"; }
  void read(std::int64_t first, std::int64_t count, void* out) const override {
    if ((read_ += count) > last_) throw IoError("stream: torn");
    for (std::int64_t n = first; n < first + count; ++n)
      if (!fetched_[std::size_t(n)]) unasked_ = true;
    x_.source()->read(first, count, out);
  }
  void prefetch(std::int64_t first, std::int64_t count) const noexcept override {
    if (first < 0 || count <= 0 || first + count > x_.rows()) return void(unasked_ = true);
    for (std::int64_t n = first; n < first + count; ++n) fetched_[std::size_t(n)] = true;
  }
  std::int64_t read_rows() const { return read_; }
  /// Whether rows were read that had not been asked for before, or rows asked for that are not there.
  bool unasked() const { return unasked_; }

 private:
  Matrix x_;
  std::int64_t last_;
  mutable std::atomic<std::int64_t> read_ = 0;
  mutable std::vector<std::atomic<bool>> fetched_;
  mutable std::atomic<bool> unasked_ = false;
};

TEST(Streaming, ReadsEveryRowOnceInASweep) {
  const std::int64_t rows = 60000;
  const auto read = [&](Init init, int sweeps) {
    const auto source = std::make_shared<Counted>(three_clouds(int(rows), 2, 4), 1 << 30);
    MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet_process);
    o.init_params = init;
    o.max_iter = sweeps;
    fitted(o, Matrix(source));
    EXPECT_FALSE(source->unasked());
    return source->read_rows();
  };
  const std::int64_t start = read(Init::random_from_data, 0);
  EXPECT_EQ(read(Init::random_from_data, 5) - start, 5 * rows);
  // Before: moments (the first block of every slab twice), and the first responsibilities with their statistics.
  EXPECT_LT(start, 3 * rows + rows / 2);
}

TEST(Streaming, AReadThatFailsEndsTheFit) {
  for (const std::int64_t last : {0, 100, 30000, 70000, 100000}) {
    const auto source = std::make_shared<Counted>(three_clouds(20000, 2, 4), last);
    MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet_process);
    EXPECT_EQ(message_of([&] { fitted(o, Matrix(source)); }), "stream: torn") << last;
  }
}

TEST(Streaming, AFileThatShrinksEndsTheFit) {
  const Folder folder;
  const Matrix x = three_clouds(20000, 3, 5);
  const auto file = folder.path / "x.npy";
  write_npy(file, x.to_vector(), 20000, 3);
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet_process);
  o.on_sweep = [&](const Sweep& s) {
    if (s.index == 2) std::filesystem::resize_file(file, 100000);
    return true;
  };
  const Matrix streamed = open_matrix(file, kStreamed);
  const std::string message = message_of([&] { fitted(o, streamed); });
  EXPECT_EQ(message, file.string() + ": byte 100000: the file became shorter while it was read");
}

TEST(Streaming, NumbersThatAreNoneAreFoundOnTheWay) {
  const Folder folder;
  std::vector<double> values = three_clouds(6000, 2, 6).to_vector();
  std::vector<double> weight(6000, 1.0);
  weight[4321] = 0;  // does not excuse it
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    values[2 * 4321 + 1] = bad;
    write_npy(folder.path / "x.npy", values, 6000, 2);
    const Matrix x = open_matrix(folder.path / "x.npy", kStreamed);
    for (const bool prior : {false, true}) {
      MixtureOptions o = options(CovarianceType::diag, WeightPrior::dirichlet);
      if (prior) o.covariance_prior = {1, 1};
      const std::string message = message_of<NumericalError>([&] { Mixture(o, Device::cpu(2)).fit(x, weight); });
      EXPECT_NE(message.find("x.npy: row 4321, column 1 (from 0): "), std::string::npos) << message;
    }
  }
  std::fill(values.begin(), values.end(), 1e200);
  values[0] = -1e200;
  const std::string message = message_of<NumericalError>([&] {
    Mixture(options(CovarianceType::full, WeightPrior::dirichlet), Device::cpu(1)).fit(Matrix(values, 6000, 2));
  });
  EXPECT_NE(message.find("too large for float64"), std::string::npos) << message;
}

}  // namespace
