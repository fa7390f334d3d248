// SPDX-License-Identifier: Apache-2.0
// Comma-separated text: every dialect that is allowed gives the same numbers, everything else names its place.
#include <cavi/io.hpp>

#include "tests/io_files.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <clocale>
#include <cmath>
#include <limits>
#include <random>

namespace {

using cavi::test::Folder;
using cavi::test::message_of;
using cavi::test::raw;
using Numbers = std::vector<double>;

struct Table {
  std::int64_t rows;
  int cols;
  Numbers values;
};

Table parse(const std::string& text) {
  const Folder folder;
  const auto x = cavi::open_matrix(folder.write("x.csv", text));
  EXPECT_EQ(x.scalar(), cavi::Scalar::float64);
  return {x.rows(), x.cols(), x.to_vector()};
}

TEST(Csv, EveryLineEndHeaderAndMarkGivesTheSameTable) {
  for (const std::string end : {"\n", "\r", "\r\n"})
    for (const std::string header : {"", "\"eruptions\",\"waiting\"", "a,", "NA,b"})
      for (const std::string tail : {"", "1", "3"})
        for (const std::string mark : {"", "\xef\xbb\xbf"}) {
          std::string text =
              mark + (header.empty() ? "" : header + end) + "3.6,79" + end + "1.8,54" + end + "-3.333,7.4e1";
          for (int i = 0; i < (tail.empty() ? 0 : tail[0] - '0'); ++i) text += i == 1 ? " \t" + end : end;
          const Table t = parse(text);
          EXPECT_EQ(t.rows, 3) << text;
          EXPECT_EQ(t.cols, 2) << text;
          EXPECT_EQ(t.values, (Numbers{3.6, 79, 1.8, 54, -3.333, 74})) << text;
        }
}

TEST(Csv, EverySpellingOfANumber) {
  const auto one = [](const std::string& field) {
    const Table t = parse("0\n" + field + "\n");
    EXPECT_EQ(t.rows, 2) << field;
    return t.values.at(1);
  };
  EXPECT_EQ(one("1"), 1);
  EXPECT_EQ(one("+1.5"), 1.5);
  EXPECT_EQ(one("-.5"), -.5);
  EXPECT_EQ(one("1."), 1);
  EXPECT_EQ(one("\t 12 \t"), 12);
  EXPECT_EQ(one("\"7\""), 7);
  EXPECT_EQ(one(" \" 7 \" "), 7);
  EXPECT_EQ(one("1E+3"), 1000);
  EXPECT_EQ(one("0.1"), 0.1);
  EXPECT_EQ(one("1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(one("4.9406564584124654e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(one("1e-400"), 0);
  EXPECT_TRUE(std::signbit(one("-1e-400")));
  EXPECT_EQ(one(std::string(400, '0') + "1" + "." + std::string(400, '0')), 1);
  EXPECT_EQ(one("inf"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(one("-Infinity"), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(one("NaN")));
  EXPECT_TRUE(std::isnan(one("-nan")));
}

TEST(Csv, NumbersComeBackBitForBit) {
  std::mt19937_64 rng(5);
  for (int cols : {1, 3, 17}) {
    Numbers values;
    std::string text;
    for (int row = 0; row < 500; ++row)
      for (int c = 0; c < cols; ++c) {
        double v;
        do v = std::bit_cast<double>(rng());
        while (!std::isfinite(v));
        values.push_back(v);
        text += fmt::format("{}{}", v, c + 1 < cols ? "," : "\n");
      }
    const Table t = parse(text);
    EXPECT_EQ(t.rows, 500);
    EXPECT_EQ(t.cols, cols);
    EXPECT_EQ(raw(t.values), raw(values));
  }
}

// Lines are cut out of blocks: a line, a CRLF or the end of the file may fall on any byte around a block's end.
TEST(Csv, LinesMayCrossTheBlocksInWhichTheFileIsRead) {
  const std::size_t block = 1 << 18;
  for (const std::string end : {"\n", "\r\n", "\r"})
    for (std::size_t before = block - 6; before <= block + 3; ++before) {
      const std::string first = fmt::format("{:<{}}{}", 1, before - end.size(), end);  // ends at byte `before`
      EXPECT_EQ(parse(first + "23" + end + "45" + end).values, (Numbers{1, 23, 45})) << before;
      EXPECT_EQ(parse(first + "23" + end + "45").values, (Numbers{1, 23, 45})) << before;
      EXPECT_EQ(parse(first).values, Numbers{1}) << before;
    }
  std::string wide;
  Numbers values;
  for (int c = 0; c < 200000; ++c) wide += fmt::format("{},", c), values.push_back(c);
  wide.back() = '\n';
  const Table t = parse(wide + wide);
  EXPECT_EQ(t.rows, 2);
  EXPECT_EQ(t.cols, 200000);
  EXPECT_TRUE(std::equal(values.begin(), values.end(), t.values.begin() + 200000));
}

TEST(Csv, NamesAreTheHeader) {
  const Folder folder;
  const auto names = [&](const std::string& text) { return cavi::column_names(folder.write("x.csv", text)); };
  EXPECT_EQ(names("\xef\xbb\xbf \"a,b\" , c \"d\" ,\"say \"\"x\"\"\", x7 \r\n1,2,3,4"),
            (std::vector<std::string>{"a,b", "c \"d\"", "say \"x\"", "x7"}));
  EXPECT_EQ(names(",a,b\n1,2,3\n"), (std::vector<std::string>{"", "a", "b"}));
  EXPECT_TRUE(names("setosa,5.1\n").empty());
  EXPECT_TRUE(names("1,2\n3,4\n").empty());
  EXPECT_TRUE(names("nan,-inf\n3,4\n").empty());
  const std::vector<double> one{1};
  cavi::write_npy(folder.path / "x.npy", one, 1, 1);
  EXPECT_TRUE(cavi::column_names(folder.path / "x.npy").empty());
}

// Taking such a line for a header would fit all rows but one and say nothing.
TEST(Csv, ARowWithAMissingValueIsNoHeader) {
  const Folder folder;
  const std::string file = folder.path / "x.csv";
  const auto says = [&](const std::string& text, std::vector<std::string> columns = {}) {
    folder.write("x.csv", text);
    return message_of([&] { cavi::open_matrix(file, {std::move(columns), {}, {}}); });
  };
  const std::string rows = "\n2,3\n4,5\n",
                    asks = ": is this a row with a missing value, to be dropped or filled in? A header has no numbers";
  EXPECT_EQ(says("1,NA" + rows), file + ": line 1, column 3: 'NA' is not a number" + asks);
  EXPECT_EQ(says("1," + rows), file + ": line 1, column 3: the field is empty" + asks);
  EXPECT_EQ(says(",1" + rows), file + ": line 1, column 1: the field is empty" + asks);
  EXPECT_EQ(says("1,x" + rows), file + ": line 1, column 3: 'x' is not a number" + asks);
  for (const std::string missing : {"NA", "N/A", "?", "null", "NULL", "", "\"\""}) {
    EXPECT_NE(says(missing + "," + missing + rows).find(asks), std::string::npos) << missing;
    EXPECT_NE(says("a,1," + missing + "\nb,2,3\n", {"2"}).find(asks), std::string::npos) << missing;
  }
  folder.write("x.csv", "NA,1\n2,3\n");  // asked for by name, it is one
  EXPECT_EQ(cavi::open_matrix(file, {{"NA"}, {}, {}}).to_vector(), Numbers{2});
}

TEST(Csv, HostileTextNamesLineColumnAndCause) {
  const Folder folder;
  struct Case {
    std::string text, says;
  };
  const Case cases[] = {
      {"", "the file is empty"},
      {"\n", "line 1, column 1: a line of names or numbers expected, not an empty one"},
      {"\n1,2\n", "line 1, column 1: a line of names or numbers expected, not an empty one"},
      {"\xef\xbb\xbf", "line 1, column 1: a line of names or numbers expected, not an empty one"},
      {"a,b\n", "line 1: names but no rows"},
      {"a,b", "line 1: names but no rows"},
      {"a,b\r\n\r\n  \r\n", "line 1: names but no rows"},
      {"1,2\n3\n", "line 2, column 2: the line ends after 1 of the 2 fields of line 1"},
      {"1,2\n3,4,5\n", "line 2, column 4: more than the 2 fields of line 1"},
      {"a,b,c\n1,2\n", "line 2, column 4: the line ends after 2 of the 3 fields of line 1"},
      {"1,2\r3,4\r5,x\r", "line 3, column 3: 'x' is not a number"},
      {"1,2\r\n3,4\r\n5,  x \r\n", "line 3, column 5: 'x' is not a number"},
      {"1,2\n3,\n", "line 2, column 3: the field is empty, expected a number"},
      {"1,2\n,3\n", "line 2, column 1: the field is empty, expected a number"},
      {"1,2\n3,\"\"\n", "line 2, column 3: the field is empty, expected a number"},
      {"1,2\n\n3,4\n", "line 2: an empty line between rows"},
      {"1,2\n3,4\n \n\n5,6\n", "line 3: an empty line between rows"},
      {"1;2\n3;4\n", "line 2, column 1: '3;4' is not a number; commas separate fields"},
      {"1\t2\n3\t4\n", "line 2, column 1: '3?4' is not a number; commas separate fields"},
      {"1,2\n3,0x10\n", "line 2, column 3: '0x10' is not a number"},
      {"1,2\n3,4e\n", "line 2, column 3: '4e' is not a number"},
      {"1,2\n3,+-4\n", "line 2, column 3: '+-4' is not a number"},
      {"1,2\n3,1e400\n", "line 2, column 3: '1e400' is out of the range of float64"},
      {"1e400,2\n3,4\n", "line 1, column 1: '1e400' is out of the range of float64"},
      {"1,2\n3,1e99999999\n", "is out of the range of float64"},
      {"1,2\n3,\"4\n", "line 2, column 3: the quoted field does not end on its line"},
      {"\"a,b\n1,2\n", "line 1, column 1: the quoted field does not end on its line"},
      {"1,2\n3,\"4\" 5\n", "line 2, column 3: expected a comma after the quoted field"},
      {"1,2\n\"3,5\",4\n", "line 2, column 1: '3,5' is not a number"},
      {std::string("1,2\n3,\0\x1b[2J\n", 12), "line 2, column 3: '??[2J' is not a number"},
      {"1\n" + std::string(1000000, 'z'), "line 2, column 1: '" + std::string(40, 'z') + "...' is not a number"},
      {std::string("\xff\xfe"
                   "1\0,\0",
                   6),
       "line 1, column 1: this is UTF-16; save it as UTF-8"},
      {std::string(1000, '\0'), "line 1: names but no rows"},
  };
  for (const Case& c : cases) {
    const auto file = folder.write("data.csv", c.text);
    const std::string message = message_of([&] { cavi::open_matrix(file); });
    EXPECT_TRUE(message.starts_with(file.string() + ": ")) << message;
    EXPECT_NE(message.find(c.says), std::string::npos) << message << "\n  should say: " << c.says;
  }
}

TEST(Csv, RandomTextIsAnIoErrorOrATable) {
  const Folder folder;
  std::mt19937 rng(2);
  const std::string alphabet = "019.,,,\n\n\r\" -+e\tnaif;x\xef\0";
  int opened = 0;
  for (int trial = 0; trial < 5000; ++trial) {
    std::string text;
    for (int n = std::uniform_int_distribution<>(1, 12)(rng); n > 0; --n) text += alphabet[rng() % alphabet.size()];
    const auto file = folder.write("x.csv", text);
    try {
      const auto x = cavi::open_matrix(file);
      EXPECT_EQ(std::int64_t(x.to_vector().size()), x.rows() * x.cols());
      ++opened;
    } catch (const cavi::IoError& e) {
      EXPECT_EQ(std::string(e.what()).find_first_of("\n\r"), std::string::npos) << e.what();
    }
  }
  EXPECT_GT(opened, 100);
}

TEST(Csv, TheLocaleDoesNotMatter) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) std::setlocale(LC_ALL, name);  // where they are installed
  const Table t = parse("1.5,1e-400\n2.25,3\n");
  std::setlocale(LC_ALL, before.c_str());
  EXPECT_EQ(t.values, (Numbers{1.5, 0, 2.25, 3}));
}

TEST(Csv, LabelsAreOneColumnOfIntegers) {
  const Folder folder;
  EXPECT_EQ(cavi::read_labels(folder.write("x.csv", "label\n0\n2\n-1\n2147483647\n")),
            (std::vector<std::int32_t>{0, 2, -1, 2147483647}));
  EXPECT_TRUE(cavi::holds_labels(folder.path / "x.csv"));
  EXPECT_FALSE(cavi::holds_labels(folder.write("r.csv", "0.5,0.5\n1,0\n")));
  const auto says = [&](const std::string& text) {
    return message_of([&] { cavi::read_labels(folder.write("y.csv", text)); });
  };
  EXPECT_NE(says("0\n1.5\n").find("y.csv: row 1 (from 0): 1.5 is not a 32-bit integer"), std::string::npos);
  EXPECT_NE(says("0\n2147483648\n").find("row 1 (from 0): 2147483648 is not"), std::string::npos);
  EXPECT_NE(says("nan\n0\n").find("row 0 (from 0): nan is not"), std::string::npos);
  EXPECT_NE(says("0,1\n").find("labels are one column, this file has 2"), std::string::npos);
}

}  // namespace
