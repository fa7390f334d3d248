// SPDX-License-Identifier: Apache-2.0
#include "src/io/npz.hpp"

#include "src/io/file.hpp"
#include "src/io/npy.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>
#include <zip.h>

#include <array>
#include <cstring>
#include <string_view>

namespace cavi::io {
namespace {

constexpr const char* kMeta = "meta.json";
constexpr std::size_t kLongestMeta = 1 << 20;
constexpr zip_uint16_t kDate = 1 << 5 | 1;  // 1980-01-01, where a zip file's time begins

struct ZipError : zip_error_t {
  ZipError() { zip_error_init(this); }
  ~ZipError() { zip_error_fini(this); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
};

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};
template <class T>
using Owned = std::unique_ptr<T, Discard>;

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape)
    text += (text.empty() ? "" : ", ") + (size == kAnySize ? "any" : std::to_string(size));
  return "(" + text + ")";
}

}  // namespace

void write_npz(const std::filesystem::path& file, const std::string& meta, const std::vector<NpzArray>& arrays) {
  ZipError error;
  const auto fail = [&](zip_error_t* why) {
    throw IoError(fmt::format("{}: cannot be written: {}", file.string(), zip_error_strerror(why)));
  };
  const Owned<zip_source_t> bytes(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (!bytes) fail(&error);
  zip_source_keep(bytes.get());  // once for the archive
  Owned<zip_t> archive(zip_open_from_source(bytes.get(), ZIP_TRUNCATE, &error));
  if (!archive) {
    zip_source_free(bytes.get());
    fail(&error);
  }
  const auto add = [&](const std::string& member, std::array<zip_buffer_fragment_t, 2> parts) {
    Owned<zip_source_t> source(zip_source_buffer_fragment_create(parts.data(), parts.size(), 0, &error));
    if (!source) fail(&error);
    const zip_int64_t index = zip_file_add(archive.get(), member.c_str(), source.get(), 0);
    if (index < 0) fail(zip_get_error(archive.get()));
    (void)source.release();
    if (zip_set_file_compression(archive.get(), zip_uint64_t(index), ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive.get(), zip_uint64_t(index), 0, kDate, 0) != 0)
      fail(zip_get_error(archive.get()));
  };
  const auto part = [](const void* data, std::size_t size) {
    return zip_buffer_fragment_t{static_cast<zip_uint8_t*>(const_cast<void*>(data)), size};
  };
  add(kMeta, {part(meta.data(), meta.size()), part(nullptr, 0)});
  std::vector<std::string> starts;
  starts.reserve(arrays.size());  // libzip reads them when the archive is closed
  for (const NpzArray& a : arrays) {
    const std::string& start = starts.emplace_back(npy_start("<f8", a.shape));
    add(a.name + ".npy", {part(start.data(), start.size()), part(a.values.data(), a.values.size_bytes())});
  }
  if (zip_close(archive.get()) != 0) fail(zip_get_error(archive.get()));
  (void)archive.release();

  OutputFile out(file);
  if (zip_source_open(bytes.get()) != 0) fail(zip_source_error(bytes.get()));
  std::vector<char> block(1 << 20);
  zip_int64_t n = 0;
  while ((n = zip_source_read(bytes.get(), block.data(), block.size())) > 0) out.write(block.data(), std::size_t(n));
  if (n < 0) fail(zip_source_error(bytes.get()));
  zip_source_close(bytes.get());
  out.commit();
}

struct NpzFile::Archive {
  std::string bytes;
  Owned<zip_t> zip;
};

NpzFile::NpzFile(const std::filesystem::path& file) : archive_(std::make_unique<Archive>()) {
  const InputFile input(file);
  name_ = input.name();
  if (input.size() == 0) throw IoError(name_ + ": the file is empty");
  archive_->bytes.resize(std::size_t(input.size()));
  input.read(0, archive_->bytes.size(), archive_->bytes.data());

  ZipError error;
  Owned<zip_source_t> source(zip_source_buffer_create(archive_->bytes.data(), archive_->bytes.size(), 0, &error));
  if (source) archive_->zip.reset(zip_open_from_source(source.get(), ZIP_RDONLY | ZIP_CHECKCONS, &error));
  if (!archive_->zip)
    throw IoError(fmt::format("{}: no .npz archive, or a damaged one: {}", name_, zip_error_strerror(&error)));
  (void)source.release();
}

NpzFile::~NpzFile() = default;

bool NpzFile::has(const std::string& array) const {
  return zip_name_locate(archive_->zip.get(), (array + ".npy").c_str(), ZIP_FL_ENC_RAW) >= 0;
}

std::string NpzFile::member(const std::string& member, std::size_t most) const {
  const auto fail = [&](const std::string& cause) { throw IoError(fmt::format("{}: {}: {}", name_, member, cause)); };
  zip_t* zip = archive_->zip.get();
  const zip_int64_t index = zip_name_locate(zip, member.c_str(), ZIP_FL_ENC_RAW);
  if (index < 0) fail("is missing");
  zip_stat_t status{};
  if (zip_stat_index(zip, zip_uint64_t(index), 0, &status) != 0) fail(zip_strerror(zip));
  if (status.comp_method != ZIP_CM_STORE || status.encryption_method != ZIP_EM_NONE)
    fail("is compressed or encrypted; such archives are not read");
  if (status.size > archive_->bytes.size())
    fail(fmt::format("claims {} bytes, the file has {}", status.size, archive_->bytes.size()));
  if (status.size > most) fail(fmt::format("has {} bytes, at most {} are read", status.size, most));
  const Owned<zip_file_t> opened(zip_fopen_index(zip, zip_uint64_t(index), 0));
  if (!opened) fail(zip_strerror(zip));
  std::string out(status.size, '\0');
  char beyond = 0;  // the checksum is compared when the end is reached
  if (zip_fread(opened.get(), out.data(), out.size()) != zip_int64_t(out.size()) ||
      zip_fread(opened.get(), &beyond, 1) != 0)
    fail(fmt::format("is damaged: {}", zip_file_strerror(opened.get())));
  return out;
}

std::string NpzFile::meta() const { return member(kMeta, kLongestMeta); }

std::vector<double> NpzFile::array(const std::string& array, const std::vector<std::int64_t>& shape) const {
  const std::string bytes = member(array + ".npy", archive_->bytes.size());
  const std::string where = fmt::format("{}: {}.npy", name_, array);
  const NpyLayout layout =
      parse_npy(where, std::string_view(bytes).substr(0, kLongestNpyStart), std::int64_t(bytes.size()));
  if (layout.stored != StoredType::f8) throw IoError(where + ": the numbers must be float64, '<f8'");
  if (layout.fortran_order && shape.size() > 1) throw IoError(where + ": the array must be in C order");
  bool fits = layout.shape.size() == shape.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] == kAnySize || shape[i] == layout.shape[i];
  if (!fits)
    throw IoError(fmt::format("{}: the shape must be {}, not {}", where, text_of(shape), text_of(layout.shape)));
  require_bytes(where, layout, std::int64_t(bytes.size()));
  std::vector<double> values(std::size_t(layout.bytes) / sizeof(double));
  std::memcpy(values.data(), bytes.data() + layout.data, std::size_t(layout.bytes));
  return values;
}

}  // namespace cavi::io
