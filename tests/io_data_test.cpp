// SPDX-License-Identifier: Apache-2.0
// What a file is read as: whatever the format, the memory and the columns, the same numbers.
#include "tests/io_files.hpp"

#include <cavi/io.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>

namespace {

using cavi::ReadOptions;
using cavi::StoredType;
using cavi::test::Folder;
using cavi::test::in_child;
using cavi::test::message_of;
using cavi::test::npy;
using cavi::test::raw;
using Numbers = std::vector<double>;

bool in_memory(const cavi::Matrix& x) { return x.source()->data() != nullptr; }

ReadOptions with_memory(std::int64_t bytes) { return {{}, {}, bytes}; }

std::string npy_of(const std::vector<double>& values, int rows, int cols) {
  return npy(fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {})}}", rows, cols), raw(values));
}

std::string csv_of(const std::vector<double>& values, int cols) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) text += fmt::format("{}{}", values[i], (i + 1) % cols ? "," : "\n");
  return text;
}

std::vector<double> noise(std::size_t n, unsigned seed) {
  std::mt19937 rng(seed);
  std::vector<double> x(n);
  for (double& v : x) v = std::normal_distribution<double>()(rng);
  return x;
}

TEST(Memory, DecidesWhereTheNumbersAre) {
  const Folder folder;
  const Numbers values = noise(600, 1);
  const auto array = folder.write("x.npy", npy_of(values, 200, 3));
  EXPECT_TRUE(in_memory(cavi::open_matrix(array)));
  EXPECT_TRUE(in_memory(cavi::open_matrix(array, with_memory(4800))));
  EXPECT_FALSE(in_memory(cavi::open_matrix(array, with_memory(4799))));
  EXPECT_TRUE(in_memory(cavi::open_matrix(array, {{"1"}, {}, 1600})));
  EXPECT_FALSE(in_memory(cavi::open_matrix(array, {{"1"}, {}, 1599})));
  for (const std::int64_t memory : {std::int64_t(0), std::int64_t(4800)})
    EXPECT_EQ(cavi::open_matrix(array, with_memory(memory)).to_vector(), values);
}

TEST(Memory, OfTheProcessIsKeptTo) {
  const std::int64_t before = cavi::default_memory();
  EXPECT_GT(before, 0);
  EXPECT_EQ(in_child([&] {
              const rlimit limit{rlim_t(1) << 30, rlim_t(1) << 30};
              return ::setrlimit(RLIMIT_AS, &limit) == 0 && cavi::default_memory() <= (std::int64_t(1) << 28) ? 0 : 1;
            }),
            0);
}

// Text beyond the memory goes to a file that has no name.
TEST(Memory, IsNotExceededByText) {
  const Folder folder, temporary;
  ::setenv("TMPDIR", temporary.path.c_str(), 1);
  for (const int cols : {1, 3, 7}) {
    const Numbers values = noise(std::size_t(cols) * 70000, 2);  // more than one block of the reader
    const auto file = folder.write("x.csv", csv_of(values, cols));
    const auto bytes = std::int64_t(values.size() * sizeof(double));
    for (const std::int64_t memory : {std::int64_t(0), std::int64_t(1) << 20, 4 * bytes}) {
      const cavi::Matrix x = cavi::open_matrix(file, with_memory(memory));
      EXPECT_EQ(in_memory(x), bytes <= memory) << memory;
      EXPECT_EQ(x.name(), file.string());
      EXPECT_EQ(raw(x.to_vector()), raw(values));
      EXPECT_EQ(temporary.size(), 0);
    }
  }
  ::setenv("TMPDIR", (temporary.path / "none").c_str(), 1);
  const std::string message = message_of([&] { cavi::open_matrix(folder.path / "x.csv", with_memory(0)); });
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(message.starts_with((folder.path / "x.csv").string() + ": ")) << message;
  EXPECT_NE(message.find("TMPDIR"), std::string::npos) << message;
}

TEST(Columns, ByNameAndByNumberInTheOrderAskedFor) {
  const Folder folder;
  const auto csv = folder.write("x.csv", "id,\"a,b\",x,7\nq1,1,2,3\n\"q,2\",4,5,6\n");
  const cavi::Matrix x = cavi::open_matrix(csv, {{"x", "1"}, {}, {}});
  EXPECT_EQ(x.to_vector(), (Numbers{2, 1, 5, 4}));
  EXPECT_EQ(x.column_names(), (std::vector<std::string>{"x", "a,b"}));
  EXPECT_EQ(cavi::open_matrix(csv, {{"a,b", "x"}, {}, {}}).to_vector(), (Numbers{1, 2, 4, 5}));
  const auto plain = folder.write("y.csv", "q1,5,0,3\nq2,4,1,6\n");  // numbers are no names
  EXPECT_EQ(cavi::open_matrix(plain, {{"3", "2"}, {}, {}}).to_vector(), (Numbers{3, 0, 6, 1}));
  EXPECT_TRUE(cavi::open_matrix(plain, {{"3", "2"}, {}, {}}).column_names().empty());
  const Numbers values = noise(4000 * 5, 3);
  const auto array = folder.write("x.npy", npy_of(values, 4000, 5));
  for (const std::int64_t memory : {0, 1 << 30}) {
    const Numbers got = cavi::open_matrix(array, {{"4", "0"}, {}, memory}).to_vector();
    ASSERT_EQ(got.size(), 8000u);
    for (std::size_t i = 0; i < 4000; ++i)
      EXPECT_TRUE(got[2 * i] == values[5 * i + 4] && got[2 * i + 1] == values[5 * i]) << i;
  }
}

TEST(Columns, ThatAreNotThereAreNamed) {
  const Folder folder;
  const std::string csv = folder.write("x.csv", "a,b\n1,2\n"), array = folder.write("x.npy", npy_of({1, 2}, 1, 2));
  const auto says = [](const std::string& file, std::vector<std::string> columns) {
    return message_of([&] { cavi::open_matrix(file, {std::move(columns), {}, {}}); });
  };
  EXPECT_EQ(says(csv, {"c"}), csv + ": column 'c' is not there; there are 2 columns, numbered from 0");
  EXPECT_EQ(says(csv, {"b", "1"}), csv + ": column '1' is selected twice");
  for (const char* column : {"2", "-1", "1.0", "", "99999999999999999999", "a"})
    EXPECT_EQ(says(array, {column}),
              fmt::format("{}: column '{}' is not there; there are 2 columns, numbered from 0, without names", array,
                          column));
}

TEST(Csv, CommentsAreNotRows) {
  const Folder folder;
  const auto file = folder.write("x.csv", "# made by hand\n  # eruptions, waiting\na,b\n1,2\n#\n3,4\n# end\n\n#\n");
  const cavi::Matrix x = cavi::open_matrix(file);
  EXPECT_EQ(x.to_vector(), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(x.column_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(cavi::open_matrix(folder.write("y.csv", "\xef\xbb\xbf# savetxt\r1,2\r")).to_vector(), (Numbers{1, 2}));
  EXPECT_NE(message_of([&] { cavi::open_matrix(folder.write("z.csv", "# 1\n# 2\n")); }).find("comments but no rows"),
            std::string::npos);
  EXPECT_NE(message_of([&] { cavi::open_matrix(folder.write("z.csv", "#\n1,2\n#\n3,x\n")); }).find("line 4, column 3"),
            std::string::npos);
}

TEST(Csv, ALineWithoutEndIsNotFollowedForever) {
  const Folder folder;
  const auto file = folder.write("x.csv", "1,2\n");
  std::filesystem::resize_file(file, std::uintmax_t(1) << 30);  // a hole on the disk
  EXPECT_EQ(message_of([&] { cavi::open_matrix(file); }),
            file.string() + ": a line has more than 128 MiB; this is no text");
}

TEST(Raw, IsWhatTheLayoutSays) {
  const Folder folder;
  const std::vector<float> f{1, 2, 3, 4, 5, 6};
  const auto file = folder.write("x.bin", raw(f));
  const auto open = [&](StoredType type, std::int64_t rows, int cols, std::vector<std::string> columns = {}) {
    return cavi::open_matrix(file, {std::move(columns), cavi::RawLayout{type, rows, cols}, {}});
  };
  EXPECT_EQ(open(StoredType::f4, 2, 3).to_vector(), (Numbers{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(open(StoredType::f4, 0, 2).rows(), 3);
  EXPECT_EQ(open(StoredType::f4, 0, 3, {"2"}).to_vector(), (Numbers{3, 6}));
  EXPECT_EQ(open(StoredType::u1, 0, 24).scalar(), cavi::Scalar::float32);
  EXPECT_EQ(open(StoredType::i4, 0, 1).to_vector()[0], 0x3f800000);
  const std::string name = file.string() + ": ";
  EXPECT_EQ(message_of([&] { open(StoredType::f4, 0, 4); }), name + "24 bytes are no whole number of rows of 16 bytes");
  EXPECT_EQ(message_of([&] { open(StoredType::f8, 2, 3); }),
            name + "expected 2 rows of 24 bytes, the file has 24 bytes");
  EXPECT_EQ(message_of([&] { open(StoredType::f4, std::numeric_limits<std::int64_t>::max(), 3); }),
            name + "expected 9223372036854775807 rows of 12 bytes, the file has 24 bytes");
  EXPECT_EQ(message_of([&] { open(StoredType::f4, 2, 0); }), name + "2 x 0 is no shape of raw numbers");
  EXPECT_EQ(message_of([&] { open(StoredType::f4, -2, 3); }), name + "-2 x 3 is no shape of raw numbers");
  folder.write("x.bin", "");
  EXPECT_EQ(message_of([&] { open(StoredType::f4, 0, 1); }), name + "the file is empty");
}

TEST(Integers, AreExactOrAnError) {
  const Folder folder;
  const std::int64_t most = std::int64_t(1) << 53;
  const auto file = [&](std::vector<std::int64_t> values) {
    return folder.write(
        "x.npy",
        npy(fmt::format("{{'descr': '<i8', 'fortran_order': False, 'shape': ({},)}}", values.size()), raw(values)));
  };
  EXPECT_EQ(cavi::open_matrix(file({most, -most, 1})).to_vector(), (Numbers{double(most), -double(most), 1}));
  for (const std::int64_t bad :
       {most + 1, -most - 1, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()})
    for (const std::int64_t memory : {0, 1 << 20})
      EXPECT_NE(message_of([&] {
                  cavi::open_matrix(file({1, bad, 2}), with_memory(memory)).to_vector();
                }).find(fmt::format("x.npy: byte 136: {} is beyond 2^53", bad)),
                std::string::npos);
}

}  // namespace
