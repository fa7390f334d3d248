// SPDX-License-Identifier: Apache-2.0
// A sound archive (whose checksums no mutation would get right) with any meta.json and any numbers: refused, or a model
// that comes back when it is saved.
#include "src/io/file.hpp"
#include "src/io/npz.hpp"
#include "src/model_file.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <cavi/error.hpp>

#include <array>
#include <cstring>
#include <filesystem>
#include <vector>

namespace {

using cavi::io::NpzArray;
using Shape = std::vector<std::int64_t>;

std::string bytes_of(const std::filesystem::path& name) {
  const cavi::io::InputFile file(name);
  std::string bytes(std::size_t(file.size()), '\0');
  file.read(0, bytes.size(), bytes.data());
  return bytes;
}

/// A folder in memory, which goes with the process.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = std::filesystem::is_directory("/dev/shm")
                           ? "/dev/shm/cavi-XXXXXX"
                           : std::filesystem::temp_directory_path() / "cavi-XXXXXX";
    if (!::mkdtemp(name.data())) std::abort();
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

/// Arrays of the shapes that K, D and the covariance type want, filled with the given numbers again and again;
/// covariances are multiples of the identity.
class Arrays {
 public:
  Arrays(const std::array<double, 8>& numbers, std::int64_t k, std::int64_t d, int type) : numbers_(numbers) {
    const std::array<Shape, 4> covariance{Shape{k, d, d}, Shape{d, d}, Shape{k, d}, Shape{k}};
    const Shape nu = type == 1 ? Shape{} : Shape{k};
    values_.reserve(12);
    add("weights", {k}), add("means", {k, d}), add("counts", {k}), add("mean_precision", {k});
    add("degrees_of_freedom", nu), add("weight_concentration", numbers[0] < 1 ? Shape{k, 2} : Shape{k});
    add("covariances", covariance[std::size_t(type)]), add("inverse_scale", covariance[std::size_t(type)]);
    if (type < 2)
      for (std::size_t a : {values_.size() - 2, values_.size() - 1})
        for (std::size_t i = 0; i < values_[a].size(); ++i)
          values_[a][i] = i % std::size_t(d * d) % std::size_t(d + 1) == 0 ? numbers[1] : 0;
    add("elbo_trace", {std::int64_t(numbers[2]) % 4 + 1}), add("state", {3});
  }
  const std::vector<NpzArray>& list() const { return list_; }

 private:
  void add(const char* name, Shape shape) {
    std::int64_t size = 1;
    for (const std::int64_t s : shape) size *= s;
    std::vector<double>& values = values_.emplace_back();
    for (std::int64_t i = 0; i < size; ++i) values.push_back(numbers_[std::size_t(i) % numbers_.size()]);
    list_.push_back({name, std::move(shape), values});
  }

  std::array<double, 8> numbers_;
  std::vector<std::vector<double>> values_;
  std::vector<NpzArray> list_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  std::array<double, 8> numbers{};
  if (size < 3 + sizeof(numbers)) return 0;
  std::memcpy(numbers.data(), data + 3, sizeof(numbers));
  if (!(numbers[2] >= 0 && numbers[2] < 1e6)) numbers[2] = 0;
  const Arrays arrays(numbers, data[0] % 4 + 1, data[1] % 4 + 1, data[2] % 4);
  const std::string meta(reinterpret_cast<const char*>(data) + 3 + sizeof(numbers), size - 3 - sizeof(numbers));
  const auto made = folder.path / "made.npz", saved = folder.path / "saved.npz", again = folder.path / "again.npz";
  cavi::io::write_npz(made, meta, arrays.list());
  try {
    const cavi::ModelFile model = cavi::read_model(made);
    cavi::write_model(saved, model);
  } catch (const cavi::IoError&) {
    return 0;
  }
  cavi::write_model(again, cavi::read_model(saved));
  cavi::fuzz::require(bytes_of(saved) == bytes_of(again), "save, load, save gives the same bytes");
  return 0;
}
