// SPDX-License-Identifier: Apache-2.0
// NumPy files: what is written comes back, every storage reads the same numbers, and hostile files are told apart.
#include <cavi/io.hpp>

#include "tests/io_files.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <limits>
#include <numeric>
#include <random>
#include <thread>

namespace {

using cavi::test::bytes_of;
using cavi::test::Folder;
using cavi::test::message_of;
using cavi::test::npy;
using cavi::test::raw;

template <class T>
std::vector<T> read_rows(const cavi::Matrix& x, std::int64_t first, std::int64_t count) {
  std::vector<T> out(std::size_t(count) * x.cols(), T(-77));
  x.source()->read(first, count, out.data());
  return out;
}

const cavi::ReadOptions kStreamed{{}, {}, 0};

std::string dict(const std::string& descr, const std::string& shape, bool fortran = false) {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", descr, fortran ? "True" : "False", shape);
}

template <class T>
std::vector<T> random_numbers(std::size_t n, unsigned seed) {
  std::mt19937_64 rng(seed);
  std::vector<T> values(n);
  for (T& v : values) {
    if constexpr (std::is_integral_v<T>)
      v = T(rng() >> 12);  // exact in float64
    else
      v = T(std::normal_distribution<double>(0, 1e3)(rng));
  }
  return values;
}

TEST(NpyFile, GivesBackWhatWasWritten) {
  const Folder folder;
  const auto file = folder.path / "x.npy";
  for (int rows : {0, 1, 2, 63, 64, 8191, 8192, 8193})
    for (int cols : {1, 2, 7}) {
      const auto d = random_numbers<double>(std::size_t(rows * cols), unsigned(rows * 10 + cols));
      const auto f = random_numbers<float>(std::size_t(rows * cols), unsigned(rows * 10 + cols));
      cavi::write_npy(file, std::span<const double>(d), rows, cols);
      if (rows == 0) {
        EXPECT_NE(message_of([&] { cavi::open_matrix(file); }).find("zero rows"), std::string::npos);
        continue;
      }
      const auto x = cavi::open_matrix(file, kStreamed);
      ASSERT_EQ(x.rows(), rows);
      ASSERT_EQ(x.cols(), cols);
      ASSERT_EQ(x.scalar(), cavi::Scalar::float64);
      EXPECT_EQ(x.name(), file.string());
      EXPECT_EQ(x.to_vector(), d);
      cavi::write_npy(file, std::span<const float>(f), rows, cols);  // x still reads the file it opened
      EXPECT_EQ(x.to_vector(), d);
      const auto y = cavi::open_matrix(file);
      ASSERT_EQ(y.scalar(), cavi::Scalar::float32);
      EXPECT_EQ(read_rows<float>(y, 0, rows), f);
      EXPECT_EQ(folder.size(), 1);
    }
}

TEST(NpyFile, LabelsComeBack) {
  const Folder folder;
  const auto file = folder.path / "labels.npy";
  const std::vector<std::int32_t> labels{3, 0, -1, std::numeric_limits<std::int32_t>::max(),
                                         std::numeric_limits<std::int32_t>::min()};
  cavi::write_npy(file, labels);
  EXPECT_TRUE(cavi::holds_labels(file));
  EXPECT_EQ(cavi::read_labels(file), labels);
}

TEST(NpyFile, WritesTheBytesThatNumpyWrites) {
  const Folder folder;
  const std::vector<float> values{1, 2, 3};
  cavi::write_npy(folder.path / "x.npy", values, 3, 1);
  const std::string expected = std::string("\x93NUMPY\x01\0\x76\0", 10) +
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }" + std::string(58, ' ') +
                               "\n";
  EXPECT_EQ(bytes_of(folder.path / "x.npy"), expected + raw(values));
}

TEST(NpyFile, KeepsEveryBitOfANumber) {
  const Folder folder;
  const std::vector<double> values{0.0,
                                   -0.0,
                                   std::numeric_limits<double>::denorm_min(),
                                   std::numeric_limits<double>::max(),
                                   std::numeric_limits<double>::infinity(),
                                   std::numeric_limits<double>::quiet_NaN(),
                                   0.1};
  cavi::write_npy(folder.path / "x.npy", values, 7, 1);
  EXPECT_EQ(raw(cavi::open_matrix(folder.path / "x.npy").to_vector()), raw(values));
}

/// Any stored type and order, any block of rows: the same as the array indexed in memory.
template <class Stored, class Read>
void every_block_reads_right(const std::string& descr) {
  const Folder folder;
  std::mt19937 rng(7);
  for (bool fortran : {false, true})
    for (int trial = 0; trial < 12; ++trial) {
      const int rows = trial == 0 ? 1 : trial == 1 ? 20000 : std::uniform_int_distribution<>(1, 300)(rng);
      const int cols = trial == 2 ? 1 : std::uniform_int_distribution<>(1, 9)(rng);
      const auto values = random_numbers<Stored>(std::size_t(rows) * cols, rng());
      const auto file =
          folder.write("x.npy", npy(dict(descr, fmt::format("({}, {})", rows, cols), fortran), raw(values)));
      const auto x = cavi::open_matrix(file, kStreamed);
      ASSERT_EQ(x.rows(), rows);
      ASSERT_EQ(x.cols(), cols);
      ASSERT_EQ(cavi::size_of(x.scalar()), int(sizeof(Read)));
      for (int block = 0; block < 4; ++block) {
        const int first = block == 0 ? 0 : std::uniform_int_distribution<>(0, rows)(rng);
        const int count = block == 0 ? rows : std::uniform_int_distribution<>(0, rows - first)(rng);
        const auto got = read_rows<Read>(x, first, count);
        for (int i = 0; i < count; ++i)
          for (int c = 0; c < cols; ++c) {
            const auto at = fortran ? std::size_t(c) * rows + first + i : std::size_t(first + i) * cols + c;
            ASSERT_EQ(got[std::size_t(i) * cols + c], Read(values[at]))
                << descr << " row " << first + i << " column " << c;
          }
      }
    }
}

TEST(NpyFile, ReadsFloat32) { every_block_reads_right<float, float>("<f4"); }
TEST(NpyFile, ReadsFloat64) { every_block_reads_right<double, double>("<f8"); }
TEST(NpyFile, ReadsInt32) { every_block_reads_right<std::int32_t, double>("<i4"); }
TEST(NpyFile, ReadsInt64) { every_block_reads_right<std::int64_t, double>("<i8"); }
TEST(NpyFile, ReadsUInt8) { every_block_reads_right<std::uint8_t, float>("|u1"); }

TEST(NpyFile, AcceptsEverySpellingOfTheHeader) {
  const Folder folder;
  const std::vector<double> values{1, 2, 3, 4, 5, 6};
  const char* headers[] = {
      "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }",
      "{'descr':'<f8','fortran_order':False,'shape':(2,3)}",
      "  { \"shape\" : ( 2 , 3 , ) ,\n\t'fortran_order' : False , \"descr\" : \"<f8\" }",
      "{'fortran_order': False, 'shape': (2L, 3L), 'descr': '<f8'}",
  };
  for (const char* header : headers)
    for (int version : {1, 2, 3}) {
      const auto x = cavi::open_matrix(folder.write("x.NPY", npy(header, raw(values), version)));
      EXPECT_EQ(x.rows(), 2);
      EXPECT_EQ(x.cols(), 3);
      EXPECT_EQ(x.to_vector(), values);
    }
  const auto column = cavi::open_matrix(folder.write("x.npy", npy(dict("<f8", "(6,)"), raw(values))));
  EXPECT_EQ(column.rows(), 6);
  EXPECT_EQ(column.cols(), 1);
  EXPECT_EQ(column.to_vector(), values);
}

TEST(NpyFile, RefusesHostileHeaders) {
  const Folder folder;
  const std::string six = raw(std::vector<double>(6));
  struct Case {
    std::string bytes, says;
  };
  const Case cases[] = {
      {"", "the file is empty"},
      {"\x93NUM", "byte 0: not a .npy file"},
      {"PK\x03\x04 an archive", "byte 0: not a .npy file"},
      {"1,2\n3,4\n", "byte 0: not a .npy file"},
      {std::string("\x93NUMPY"), "byte 6: the file ends inside its header"},
      {std::string("\x93NUMPY\x01\0\x76", 9), "byte 9: the file ends inside its header"},
      {std::string("\x93NUMPY\x02\0\x76\0", 10), "byte 10: the file ends inside its header"},
      {std::string("\x93NUMPY\x01\0\xff\xff{}", 12), "byte 8: expected a header of 65535 bytes, the file has 2"},
      {std::string("\x93NUMPY\x02\0\xff\xff\xff\xff{}", 14), "byte 8: a header of 4294967295 bytes is too long"},
      {std::string("\x93NUMPY\x04\0\x02\0{}", 12), "byte 6: version 4.0"},
      {std::string("\x93NUMPY\x01\x01\x02\0{}", 12), "byte 6: version 1.1"},
      {npy("", six), "expected { in the header"},
      {npy("[1, 2]", six), "byte 10: expected { in the header"},
      {npy("{'descr: '<f8'", six), "expected : in the header"},
      {npy("{'descr", six), "byte 11: the string is not closed"},
      {npy("{'descr': '<f8'", six), "expected } in the header"},
      {npy("{}", six), "the header has no 'descr'"},
      {npy("{'descr': '<f8', 'shape': (2, 3)}", six), "the header has no 'fortran_order'"},
      {npy("{'descr': '<f8', 'fortran_order': False}", six), "the header has no 'shape'"},
      {npy("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", six),
       "byte 27: the header's keys"},
      {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), 'more': 1}", six), "the header's keys"},
      {npy("{'descr': '<f8', 'fortran_order': 0, 'shape': (2, 3)}", six), "byte 44: expected True or False"},
      {npy(dict("<f8", "(2, 3)") + " extra", six), "unexpected text after the header"},
      {npy("{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (6,)}", six), "byte 20: expected a string"},
      {npy(dict(">f8", "(2, 3)"), six), "byte 20: big-endian numbers '>f8'"},
      {npy(dict("|O", "(2, 3)"), six), "byte 20: Python objects '|O'"},
      {npy(dict("<f2", "(2, 3)"), six), "type '<f2' cannot be read"},
      {npy(dict("<c16", "(2, 3)"), six), "type '<c16' cannot be read"},
      {npy(dict("<U\x07\x1b[2J", "(2, 3)"), six), "type '<U??[2J' cannot be read"},
      {npy(dict("<f8", "()"), six), "the array has 0 dimensions"},
      {npy(dict("<f8", "(1, 2, 3)"), six), "the array has 3 dimensions"},
      {npy(dict("<f8", "(2 3)"), six), "expected ) in the header"},
      {npy(dict("<f8", "(,)"), six), "expected a whole number"},
      {npy(dict("<f8", "(2.5, 3)"), six), "expected ) in the header"},
      {npy(dict("<f8", "(None, 3)"), six), "expected a whole number"},
      {npy(dict("<f8", "(-2, 3)"), six), "byte 61: the shape has a negative size, -2"},
      {npy(dict("<f8", "(0, 3)"), ""), "byte 60: the array has zero rows"},
      {npy(dict("<f8", "(0,)"), ""), "the array has zero rows"},
      {npy(dict("<f8", "(3, 0)"), ""), "byte 60: the array has zero columns"},
      {npy(dict("<f8", "(99999999999999999999, 3)"), six), "byte 61: the shape is too large"},
      {npy(dict("<f8", "(4611686018427387904, 4)"), six), "byte 60: the shape is too large"},
      {npy(dict("<f8", "(2305843009213693952, 1)"), six), "byte 60: the shape is too large"},
      {npy(dict("<f8", "(1, 2147483648)"), six), "byte 60: the shape is too large"},
      {npy(dict("<f8", "(1152921504606846975,)"), six), "expected 9223372036854775800 bytes of data, the file has 48"},
      {npy(dict("<f8", "(2, 4)"), six), "byte 128: expected 64 bytes of data, the file has 48"},
      {npy(dict("<f8", "(2, 3)"), six + "x"), "byte 128: expected 48 bytes of data, the file has 49"},
      {npy(dict("<f8", "(2, 3)"), ""), "byte 128: expected 48 bytes of data, the file has 0"},
  };
  for (const Case& c : cases) {
    const auto file = folder.write("data.npy", c.bytes);
    const std::string message = message_of([&] { cavi::open_matrix(file); });
    EXPECT_TRUE(message.starts_with(file.string() + ": ")) << message;
    EXPECT_NE(message.find(c.says), std::string::npos) << message << "\n  should say: " << c.says;
  }
}

TEST(NpyFile, RandomDamageIsAnIoErrorOrAnArrayThatCanBeRead) {
  const Folder folder;
  std::mt19937 rng(11);
  const std::string good = npy(dict("<i4", "(5, 3)"), raw(std::vector<std::int32_t>(15, 9)));
  int opened = 0, refused = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string bytes = good;
    for (int n = std::uniform_int_distribution<>(1, 3)(rng); n > 0; --n)
      bytes[std::uniform_int_distribution<std::size_t>(0, 75)(rng)] = char(rng());
    if (trial % 5 == 0) bytes.resize(std::uniform_int_distribution<std::size_t>(0, bytes.size())(rng));
    const auto file = folder.write("x.npy", bytes);
    try {
      const auto x = cavi::open_matrix(file);
      EXPECT_EQ(std::int64_t(x.to_vector().size()), x.rows() * x.cols());
      ++opened;
    } catch (const cavi::IoError& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 2000);
  EXPECT_EQ(opened + refused, 3000);
}

TEST(NpyFile, ThatShrinksWhileReadIsAnIoError) {
  const Folder folder;
  const std::vector<double> values(30000, 1.5);
  for (bool fortran : {false, true}) {
    const auto file = folder.write("x.npy", npy(dict("<f8", "(10000, 3)", fortran), raw(values)));
    const auto x = cavi::open_matrix(file, kStreamed);
    std::filesystem::resize_file(file, 1000);
    const std::string message = message_of([&] { x.to_vector(); });
    EXPECT_NE(message.find("byte 1000: the file became shorter while it was read"), std::string::npos) << message;
  }
}

TEST(NpyFile, ManyThreadsReadAtOnce) {
  const Folder folder;
  const int rows = 4000, cols = 5;
  const auto values = random_numbers<std::int32_t>(rows * cols, 3);
  const auto x = cavi::open_matrix(folder.write("x.npy", npy(dict("<i4", "(4000, 5)"), raw(values))), kStreamed);
  std::vector<std::thread> threads;
  std::vector<int> wrong(8);
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int first = t; first + 100 <= rows; first += 37) {
        const auto got = read_rows<double>(x, first, 100);
        for (int i = 0; i < 100 * cols; ++i) wrong[t] += got[i] != values[first * cols + i];
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8));
}

TEST(NpyFile, RowsOutsideTheMatrixAreAShapeError) {
  const Folder folder;
  const auto x = cavi::open_matrix(folder.write("x.npy", npy(dict("<f8", "(2, 3)"), raw(std::vector<double>(6)))));
  double out[6];
  for (auto [first, count] : {std::pair<std::int64_t, std::int64_t>{-1, 1},
                              {0, 3},
                              {2, 1},
                              {1, -1},
                              {1, std::numeric_limits<std::int64_t>::max()}})
    message_of<cavi::ShapeError>([&] { x.source()->read(first, count, out); });
  x.source()->read(2, 0, out);
}

TEST(OpenMatrix, NamesTheFileAndTheCause) {
  const Folder folder;
  const auto says = [](const std::filesystem::path& file) { return message_of([&] { cavi::open_matrix(file); }); };
  const std::string at = folder.path.string() + "/";
  EXPECT_EQ(says(folder.path / "none.npy"), at + "none.npy: No such file or directory");
  EXPECT_EQ(says(folder.path / "none.csv"), at + "none.csv: No such file or directory");
  EXPECT_EQ(says(folder.write("x.txt", "1")), at + "x.txt: the name ends in none of .npy, .csv, .h5:DATASET");
  EXPECT_EQ(says(folder.path), folder.path.string() + ": the name ends in none of .npy, .csv, .h5:DATASET");
  std::filesystem::create_directory(folder.path / "d.npy");
  EXPECT_EQ(says(folder.path / "d.npy"), at + "d.npy: is a directory, not a file");
  ASSERT_EQ(::mkfifo((at + "pipe.csv").c_str(), 0600), 0);
  EXPECT_EQ(says(folder.path / "pipe.csv"), at + "pipe.csv: is not a regular file");
  if (::geteuid() != 0) {
    std::filesystem::permissions(folder.write("secret.npy", "1"), std::filesystem::perms::none);
    EXPECT_EQ(says(folder.path / "secret.npy"), at + "secret.npy: Permission denied");
  }
}

TEST(WriteNpy, FailsWithoutATrace) {
  const Folder folder;
  const std::vector<double> values(1000, 2.0);
  const auto says = [&](const std::filesystem::path& file) {
    return message_of([&] { cavi::write_npy(file, values, 500, 2); });
  };
  EXPECT_NE(says(folder.path / "none" / "x.npy").find("none/x.npy: cannot be written: No such file"),
            std::string::npos);
  std::filesystem::create_directory(folder.path / "d.npy");
  EXPECT_NE(says(folder.path / "d.npy").find("d.npy: cannot be written: Is a directory"), std::string::npos);
  EXPECT_EQ(folder.size(), 1);

  const auto file = folder.write("x.npy", "what was there before");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{}, small{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  small = limit;
  small.rlim_cur = 4096;  // a disk that is full after one page
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = says(file);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_NE(message.find("x.npy: cannot be written: File too large"), std::string::npos) << message;
  EXPECT_EQ(bytes_of(file), "what was there before");
  EXPECT_EQ(folder.size(), 2);
}

TEST(WriteNpy, RefusesAShapeThatDoesNotFit) {
  const Folder folder;
  const std::vector<double> values(6);
  for (auto [rows, cols] :
       {std::pair<std::int64_t, int>{2, 2}, {-2, -3}, {7, 1}, {std::numeric_limits<std::int64_t>::max(), 6}})
    message_of<cavi::ShapeError>([&] { cavi::write_npy(folder.path / "x.npy", values, rows, cols); });
  EXPECT_EQ(folder.size(), 0);
}

TEST(NpyWriter, BlocksMakeTheFileThatOneWriteMakes) {
  const Folder folder;
  const auto path = folder.path / "blocks.npy", whole = folder.path / "whole.npy";
  std::vector<double> values(35);
  std::iota(values.begin(), values.end(), -3.0);
  cavi::write_npy(whole, values, 7, 5);
  cavi::NpyWriter<double> out(path, {7, 5});
  const std::span<const double> all(values);
  for (const auto& [from, count] : {std::pair<std::size_t, std::size_t>{0, 3}, {3, 0}, {3, 21}, {24, 11}})
    out.append(all.subspan(from, count));
  EXPECT_FALSE(std::filesystem::exists(path));
  out.commit();
  EXPECT_EQ(bytes_of(path), bytes_of(whole));
  EXPECT_EQ(folder.size(), 2);
}

TEST(NpyWriter, LeavesNothingUnlessItIsComplete) {
  const Folder folder;
  const auto path = folder.path / "x.npy";
  const std::vector<std::int32_t> values(3);
  {
    cavi::NpyWriter<std::int32_t> out(path, {4});
    out.append(values);
    EXPECT_EQ(message_of<cavi::ShapeError>([&] { out.commit(); }),
              path.string() + ": fewer numbers than the shape has");
    EXPECT_EQ(message_of<cavi::ShapeError>([&] { out.append(values); }),
              path.string() + ": more numbers than the shape has");
  }
  message_of<cavi::ShapeError>([&] { cavi::NpyWriter<float>(path, {-1, 3}); });
  EXPECT_EQ(folder.size(), 0);
}

}  // namespace
