// SPDX-License-Identifier: Apache-2.0
#include "src/io/spool.hpp"

#include "src/io/array_file.hpp"
#include "src/io/file.hpp"
#include "src/memory_source.hpp"

#include <cavi/error.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace cavi::io {
namespace {

constexpr std::size_t kBlock = 1 << 17;  // numbers

int open_temporary() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  int descriptor = open_nameless(folder);
  if (descriptor >= 0) return descriptor;
  std::string name = folder / "cavi-XXXXXX";
  descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category());
  ::unlink(name.c_str());
  return descriptor;
}

}  // namespace

RowSpool::~RowSpool() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void RowSpool::append(std::span<const double> row) {
  if (blocks_.empty() || blocks_.back().size() + row.size() > blocks_.back().capacity()) {
    if (descriptor_ >= 0 || held_ >= memory_) spill();
    blocks_.emplace_back().reserve(std::max(kBlock, row.size()));
    held_ += std::int64_t(blocks_.back().capacity() * sizeof(double));
  }
  blocks_.back().insert(blocks_.back().end(), row.begin(), row.end());
  ++rows_;
}

void RowSpool::spill() try {
  if (descriptor_ < 0) descriptor_ = open_temporary();
  for (const auto& block : blocks_) write_all(descriptor_, block.data(), block.size() * sizeof(double));
  blocks_.clear();
  held_ = 0;
} catch (const std::system_error& e) {
  throw IoError(
      fmt::format("{}: the numbers do not fit into the memory allowed, nor into the folder for temporary "
                  "files (TMPDIR): {}",
                  name_, e.code().message()));
}

Matrix RowSpool::finish(int cols, std::vector<std::string> column_names) {
  if (descriptor_ >= 0) {
    spill();
    auto file = std::make_unique<InputFile>(name_, std::exchange(descriptor_, -1));
    return Matrix(std::make_shared<ArrayFile>(std::move(file), NpyHeader{StoredType::f8, false, rows_, cols, 0},
                                              std::move(column_names)));
  }
  std::vector<double> values;
  if (blocks_.size() == 1) {
    values = std::move(blocks_[0]);
    values.shrink_to_fit();
  } else {
    values.reserve(std::size_t(rows_) * std::size_t(cols));
    for (auto& block : blocks_) {
      values.insert(values.end(), block.begin(), block.end());
      std::vector<double>().swap(block);
    }
  }
  return Matrix(std::make_shared<MemorySource<double>>(std::move(values), rows_, cols, name_, std::move(column_names)));
}

}  // namespace cavi::io
