// SPDX-License-Identifier: Apache-2.0
/// \file
/// NumPy's archives of arrays: a zip file with one .npy per array, and here a text called meta.json.
///
/// What is written depends on names and numbers alone: members in the order given, a fixed date, no compression.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cavi::io {

inline constexpr std::int64_t kAnySize = -1;

/// An array to be written in C order; nothing is copied.
struct NpzArray {
  std::string name;  ///< as numpy.load will call it
  std::vector<std::int64_t> shape;
  std::span<const double> values;
};

/// Replaces the file as a whole or not at all. Throws IoError.
void write_npz(const std::filesystem::path& file, const std::string& meta, const std::vector<NpzArray>& arrays);

/// An archive to be read. Everything throws IoError naming file, member and cause. Memory is bounded by the size of the
/// file, whatever its headers claim.
class NpzFile {
 public:
  explicit NpzFile(const std::filesystem::path& file);
  ~NpzFile();

  const std::string& name() const { return name_; }
  bool has(const std::string& array) const;
  /// meta.json, at most 1 MiB.
  std::string meta() const;
  /// A float64 array in C order of that very shape, where kAnySize stands for any.
  std::vector<double> array(const std::string& array, const std::vector<std::int64_t>& shape) const;

 private:
  struct Archive;
  std::string member(const std::string& member, std::size_t most) const;

  std::string name_;
  std::unique_ptr<Archive> archive_;
};

}  // namespace cavi::io
