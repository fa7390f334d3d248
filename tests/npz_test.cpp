// SPDX-License-Identifier: Apache-2.0
// Archives of arrays: what NumPy makes of them, the same bytes, and files that are damaged or mean harm.
#include "src/io/npz.hpp"

#include "tests/io_files.hpp"
#include "tests/numpy.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zip.h>

#include <cstdlib>
#include <numeric>
#include <random>

namespace {

using cavi::io::kAnySize;
using cavi::io::NpzArray;
using cavi::io::NpzFile;
using cavi::io::write_npz;
using cavi::test::bytes_of;
using cavi::test::Folder;
using cavi::test::message_of;
using cavi::test::npy;
using cavi::test::raw;

const std::vector<double> kSix{1.5, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1.0 / 3};

std::filesystem::path small_archive(const Folder& folder, const std::string& name = "x.npz") {
  write_npz(folder.path / name, "{}\n", {{"six", {2, 3}, kSix}, {"one", {}, std::span(kSix).first(1)}});
  return folder.path / name;
}

struct Member {
  std::string name, bytes;
  int method = ZIP_CM_STORE;
};

/// Any archive, as another program might write it.
std::filesystem::path archive(const Folder& folder, const std::vector<Member>& members) {
  const auto file = folder.path / "any.npz";
  int error = 0;
  zip_t* zip = zip_open(file.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  for (const Member& m : members) {
    zip_source_t* source = zip_source_buffer(zip, m.bytes.data(), m.bytes.size(), 0);
    const zip_int64_t index = zip_file_add(zip, m.name.c_str(), source, 0);
    EXPECT_GE(index, 0);
    zip_set_file_compression(zip, zip_uint64_t(index), m.method, 0);
  }
  EXPECT_EQ(zip_close(zip), 0);
  return file;
}

std::string dict(const std::string& descr, const std::string& shape, bool fortran = false) {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", descr, fortran ? "True" : "False", shape);
}

TEST(Npz, GivesBackEveryBit) {
  const Folder folder;
  const NpzFile file(small_archive(folder));
  EXPECT_EQ(file.meta(), "{}\n");
  EXPECT_EQ(raw(file.array("six", {2, 3})), raw(kSix));
  EXPECT_EQ(raw(file.array("six", {kAnySize, 3})), raw(kSix));
  EXPECT_EQ(file.array("one", {}), std::vector<double>{1.5});
  EXPECT_TRUE(file.has("six"));
  EXPECT_FALSE(file.has("seven"));
  EXPECT_EQ(folder.size(), 1);
}

TEST(Npz, BytesDependOnTheContentAlone) {
  const Folder folder;
  const std::string first = bytes_of(small_archive(folder, "a.npz"));
  ::setenv("TZ", "Pacific/Kiritimati", 1);
  ::tzset();
  const std::string elsewhere = bytes_of(small_archive(folder, "b.npz"));
  ::unsetenv("TZ");
  ::tzset();
  EXPECT_EQ(first, elsewhere);
}

TEST(Npz, OpensInNumpy) {
  if (!cavi::test::python_with_numpy()) GTEST_SKIP() << "no python3 with numpy";
  const Folder folder;
  std::vector<double> many(2 * 3 * 5 * 7);
  std::iota(many.begin(), many.end(), 0.0);
  write_npz(folder.path / "x.npz", "{\"a\": 1}",
            {{"many", {2, 3, 5, 7}, many}, {"one", {}, std::span(kSix).first(1)}, {"none", {0, 4}, {}}});
  EXPECT_EQ(cavi::test::run_python(folder.path, R"(
import json, numpy, zipfile
z = numpy.load('x.npz')
assert sorted(z.files) == ['many', 'meta.json', 'none', 'one'], z.files
assert z['many'].dtype == '<f8' and z['many'].shape == (2, 3, 5, 7)
assert (z['many'].ravel() == numpy.arange(210)).all()
assert z['one'].shape == () and z['one'] == 1.5 and z['none'].shape == (0, 4)
assert json.loads(z['meta.json']) == {'a': 1}
infos = zipfile.ZipFile('x.npz').infolist()
assert [i.filename for i in infos] == ['meta.json', 'many.npy', 'one.npy', 'none.npy']
assert all(i.compress_type == zipfile.ZIP_STORED and i.date_time == (1980, 1, 1, 0, 0, 0) for i in infos)
)"),
            0);
}

TEST(Npz, ReadsWhatNumpyWrites) {
  if (!cavi::test::python_with_numpy()) GTEST_SKIP() << "no python3 with numpy";
  const Folder folder;
  ASSERT_EQ(cavi::test::run_python(folder.path, R"(
import numpy
numpy.savez('stored.npz', x=numpy.arange(6.0).reshape(2, 3), scalar=numpy.float64(7), f=numpy.asfortranarray(numpy.ones((2, 3))))
numpy.savez_compressed('packed.npz', x=numpy.arange(6.0))
)"),
            0);
  const NpzFile stored(folder.path / "stored.npz");
  EXPECT_EQ(stored.array("x", {2, 3}), (std::vector<double>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(stored.array("scalar", {}), std::vector<double>{7});
  EXPECT_NE(message_of([&] {
              stored.array("f", {2, 3});
            }).find("stored.npz: f.npy: the array must be in C order"),
            std::string::npos);
  const NpzFile packed(folder.path / "packed.npz");
  EXPECT_NE(message_of([&] { packed.array("x", {6}); }).find("packed.npz: x.npy: is compressed"), std::string::npos);
}

TEST(Npz, NamesFileMemberAndCause) {
  const Folder folder;
  const std::string six = raw(kSix);
  const auto file = archive(folder, {{"f4.npy", npy(dict("<f4", "(12,)"), six)},
                                     {"i8.npy", npy(dict("<i8", "(6,)"), six)},
                                     {"big.npy", npy(dict(">f8", "(6,)"), six)},
                                     {"short.npy", npy(dict("<f8", "(7,)"), six)},
                                     {"huge.npy", npy(dict("<f8", "(1152921504606846975,)"), six)},
                                     {"absurd.npy", npy(dict("<f8", "(4611686018427387904, 4)"), six)},
                                     {"text.npy", "1 2 3"},
                                     {"empty.npy", ""},
                                     {"packed.npy", npy(dict("<f8", "(6,)"), six), ZIP_CM_DEFLATE},
                                     {"flat.npy", npy(dict("<f8", "(6,)"), six)},
                                     {"meta.json", std::string((1 << 20) + 1, ' ')}});
  const NpzFile npz(file);
  const auto says = [&](const char* name, const std::vector<std::int64_t>& shape) {
    return message_of([&] { npz.array(name, shape); });
  };
  const auto expect = [&](const std::string& message, const std::string& member, const std::string& cause) {
    EXPECT_EQ(message.find(file.string() + ": " + member + ": "), 0u) << message;
    EXPECT_NE(message.find(cause), std::string::npos) << message;
  };
  expect(says("f4", {12}), "f4.npy", "must be float64");
  expect(says("i8", {6}), "i8.npy", "must be float64");
  expect(says("big", {6}), "big.npy", "big-endian");
  expect(says("short", {7}), "short.npy", "expected 56 bytes of data, the file has 48");
  expect(says("huge", {kAnySize}), "huge.npy", "expected 9223372036854775800 bytes");
  expect(says("absurd", {kAnySize, kAnySize}), "absurd.npy", "the shape is too large");
  expect(says("text", {3}), "text.npy", "not a .npy file");
  expect(says("empty", {3}), "empty.npy", "not a .npy file");
  expect(says("packed", {6}), "packed.npy", "is compressed");
  expect(says("none", {6}), "none.npy", "is missing");
  expect(says("flat", {5}), "flat.npy", "the shape must be (5), not (6)");
  expect(says("flat", {2, kAnySize}), "flat.npy", "the shape must be (2, any), not (6)");
  expect(message_of([&] { npz.meta(); }), "meta.json", "at most 1048576 are read");

  const auto opening = [&](const std::filesystem::path& path) { return message_of([&] { NpzFile{path}; }); };
  EXPECT_EQ(opening(folder.path / "none.npz"), (folder.path / "none.npz").string() + ": No such file or directory");
  EXPECT_NE(opening(folder.write("empty.npz", "")).find("empty.npz: the file is empty"), std::string::npos);
  EXPECT_NE(opening(folder.write("text.npz", "hello")).find("text.npz: no .npz archive"), std::string::npos);
  EXPECT_NE(opening(folder.path).find("is a directory"), std::string::npos);
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += char(value >> (8 * (i % 8)) & 0xff);
  return out;
}

long peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;  // KiB
}

TEST(Npz, AHostileDirectoryGetsNoMemory) {
  const Folder folder;
  const long before = peak_memory();
  // The directory of a large archive claims so many entries, and to be as long as fits before it.
  for (const std::uint64_t entries : {std::uint64_t(1) << 25, std::uint64_t(1) << 40, ~std::uint64_t(0)})
    for (const std::size_t size : {0, 46, 5000}) {
      const std::string bytes = std::string(size, 'x') + "PK\6\6" + little_endian(44, 8) + little_endian(0x2d002d, 4) +
                                little_endian(0, 8) + little_endian(entries, 8) + little_endian(entries, 8) +
                                little_endian(size, 8) + little_endian(0, 8) + "PK\6\7" + little_endian(0, 4) +
                                little_endian(size, 8) + little_endian(1, 4) + "PK\5\6" + little_endian(0, 4) +
                                little_endian(~std::uint64_t(0), 12) + little_endian(0, 2);
      const std::string message = message_of([&] { NpzFile{folder.write("x.npz", bytes)}; });
      EXPECT_NE(message.find("inconsistent"), std::string::npos) << message;
    }
  EXPECT_LT(peak_memory() - before, 512 << 10);
}

/// Reads everything there is; anything but an IoError fails the test.
bool readable(const std::filesystem::path& path) {
  try {
    const NpzFile file(path);
    file.meta();
    EXPECT_EQ(file.array("six", {kAnySize, kAnySize}).size(), 6u);
    EXPECT_EQ(raw(file.array("six", {2, 3})), raw(kSix));
    EXPECT_EQ(file.array("one", {}).size(), 1u);
    return true;
  } catch (const cavi::IoError& e) {
    EXPECT_EQ(std::string(e.what()).find(path.string() + ": "), 0u) << e.what();
    return false;
  }
}

TEST(Npz, EveryTruncationIsAnIoError) {
  const Folder folder;
  const std::string good = bytes_of(small_archive(folder));
  ASSERT_TRUE(readable(folder.path / "x.npz"));
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(readable(folder.write("cut.npz", good.substr(0, size)))) << size;
}

TEST(Npz, AFlippedBitIsAnIoErrorOrChangesNoNumber) {
  const Folder folder;
  const std::string good = bytes_of(small_archive(folder));
  const long before = peak_memory();
  std::mt19937 rng(3);
  int refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = char(bytes[at] ^ 1 << rng() % 8);
    refused += !readable(folder.write("x.npz", bytes));
  }
  EXPECT_GT(refused, int(good.size()) / 2);
  EXPECT_LT(peak_memory() - before, 512 << 10);
}

}  // namespace
