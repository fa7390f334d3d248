// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/row_store.hpp"

#include "kernels/cuda/rows.hpp"
#include "kernels/device_source.hpp"
#include "kernels/out_of_memory.hpp"
#include "kernels/sources.hpp"

#include <algorithm>
#include <string>

namespace cavi::kernels::cuda {
namespace {

constexpr std::int64_t kPipe = std::int64_t(32) << 20;  // bytes of each buffer, at the most

/// Rows that need not be copied to the current device.
const DeviceSource* on_this_device(const MatrixSource* source) {
  const auto* rows = dynamic_cast<const DeviceSource*>(source);
  int device = -1;
  check(cudaGetDevice(&device), "asking for the current device");
  return rows && rows->memory().ordinal == device ? rows : nullptr;
}

std::int64_t tiles_of(std::int64_t rows) { return (rows + kTile - 1) / kTile; }

}  // namespace

RowPipe::RowPipe(std::size_t bytes, const Stream& compute) : compute_(compute), bytes_(bytes) {
  for (Slot& s : slots_) {
    s.host = PinnedMemory(bytes);
    s.device = DeviceMemory(bytes);
  }
}

// The compute stream waits for every copy.
RowPipe::~RowPipe() { static_cast<void>(cudaStreamSynchronize(compute_)); }

void RowPipe::send(const Rows& rows, std::int64_t first, std::int64_t count, Scalar to, void* x) {
  const std::int64_t features = rows.source->cols();
  const std::size_t row_bytes = std::size_t(features) * std::size_t(size_of(rows.source->scalar()));
  const std::size_t origin_bytes = rows.origin ? std::size_t(features) * sizeof(double) : 0;
  const std::int64_t at_once = std::int64_t((bytes_ - origin_bytes) / row_bytes) / kTile * kTile;
  if (at_once == 0)
    throw DeviceError("rows of " + std::to_string(features) + " features are too long for the pipe to the device");
  const DeviceSource* there = on_this_device(rows.source);
  if (there) {
    const Event ready;
    check(cudaEventRecord(ready, static_cast<cudaStream_t>(there->memory().stream)), "recording the caller's stream");
    check(cudaStreamWaitEvent(compute_, ready), "ordering work after the caller's");
  }
  for (std::int64_t done = 0; done < count; done += at_once) {
    Slot& s = slots_[turn_++ % 2];
    if (s.in_use) check(cudaEventSynchronize(s.copied), "waiting for a copy to the device");
    const std::int64_t n = std::min(at_once, count - done);
    const std::size_t bytes = there ? 0 : std::size_t(n) * row_bytes;
    if (!there) rows.source->read(rows.first + first + done, n, s.host.as<std::byte>() + origin_bytes);
    if (rows.origin) std::copy_n(rows.origin, features, s.host.as<double>());
    if (s.in_use) check(cudaStreamWaitEvent(copies_, s.used), "ordering copies");
    check(
        cudaMemcpyAsync(s.device.data(), s.host.as<std::byte>(), origin_bytes + bytes, cudaMemcpyHostToDevice, copies_),
        "copying rows to the device");
    check(cudaEventRecord(s.copied, copies_), "recording a copy");
    check(cudaStreamWaitEvent(compute_, s.copied), "ordering work after a copy");
    RowsIn in;
    in.raw = there ? there->row(rows.first + first + done) : s.device.data() + origin_bytes;
    in.stride = there ? there->memory().stride : features;
    in.from = rows.source->scalar();
    in.origin = rows.origin ? s.device.as<double>() : nullptr;
    in.x = x;
    in.to = to;
    in.first = done;
    in.count = n;
    in.features = int(features);
    check(enqueue_tiles(in, compute_), "launching the change of layout");
    check(cudaEventRecord(s.used, compute_), "recording the use of a copy");
    s.in_use = true;
  }
}

RowStore::RowStore(const Program& program, const std::vector<FusedSource>& sources, std::int64_t budget,
                   const Stream& stream)
    : program_(program), stream_(stream), rows_(std::size_t(program.problems) * program.sources.size()) {
  struct Place {
    FusedSource source;
    Rows rows;
    std::size_t entry;
    std::int64_t offset, bytes;
  };
  std::vector<Place> places;
  std::int64_t total = 0;
  std::size_t longest_row = 0;
  for (const FusedSource& f : sources) {
    const SourceSpec& s = program.sources[std::size_t(f.source)];
    longest_row = std::max(longest_row, std::size_t(s.matrix.cols()) * (sizeof(double) * kTile + sizeof(double)));
    for (std::int64_t b = 0; b < program.problems; ++b) {
      const Rows rows = rows_of(program, s, b);
      const std::int64_t bytes = tiles_of(rows.count) * kTile * s.matrix.cols() * size_of(f.precision);
      places.push_back({f, rows, std::size_t(b) * program.sources.size() + std::size_t(f.source), total, bytes});
      rows_[places.back().entry].count = rows.count;
      max_rows_ = std::max(max_rows_, rows.count);
      total += bytes;
    }
  }
  if (places.empty()) return;
  const std::size_t pipe = std::max(longest_row, std::size_t(std::min(kPipe, total / 16)));
  pipe_.emplace(pipe, stream);
  if (total + 2 * std::int64_t(pipe) <= budget) {
    tiles_ = DeviceMemory(std::size_t(total));
    for (const Place& p : places) {
      void* x = tiles_.data() + p.offset;
      if (p.rows.count > 0) pipe_->send(p.rows, 0, p.rows.count, p.source.precision, x);
      rows_[p.entry].x = x;
    }
    stream.wait();
    pipe_.reset();
    return;
  }
  const std::int64_t tile_bytes = std::int64_t(kTile) * program.sources[std::size_t(sources[0].source)].matrix.cols() *
                                  size_of(sources[0].precision);
  const std::int64_t chunk = tile_bytes > 0 ? (budget - 2 * std::int64_t(pipe)) / tile_bytes * kTile : 0;
  const std::string need = std::to_string(total) + " bytes of device memory and " +
                           std::to_string(std::max<std::int64_t>(0, budget)) + " are left; ";
  if (places.size() > 1)
    throw OutOfDeviceMemory("the rows of " + std::to_string(program.problems) + " problems need " + need +
                            "fit fewer at once, or give the device a larger memory budget");
  if (chunk <= 0) throw DeviceError("the rows of one problem need " + need + "give the device a larger memory budget");
  streamed_source_ = sources[0];
  chunk_rows_ = chunk;
  tiles_ = DeviceMemory(std::size_t(chunk / kTile * tile_bytes));
}

void RowStore::for_each_chunk(DeviceRows* table, std::int64_t slabs,
                              const std::function<std::int64_t(std::int64_t)>& slab_begin,
                              const std::function<void(std::int64_t, std::int64_t)>& visit) {
  const SourceSpec& s = program_.sources[std::size_t(streamed_source_.source)];
  const Rows rows = rows_of(program_, s, 0);
  const auto begin = [&](std::int64_t slab) { return slab == slabs ? rows.count : slab_begin(slab); };
  for (std::int64_t first = 0; first < slabs;) {
    std::int64_t end = first + 1;
    while (end < slabs && begin(end + 1) - begin(first) <= chunk_rows_) ++end;
    const std::int64_t row = begin(first), count = begin(end) - row;
    if (count > chunk_rows_)
      throw DeviceError("a slab of " + std::to_string(count) + " rows does not fit into the device's memory budget; " +
                        "make it " + std::to_string(count / chunk_rows_ + 1) + " times as large");
    // A chunk that follows waits in the stream until the work on this one has read it.
    if (count > 0) pipe_->send(rows, row, count, streamed_source_.precision, tiles_.data());
    const std::int64_t before = row / kTile * kTile * s.matrix.cols() * size_of(streamed_source_.precision);
    check(enqueue_point(table + streamed_source_.source,
                        reinterpret_cast<std::uintptr_t>(tiles_.data()) - std::uintptr_t(before), stream_),
          "launching the change of a pointer");
    visit(first, end - first);
    first = end;
  }
}

}  // namespace cavi::kernels::cuda
