// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rows of fused sources on their way to kernels: all of them in device memory, or chunk by chunk.
#pragma once

#include "kernels/cuda/problem.hpp"
#include "kernels/cuda/runtime.hpp"
#include "kernels/ops.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace cavi::kernels::cuda {

/// Two pinned buffers and two of device memory through which raw rows go: while the device turns one into tiles, the
/// host fills the other.
class RowPipe {
 public:
  RowPipe(std::size_t bytes, const Stream& compute);
  ~RowPipe();  ///< waits for what is under way

  std::size_t bytes() const { return bytes_; }
  /// Sends rows [first, first + count) of a problem to `x`, tile 0 of whose memory is tile first / kTile of the
  /// problem. Everything put into the compute stream afterwards sees them. Throws IoError, DeviceError.
  void send(const Rows& rows, std::int64_t first, std::int64_t count, Scalar to, void* x);

 private:
  struct Slot {
    PinnedMemory host;
    DeviceMemory device, origin;
    Event copied, used;
    bool in_use = false;
  };
  const Stream& compute_;
  Stream copies_;
  std::size_t bytes_;
  Slot slots_[2];
  int turn_ = 0;
};

/// A source whose rows a mixture reads.
struct FusedSource {
  int source = -1;
  Scalar precision = Scalar::float32;
};

class RowStore {
 public:
  /// Copies all rows when they fit into `budget` bytes of device memory; otherwise, if there is one problem and one
  /// source, gets ready to stream them. Throws DeviceError when neither is possible, IoError.
  RowStore(const Program& program, const std::vector<FusedSource>& sources, std::int64_t budget, const Stream& stream);

  bool streamed() const { return chunk_rows_ > 0; }
  /// What kernels are told, [problems x sources]; null addresses when streamed.
  const std::vector<DeviceRows>& rows() const { return rows_; }
  std::int64_t max_rows() const { return max_rows_; }

  /// Streams the rows in chunks of whole slabs through `table`, the one entry that kernels see. slab_begin(s): first
  /// row of slab s, of `slabs`. visit(first slab, slabs) puts the work on a chunk into the stream.
  void for_each_chunk(DeviceRows* table, std::int64_t slabs,
                      const std::function<std::int64_t(std::int64_t)>& slab_begin,
                      const std::function<void(std::int64_t first, std::int64_t slabs)>& visit);

 private:
  const Program& program_;
  const Stream& stream_;
  FusedSource streamed_source_;
  std::vector<DeviceRows> rows_;
  std::int64_t max_rows_ = 0, chunk_rows_ = 0;
  DeviceMemory tiles_;
  std::optional<RowPipe> pipe_;
};

}  // namespace cavi::kernels::cuda
