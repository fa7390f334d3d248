// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/rows.hpp"

#include <algorithm>
#include <functional>

namespace cavi::kernels::cpu {

std::int64_t Slabs::begin(std::int64_t slab) const {
  const std::int64_t grains = (rows + grain - 1) / grain;
  return std::min(rows, (grains * slab / count) * grain);
}

Slabs cut_slabs(std::int64_t rows, std::int64_t grain, std::size_t bytes) {
  constexpr std::int64_t kRows = 4096, kMost = 64;
  constexpr std::int64_t kBytes = 64 << 20, kLeast = 8;  // kLeast: threads that a problem with large sums keeps busy
  const std::int64_t affordable = std::max(kLeast, kBytes / std::max<std::int64_t>(1, std::int64_t(bytes)));
  return {rows, grain, int(std::clamp<std::int64_t>(rows / kRows, 1, std::min(kMost, affordable)))};
}

void tree_sum(double* parts, int slabs, std::int64_t size, std::int64_t stride, ThreadPool& pool) {
  constexpr std::int64_t kChunk = 4096;
  if (slabs == 1) return;
  const auto add = [&](std::int64_t chunk, int) {
    const std::int64_t begin = chunk * kChunk, end = std::min(size, begin + kChunk);
    for (int step = 1; step < slabs; step *= 2)
      for (int s = 0; s + step < slabs; s += 2 * step) {
        double* to = parts + s * stride;
        const double* from = to + step * stride;
        for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
      }
  };
  pool.run((size + kChunk - 1) / kChunk, std::cref(add));
}

template <class T>
int RowBlock<T>::points(int components, int features) {
  constexpr std::int64_t kCache = 512 << 10, kLeast = 192, kMost = 384;
  const int tile = tiles<T>().tile;
  const std::int64_t fit = kCache / (std::int64_t(sizeof(T)) * (components + 2 * std::int64_t(features)));
  return int(std::clamp(fit, kLeast, kMost)) / tile * tile;
}

template <class T>
RowBlock<T>::RowBlock(ThreadPool& pool, int worker, const Rows& rows, int components)
    : rows_(&rows), capacity_(points(components, rows.source->cols())) {
  Arena measure;
  lay_out(measure, components);
  Arena arena(pool.scratch(worker, measure.used(), 1));
  lay_out(arena, components);
}

template <class T>
RowBlock<T>::RowBlock(const Rows& rows, int components)
    : rows_(&rows), capacity_(points(components, rows.source->cols())) {
  Arena measure;
  lay_out(measure, components);
  owned_.reset(static_cast<std::byte*>(::operator new(measure.used(), kAlignment)));
  Arena arena(owned_.get());
  lay_out(arena, components);
}

// A stretch of rows is asked for while the one before it is worked on.
template <class T>
void RowBlock<T>::prefetch(std::int64_t first, std::int64_t count) {
  constexpr std::int64_t kStretch = 4 << 20;  // bytes
  const MatrixSource& source = *rows_->source;
  const std::int64_t row = std::int64_t(source.cols()) * size_of(source.scalar());
  const std::int64_t stretch = std::max<std::int64_t>(count, kStretch / row);
  if (fetched_ < first) fetched_ = first;
  if (first + count + stretch / 2 <= fetched_) return;
  const std::int64_t end = std::min(rows_->count, fetched_ + stretch);
  if (end > fetched_) source.prefetch(rows_->first + fetched_, end - fetched_);
  fetched_ = end;
}

template <class T>
void RowBlock<T>::lay_out(Arena& arena, int components) {
  const int features = rows_->source->cols();
  constexpr std::int64_t kLine = 64 / sizeof(T);
  block_.stride = (capacity_ / kLine + 1) / 2 * 2 * kLine + kLine;  // odd in cache lines: rows fall into different sets
  block_.points = capacity_;
  raw_ = arena.take<double>(rows_->source->data() ? 0 : std::int64_t(capacity_) * features);
  converted_ = arena.take<T>(4 * std::int64_t(tiles<T>().tile) * features);
  block_.x = arena.take<T>(features * block_.stride);
  block_.weight = arena.take<T>(block_.stride);
  block_.r = arena.take<T>(components * block_.stride);
  block_.scratch = arena.take<T>(tiles<T>().scratch(components, features, capacity_));
}

template <class T>
const TileBlock<T>& RowBlock<T>::load(std::int64_t first, std::int64_t count, const double* weight) {
  const MatrixSource& source = *rows_->source;
  const int features = source.cols();
  const int n = int(count), tile = tiles<T>().tile;
  block_.points = (n + tile - 1) / tile * tile;

  std::int64_t row_stride = features;
  const void* from = raw_;
  if (source.data()) {
    row_stride = source.row_stride();
    from = static_cast<const char*>(source.data()) + (rows_->first + first) * row_stride * size_of(source.scalar());
  } else {
    prefetch(first, count);
    source.read(rows_->first + first, count, raw_);
  }
  const std::int64_t ahead = source.data() ? std::min<std::int64_t>(n, rows_->count - first - n) : 0;
  block_.next = static_cast<const char*>(from) + n * row_stride * size_of(source.scalar());
  block_.next_bytes = ahead * row_stride * size_of(source.scalar());
  if (source.scalar() == Scalar::float32)
    tiles<T>().load_float32(static_cast<const float*>(from), row_stride, rows_->origin, n, features, converted_,
                            block_.x, block_.stride);
  else
    tiles<T>().load_float64(static_cast<const double*>(from), row_stride, rows_->origin, n, features, converted_,
                            block_.x, block_.stride);
  for (int f = 0; f < features; ++f) std::fill_n(block_.x + f * block_.stride + n, block_.points - n, T(0));
  for (int i = 0; i < n; ++i) block_.weight[i] = weight ? T(weight[first + i]) : T(1);
  std::fill_n(block_.weight + n, block_.points - n, T(0));
  return block_;
}

template class RowBlock<float>;
template class RowBlock<double>;

}  // namespace cavi::kernels::cpu
