// SPDX-License-Identifier: Apache-2.0
#include "src/io/hdf5.hpp"

#include "src/io/file.hpp"
#include "src/io/npy.hpp"
#include "src/memory_source.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>

#ifdef CAVI_HAVE_HDF5
#include <hdf5.h>
#endif

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace cavi::io {

std::optional<Hdf5Place> split_hdf5(const std::filesystem::path& name) {
  const std::string text = name.string();
  const std::size_t colon = text.rfind(':');
  const std::string file = text.substr(0, colon), end = extension(file);
  if (end != ".h5" && end != ".hdf5") return {};
  return Hdf5Place{file, colon == std::string::npos ? "" : text.substr(colon + 1)};
}

#ifndef CAVI_HAVE_HDF5

Matrix open_hdf5(const Hdf5Place& place) {
  throw IoError(place.file + ": this cavi was built without libhdf5; install libhdf5-dev and build it again");
}

#else

namespace {

/// The library is not for several threads at once.
std::mutex library;

/// An object of the library, and the function that closes it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  hid_t operator*() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Keeps the library from printing its errors.
class Silence {
 public:
  Silence() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Silence() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

/// The innermost of the library's complaints.
std::string complaint() {
  std::string text;
  const auto take = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->desc) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, take, &text);
  return text.empty() ? "unknown error" : text;
}

/// What the numbers of a dataset are read as, and what these become.
enum class Kind { float32, float64, small_integer, integer, unsigned_integer };

class Hdf5Source final : public MatrixSource {
 public:
  explicit Hdf5Source(const Hdf5Place& place);
  ~Hdf5Source() override {
    const std::lock_guard lock(library);
    dataset_.reset();
    file_.reset();
  }
  Hdf5Source(const Hdf5Source&) = delete;
  Hdf5Source& operator=(const Hdf5Source&) = delete;

  std::int64_t rows() const override { return rows_; }
  int cols() const override { return cols_; }
  Scalar scalar() const override {
    return kind_ == Kind::float32 || kind_ == Kind::small_integer ? Scalar::float32 : Scalar::float64;
  }
  std::string name() const override { return name_; }
  void read(std::int64_t first, std::int64_t count, void* out) const override;

 private:
  [[noreturn]] void fail(const std::string& cause) const { throw IoError(name_ + ": " + cause); }
  void find_type();
  void find_shape();
  void read_numbers(std::int64_t first, std::int64_t count, hid_t type, void* out) const;
  template <class T>
  void read_integers(std::int64_t first, std::int64_t count, hid_t type, double* out) const;

  std::string name_;
  InputFile bytes_;  ///< of the file: it says what is wrong with a file as such
  std::unique_ptr<Handle> file_, dataset_;
  Kind kind_ = Kind::float64;
  int dimensions_ = 1;
  std::int64_t rows_ = 0;
  int cols_ = 1;
};

Hdf5Source::Hdf5Source(const Hdf5Place& place) : name_(place.file + ":" + place.dataset), bytes_(place.file) {
  if (place.dataset.empty()) throw IoError(place.file + ": which dataset? Write " + place.file + ":DATASET");
  const std::lock_guard lock(library);
  const Silence silence;
  file_ = std::make_unique<Handle>(H5Fopen(place.file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!*file_) fail("no HDF5 file, or a damaged one: " + complaint());
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  constexpr std::size_t kCache = 32 << 20, kSlots = 12421;  // bytes and, for threads far apart, a prime of slots
  H5Pset_chunk_cache(*access, kSlots, kCache, 1);
  dataset_ = std::make_unique<Handle>(H5Dopen2(**file_, place.dataset.c_str(), *access), H5Dclose);
  if (!*dataset_) fail("there is no such dataset");
  find_type();
  find_shape();
}

void Hdf5Source::find_type() {
  const Handle type(H5Dget_type(**dataset_), H5Tclose);
  const std::size_t size = H5Tget_size(*type);
  switch (H5Tget_class(*type)) {
    case H5T_FLOAT:
      if (size != 4 && size != 8) break;
      kind_ = size == 4 ? Kind::float32 : Kind::float64;
      return;
    case H5T_INTEGER:
      if (size > 8) break;
      kind_ = size <= 2                            ? Kind::small_integer
              : H5Tget_sign(*type) == H5T_SGN_NONE ? Kind::unsigned_integer
                                                   : Kind::integer;
      return;
    default: break;
  }
  fail("the numbers must be floats of 4 or 8 bytes, or integers");
}

void Hdf5Source::find_shape() {
  const Handle space(H5Dget_space(**dataset_), H5Sclose);
  dimensions_ = H5Sget_simple_extent_ndims(*space);
  if (dimensions_ != 1 && dimensions_ != 2)
    fail(fmt::format("the dataset has {} dimensions, expected one or two", std::max(0, dimensions_)));
  std::array<hsize_t, 2> shape{0, 1};
  H5Sget_simple_extent_dims(*space, shape.data(), nullptr);
  if (shape[0] == 0) fail("the dataset has zero rows");
  if (shape[1] == 0) fail("the dataset has zero columns");
  constexpr hsize_t kMost = std::numeric_limits<std::int64_t>::max() / 8;
  if (shape[1] > hsize_t(std::numeric_limits<int>::max()) || shape[0] > kMost / shape[1])
    fail("the shape is too large");
  rows_ = std::int64_t(shape[0]);
  cols_ = int(shape[1]);
}

void Hdf5Source::read(std::int64_t first, std::int64_t count, void* out) const {
  require_rows(*this, first, count);
  if (count == 0) return;
  switch (kind_) {
    case Kind::float32:
    case Kind::small_integer: return read_numbers(first, count, H5T_NATIVE_FLOAT, out);
    case Kind::float64: return read_numbers(first, count, H5T_NATIVE_DOUBLE, out);
    case Kind::integer: return read_integers<std::int64_t>(first, count, H5T_NATIVE_INT64, static_cast<double*>(out));
    case Kind::unsigned_integer:
      return read_integers<std::uint64_t>(first, count, H5T_NATIVE_UINT64, static_cast<double*>(out));
  }
}

void Hdf5Source::read_numbers(std::int64_t first, std::int64_t count, hid_t type, void* out) const {
  const std::lock_guard lock(library);
  const Silence silence;
  const std::array<hsize_t, 2> begin{hsize_t(first), 0}, size{hsize_t(count), hsize_t(cols_)};
  const Handle from(H5Dget_space(**dataset_), H5Sclose),
      to(H5Screate_simple(dimensions_, size.data(), nullptr), H5Sclose);
  if (H5Sselect_hyperslab(*from, H5S_SELECT_SET, begin.data(), nullptr, size.data(), nullptr) < 0 ||
      H5Dread(**dataset_, type, *to, *from, H5P_DEFAULT, out) < 0)
    fail(fmt::format("rows {} to {} cannot be read: {}", first, first + count - 1, complaint()));
  bytes_.require_size();  // beyond the end of a file the library reads zeros
}

template <class T>
void Hdf5Source::read_integers(std::int64_t first, std::int64_t count, hid_t type, double* out) const {
  std::vector<T> values(std::size_t(count) * std::size_t(cols_));
  read_numbers(first, count, type, values.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::cmp_greater(values[i], kMostExact) || std::cmp_less(values[i], -kMostExact))
      fail(fmt::format("row {}, column {} (from 0): {} is beyond 2^53, where float64 is no longer exact",
                       first + std::int64_t(i) / cols_, i % std::size_t(cols_), values[i]));
    out[i] = double(values[i]);
  }
}

}  // namespace

Matrix open_hdf5(const Hdf5Place& place) { return Matrix(std::make_shared<Hdf5Source>(place)); }

#endif

}  // namespace cavi::io
