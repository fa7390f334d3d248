// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows in blocks, and the slabs over which sums are taken.
///
/// A sum over rows is taken block by block within a slab, and over slabs by a fixed pairwise tree. Slabs are cut from
/// the number of rows alone, so a result has the same bits on any number of threads and in any batch.
#pragma once

#include "kernels/cpu/thread_pool.hpp"
#include "kernels/ops.hpp"

#include <cstddef>
#include <cstdint>

namespace cavi::kernels::cpu {

/// Carves aligned arrays out of one piece of memory. A first pass over nullptr measures how much is needed.
class Arena {
 public:
  explicit Arena(void* memory = nullptr) : base_(static_cast<std::byte*>(memory)) {}
  template <class T>
  T* take(std::int64_t n) {
    const std::size_t at = used_;
    used_ += (std::size_t(n) * sizeof(T) + 63) / 64 * 64;
    return base_ ? reinterpret_cast<T*>(base_ + at) : nullptr;
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

/// [0, rows) cut into `count` ranges whose ends are multiples of `grain`.
struct Slabs {
  std::int64_t rows = 0, grain = 1;
  int count = 1;
  std::int64_t begin(std::int64_t slab) const;
  std::int64_t end(std::int64_t slab) const { return begin(slab + 1); }
};

/// About `rows_per_slab` rows each, at most 64 slabs, and fewer when `bytes` of sums per slab would take much memory.
Slabs cut_slabs(std::int64_t rows, std::int64_t grain, std::size_t bytes, std::int64_t rows_per_slab = 4096);

/// parts[0 .. size) += parts of all other slabs, `stride` numbers apart, by a pairwise tree.
void tree_sum(double* parts, int slabs, std::int64_t size, std::int64_t stride, ThreadPool& pool);

/// Numbers of scratch that load_features() needs: none when the source is in memory.
inline std::int64_t raw_size(const Rows& rows, std::int64_t count) {
  return rows.source->data() ? 0 : count * rows.source->cols();
}

/// out[d * stride + i] = T(double(row first + i) - origin), features apart by `stride`, for i in [0, count). `raw`
/// holds raw_size() numbers of float64. Throws IoError when the source does.
template <class T>
void load_features(const Rows& rows, std::int64_t first, std::int64_t count, double* raw, T* out, std::int64_t stride);

}  // namespace cavi::kernels::cpu
