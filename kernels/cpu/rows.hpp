// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rows in blocks, and the slabs over which sums are taken.
///
/// A sum over rows is taken block by block within a slab, and over slabs by a fixed pairwise tree. Slabs are cut from
/// the number of rows alone, so a result has the same bits on any number of threads and in any batch.
#pragma once

#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/ops.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

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

/// 4096 rows or more each, at most 64 slabs, and fewer when `bytes` of sums per slab would take much memory.
Slabs cut_slabs(std::int64_t rows, std::int64_t grain, std::size_t bytes);

/// parts[0 .. size) += parts of all other slabs, `stride` numbers apart, by a pairwise tree.
void tree_sum(double* parts, int slabs, std::int64_t size, std::int64_t stride, ThreadPool& pool);

/// A worker's memory for one block of rows at a time, as the tiles want it.
template <class T>
class RowBlock {
 public:
  /// Points of a block of rows that have K responsibilities each: what a second-level cache holds, and no more than
  /// lets float32 rows of some 16 features, once as they are and once weighted, mostly stay in a first-level one of 48
  /// KiB.
  static int points(int components, int features);

  /// Takes the worker's scratch (user 1).
  RowBlock(ThreadPool& pool, int worker, const Rows& rows, int components);
  /// Has memory of its own.
  RowBlock(const Rows& rows, int components);

  /// Reads rows [first, first + count), count <= points(); `weight` is that of row 0, or nullptr for ones. The block
  /// ends with the tile that holds the last row. What follows in a file is fetched meanwhile. Throws IoError when the
  /// source does.
  const TileBlock<T>& load(std::int64_t first, std::int64_t count, const double* weight);

 private:
  void lay_out(Arena& arena, int components);
  void prefetch(std::int64_t first, std::int64_t count);

  struct FreeAligned {
    void operator()(std::byte* p) const { ::operator delete(p, kAlignment); }
  };
  static constexpr std::align_val_t kAlignment{64};

  const Rows* rows_;
  int capacity_;
  std::int64_t fetched_ = -1;  ///< row up to which the file has been asked for
  std::unique_ptr<std::byte, FreeAligned> owned_;
  double* raw_;
  T* converted_;
  TileBlock<T> block_;
};

}  // namespace cavi::kernels::cpu
