// SPDX-License-Identifier: Apache-2.0
// Matrices in memory, the search for NaN and infinity, and labels from arrays.
#include <cavi/io.hpp>

#include "tests/io_files.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <random>

namespace {

using cavi::test::Folder;
using cavi::test::message_of;
using cavi::test::npy;
using cavi::test::raw;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

TEST(Matrix, OwnsItsNumbersAndCopiesShareThem) {
  cavi::Matrix copy;
  {
    const cavi::Matrix x(std::vector<float>{1, 2, 3, 4, 5, 6}, 2, 3);
    copy = x;
  }
  EXPECT_EQ(copy.rows(), 2);
  EXPECT_EQ(copy.cols(), 3);
  EXPECT_EQ(copy.scalar(), cavi::Scalar::float32);
  EXPECT_EQ(copy.name(), "array");
  EXPECT_EQ(copy.to_vector(), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(static_cast<const float*>(copy.source()->data())[5], 6);
}

TEST(Matrix, EmptyOnesHaveNoRows) {
  EXPECT_EQ(cavi::Matrix().rows(), 0);
  EXPECT_TRUE(cavi::Matrix().to_vector().empty());
  EXPECT_EQ(cavi::Matrix(std::vector<double>{}, 0, 3).cols(), 3);
  EXPECT_EQ(cavi::Matrix(std::vector<double>{}, 4, 0).rows(), 4);
  EXPECT_EQ(cavi::Matrix::view(static_cast<const float*>(nullptr), 0, 3).rows(), 0);
  cavi::require_finite(cavi::Matrix());
}

TEST(Matrix, AViewBorrowsRowsThatLieApart) {
  std::vector<double> memory(40);
  std::iota(memory.begin(), memory.end(), 0.0);
  const auto x = cavi::Matrix::view(memory.data() + 1, 5, 3, 8);
  EXPECT_EQ(x.source()->data(), memory.data() + 1);
  EXPECT_EQ(x.source()->row_stride(), 8);
  EXPECT_EQ(x.to_vector(), (std::vector<double>{1, 2, 3, 9, 10, 11, 17, 18, 19, 25, 26, 27, 33, 34, 35}));
  std::vector<double> block(6);
  x.source()->read(3, 2, block.data());
  EXPECT_EQ(block, (std::vector<double>{25, 26, 27, 33, 34, 35}));
  message_of<cavi::ShapeError>([&] { x.source()->read(4, 2, block.data()); });
}

TEST(Matrix, RefusesSizesThatDoNotFit) {
  const std::vector<double> six(6);
  message_of<cavi::ShapeError>([&] { cavi::Matrix(six, 2, 2); });
  message_of<cavi::ShapeError>([&] { cavi::Matrix(six, -2, -3); });
  message_of<cavi::ShapeError>([&] { cavi::Matrix(six, 4, 0); });
  message_of<cavi::ShapeError>([&] { cavi::Matrix(std::vector<double>{}, std::int64_t(1) << 62, 8); });
  message_of<cavi::ShapeError>([&] { cavi::Matrix::view(six.data(), -1, 3); });
  message_of<cavi::ShapeError>([&] { cavi::Matrix::view(six.data(), 2, -3); });
  message_of<cavi::ShapeError>([&] { cavi::Matrix::view(six.data(), 2, 3, 2); });
  message_of<cavi::ShapeError>([&] { cavi::Matrix::view(static_cast<const double*>(nullptr), 2, 3); });
}

/// A single bad number anywhere is found at its place, whatever the storage.
template <class T>
void bad_number_is_found() {
  const Folder folder;
  std::mt19937 rng(1);
  for (int cols : {1, 3, 200, 200001})
    for (int trial = 0; trial < 6; ++trial) {
      const int rows = cols > 1000 ? 2 : trial == 0 ? 1 : 1500;
      const int gap = trial % 2;  // between rows
      std::vector<T> memory(std::size_t(rows) * (cols + gap), std::numeric_limits<T>::max());
      for (int i = 0; gap && i < rows; ++i)
        memory[std::size_t(i) * (cols + gap) + cols] = T(kNaN);  // nobody's business
      const auto view = cavi::Matrix::view(memory.data(), rows, cols, cols + gap);
      cavi::require_finite(view);
      const int row = std::uniform_int_distribution<>(0, rows - 1)(rng),
                col = std::uniform_int_distribution<>(0, cols - 1)(rng);
      T& bad = memory[std::size_t(row) * (cols + gap) + col];
      bad = T(trial % 3 == 0 ? kNaN : trial % 3 == 1 ? kInfinity : -kInfinity);
      const std::string place =
          fmt::format("row {}, column {} (from 0): {}", row, col, trial % 3 == 0 ? "NaN" : "infinity");
      EXPECT_EQ(message_of<cavi::NumericalError>([&] { cavi::require_finite(view); }).find("array: " + place), 0u);
      if (gap) continue;
      const auto file = folder.path / "x.npy";
      cavi::write_npy(file, std::span<const T>(memory), rows, cols);
      const std::string message =
          message_of<cavi::NumericalError>([&] { cavi::require_finite(cavi::open_matrix(file)); });
      EXPECT_EQ(message.find(file.string() + ": " + place), 0u) << message;
    }
}

TEST(RequireFinite, FindsTheBadNumberFloat32) { bad_number_is_found<float>(); }
TEST(RequireFinite, FindsTheBadNumberFloat64) { bad_number_is_found<double>(); }

TEST(RequireFinite, NamesTheFirstOfSeveral) {
  const cavi::Matrix x(std::vector<double>{1, 2, 3, kInfinity, kNaN, 6}, 3, 2);
  EXPECT_NE(
      message_of<cavi::NumericalError>([&] { cavi::require_finite(x); }).find("row 1, column 1 (from 0): infinity"),
      std::string::npos);
}

TEST(Labels, FromArraysOfIntegers) {
  const Folder folder;
  const std::vector<std::int32_t> expected{0, 5, 2};
  const auto file = [&](const std::string& descr, const std::string& shape, const std::string& data) {
    return folder.write("x.npy",
                        npy(fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}}}", descr, shape), data));
  };
  file("<i8", "(3,)", raw(std::vector<std::int64_t>{0, 5, 2}));
  EXPECT_EQ(cavi::read_labels(folder.path / "x.npy"), expected);
  EXPECT_TRUE(cavi::holds_labels(folder.path / "x.npy"));
  file("|u1", "(3, 1)", raw(std::vector<std::uint8_t>{0, 5, 2}));
  EXPECT_EQ(cavi::read_labels(folder.path / "x.npy"), expected);
  EXPECT_TRUE(cavi::holds_labels(folder.path / "x.npy"));

  const auto says = [&] { return message_of([&] { cavi::read_labels(folder.path / "x.npy"); }); };
  file("<i8", "(2,)", raw(std::vector<std::int64_t>{0, std::int64_t(1) << 40}));
  EXPECT_NE(says().find("row 1 (from 0): 1099511627776 is not a 32-bit integer"), std::string::npos) << says();
  file("<i4", "(1, 2)", raw(std::vector<std::int32_t>{0, 1}));
  EXPECT_NE(says().find("labels are one column, this file has 2"), std::string::npos);
  EXPECT_FALSE(cavi::holds_labels(folder.path / "x.npy"));
  file("<f8", "(2,)", raw(std::vector<double>{0, 1}));
  EXPECT_NE(says().find("labels must be integers"), std::string::npos);
  EXPECT_FALSE(cavi::holds_labels(folder.path / "x.npy"));
}

TEST(Files, OfTheTestDataOpen) {
  const std::filesystem::path data = std::filesystem::path(CAVI_TEST_DIR) / "data";
  const auto z = cavi::open_matrix(data / "faithful_z.npy"), csv = cavi::open_matrix(data / "faithful.csv");
  EXPECT_EQ(z.rows(), 272);
  EXPECT_EQ(csv.rows(), 272);
  EXPECT_EQ(cavi::column_names(data / "faithful.csv"), (std::vector<std::string>{"eruptions", "waiting"}));
  // The array is the table, standardised: an affine map per column.
  const auto a = z.to_vector(), b = csv.to_vector();
  for (int c = 0; c < 2; ++c) {
    const double slope = (a[2 + c] - a[c]) / (b[2 + c] - b[c]);
    for (int i = 0; i < 272; ++i) EXPECT_NEAR(a[2 * i + c], a[c] + slope * (b[2 * i + c] - b[c]), 1e-12);
  }
  const auto digits = cavi::open_matrix(data / "digits.npy");
  EXPECT_EQ(digits.rows(), 1797);
  EXPECT_EQ(digits.cols(), 64);
  cavi::require_finite(digits);
  EXPECT_EQ(cavi::read_labels(data / "digits_labels.npy").size(), 1797u);
}

}  // namespace
