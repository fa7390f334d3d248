// SPDX-License-Identifier: Apache-2.0
// HDF5 datasets of every type and storage against the numbers that were put into them.
#include "tests/io_files.hpp"

#include <cavi/io.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <limits>
#include <random>
#include <thread>

namespace {

using cavi::Matrix;
using cavi::test::bytes_of;
using cavi::test::Folder;
using cavi::test::message_of;

const cavi::ReadOptions kStreamed{{}, {}, 0};

struct Dataset {
  std::vector<hsize_t> shape;
  hid_t stored, given;  ///< types in the file and of the numbers handed over
  hsize_t chunk = 0;    ///< rows; 0: contiguous
  bool compressed = false;
};

void write(const std::string& file, const Dataset& d, const void* values) {
  const hid_t f = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t group = H5Gcreate2(f, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(int(d.shape.size()), d.shape.data(), nullptr);
  const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
  if (d.chunk > 0) {
    std::vector<hsize_t> chunk = d.shape;
    chunk[0] = d.chunk;
    H5Pset_chunk(create, int(chunk.size()), chunk.data());
    if (d.compressed) H5Pset_deflate(create, 1);
  }
  const hid_t set = H5Dcreate2(group, "x", d.stored, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (values) H5Dwrite(set, d.given, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  H5Dclose(set), H5Pclose(create), H5Sclose(space), H5Gclose(group), H5Fclose(f);
}

std::vector<double> noise(std::size_t n) {
  std::mt19937 rng(4);
  std::vector<double> x(n);
  for (double& v : x) v = std::normal_distribution<double>()(rng);
  return x;
}

TEST(Hdf5, EveryFloatAndStorageReadsTheSameNumbers) {
  const Folder folder;
  const std::string file = folder.path / "x.h5", name = file + ":group/x";
  const std::vector<double> values = noise(3000 * 5);
  const std::vector<float> narrow(values.begin(), values.end());
  for (const hid_t type : {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE})
    for (const hsize_t chunk : {0, 7, 512}) {
      write(file, {{3000, 5}, type, H5T_NATIVE_DOUBLE, chunk, chunk > 7}, values.data());
      const bool wide = H5Tget_size(type) == 8;
      const Matrix x = cavi::open_matrix(name, kStreamed);
      ASSERT_EQ(x.rows(), 3000);
      ASSERT_EQ(x.cols(), 5);
      EXPECT_EQ(x.scalar(), wide ? cavi::Scalar::float64 : cavi::Scalar::float32);
      EXPECT_EQ(x.name(), name);
      EXPECT_EQ(x.source()->data(), nullptr);
      const std::vector<double> expected = wide ? values : std::vector<double>(narrow.begin(), narrow.end());
      EXPECT_EQ(x.to_vector(), expected);
      EXPECT_EQ(cavi::open_matrix(name).to_vector(), expected);
      const Matrix last = cavi::open_matrix(name, {{"4"}, {}, 0});
      EXPECT_EQ(last.to_vector().back(), expected.back());
      std::vector<std::thread> threads;
      std::array<int, 4> wrong{};
      for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
          for (int first = t; first + 100 <= 3000; first += 211) {
            std::vector<char> got(std::size_t(500 * cavi::size_of(x.scalar())));
            x.source()->read(first, 100, got.data());
            for (int i = 0; i < 500; ++i)
              wrong[std::size_t(t)] +=
                  (wide ? reinterpret_cast<double*>(got.data())[i] : double(reinterpret_cast<float*>(got.data())[i])) !=
                  expected[std::size_t(first * 5 + i)];
          }
        });
      for (auto& thread : threads) thread.join();
      EXPECT_EQ(wrong, (std::array<int, 4>{}));
    }
}

TEST(Hdf5, IntegersAreExactOrAnError) {
  const Folder folder;
  const std::string file = folder.path / "x.hdf5", name = file + ":/group/x";
  const std::vector<std::int64_t> values{0, 1, 100, 127};
  for (const hid_t type : {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_I32LE, H5T_STD_U32BE, H5T_STD_I64BE, H5T_STD_U64LE}) {
    write(file, {{4}, type, H5T_NATIVE_INT64}, values.data());
    const Matrix x = cavi::open_matrix(name);
    EXPECT_EQ(x.cols(), 1);
    EXPECT_EQ(x.to_vector(), (std::vector<double>{0, 1, 100, 127}));
    EXPECT_EQ(x.scalar(), H5Tget_size(type) <= 2 ? cavi::Scalar::float32 : cavi::Scalar::float64);
  }
  const std::vector<std::uint64_t> large{1, 2, std::numeric_limits<std::uint64_t>::max(), 4};
  write(file, {{2, 2}, H5T_STD_U64LE, H5T_NATIVE_UINT64}, large.data());
  EXPECT_EQ(message_of([&] { cavi::open_matrix(name); }),
            name + ": row 1, column 0 (from 0): 18446744073709551615 is beyond 2^53, where float64 is no longer exact");
}

TEST(Hdf5, WhatIsNoMatrixIsNamed) {
  const Folder folder;
  const std::string file = folder.path / "x.h5", name = file + ":group/x";
  const auto says = [&](const std::string& what) { return message_of([&] { cavi::open_matrix(what); }); };
  EXPECT_EQ(says(folder.path / "none.h5:x"), (folder.path / "none.h5").string() + ": No such file or directory");
  const std::vector<double> values(6);
  write(file, {{2, 3}, H5T_NATIVE_DOUBLE, H5T_NATIVE_DOUBLE}, values.data());
  EXPECT_EQ(says(file), file + ": which dataset? Write " + file + ":DATASET");
  EXPECT_EQ(says(file + ":y"), file + ":y: there is no such dataset");
  EXPECT_EQ(says(file + ":group"), file + ":group: there is no such dataset");
  write(file, {{2, 3, 1}, H5T_NATIVE_DOUBLE, H5T_NATIVE_DOUBLE}, nullptr);
  EXPECT_EQ(says(name), name + ": the dataset has 3 dimensions, expected one or two");
  write(file, {{0, 3}, H5T_NATIVE_DOUBLE, H5T_NATIVE_DOUBLE}, nullptr);
  EXPECT_EQ(says(name), name + ": the dataset has zero rows");
  write(file, {{3}, H5T_C_S1, H5T_C_S1}, nullptr);
  EXPECT_EQ(says(name), name + ": the numbers must be floats of 4 or 8 bytes, or integers");
  folder.write("x.h5", "no such thing");
  EXPECT_TRUE(says(name).starts_with(name + ": no HDF5 file, or a damaged one")) << says(name);
}

TEST(Hdf5, ThatShrinksWhileReadIsAnIoError) {
  const Folder folder;
  const std::string file = folder.path / "x.h5", name = file + ":group/x";
  const std::vector<double> values = noise(50000);
  write(file, {{10000, 5}, H5T_NATIVE_DOUBLE, H5T_NATIVE_DOUBLE}, values.data());
  const Matrix x = cavi::open_matrix(name, kStreamed);
  std::filesystem::resize_file(file, 100000);
  const std::string message = message_of([&] { x.to_vector(); });
  EXPECT_EQ(message, file + ": byte 100000: the file became shorter while it was read");
}

}  // namespace
