// SPDX-License-Identifier: Apache-2.0
/// \file
/// Who touched a piece of memory last: for every four bytes the last writer, two readers, and which bytes were written.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace emulator {

/// One access, remembered.
struct Stamp {
  std::uint32_t operation = 0;  ///< number of the operation, kHost, or 0 for none
  std::uint32_t agent = 0;      ///< of a kernel: block number << 10 | thread number
  std::uint32_t code = 0;       ///< where: offset in the program
  std::uint32_t time : 27 = 0;  ///< of the launch (order.hpp), or of the host's clock
  std::uint32_t bytes : 4 = 0;  ///< which of the four
  std::uint32_t atomic : 1 = 0;

  std::uint32_t block() const { return agent >> 10; }
  unsigned thread() const { return agent & 1023; }
};
inline constexpr std::uint32_t kHost = 1;  ///< operation number of host code

struct Conflict {
  Stamp other;
  bool other_wrote = false;
  std::size_t offset = 0;
};

/// Two readers are enough: whoever writes is not both of them.
struct Cell {
  Stamp writer, readers[2];
  std::uint8_t written = 0;  ///< bytes
};

class History {
 public:
  History() = default;
  History(const void* base, std::size_t bytes) : base_(static_cast<const char*>(base)), bytes_(bytes) {}

  const char* base() const { return base_; }
  std::size_t bytes() const { return bytes_; }

  /// Records the access by `who` of [address, address + size) and returns the first remembered one that conflicts and
  /// that `before(stamp)` does not call earlier.
  template <class Before>
  std::optional<Conflict> record(const void* address, std::size_t size, bool write, Stamp who, const Before& before);

  /// Offset of the first byte of the range that nothing has written.
  std::optional<std::size_t> unwritten(const void* address, std::size_t size) const;
  void mark_written(const void* address, std::size_t size);
  /// Written where [source, source + size) of the other is.
  void copy_written(const void* address, const History& other, const void* source, std::size_t size);
  void mark_all_written() { all_written_ = true; }
  void forget_written();

 private:
  static unsigned bytes_in_cell(std::size_t cell, std::size_t first, std::size_t end);
  const Cell* find_cell(std::size_t i) const;
  Cell& cell(std::size_t i);

  const char* base_ = nullptr;
  std::size_t bytes_ = 0;
  bool all_written_ = false;
  // Pages of cells, each once there is something to remember: an allocation of gigabytes costs what is used of it.
  static constexpr std::size_t kCellsPerPage = 1024;
  using Page = std::array<Cell, kCellsPerPage>;
  std::vector<std::unique_ptr<Page>> pages_;
};

inline Cell& History::cell(std::size_t i) {
  if (pages_.empty()) pages_.resize(bytes_ / 4 / kCellsPerPage + 1);
  std::unique_ptr<Page>& page = pages_[i / kCellsPerPage];
  if (!page) page = std::make_unique<Page>();
  return (*page)[i % kCellsPerPage];
}

inline unsigned History::bytes_in_cell(std::size_t cell, std::size_t first, std::size_t end) {
  unsigned mask = 0xf;
  if (first > cell * 4) mask &= 0xfu << (first - cell * 4);
  if (end < cell * 4 + 4) mask &= 0xfu >> (cell * 4 + 4 - end);
  return mask & 0xf;
}

template <class Before>
std::optional<Conflict> History::record(const void* address, std::size_t size, bool write, Stamp who,
                                        const Before& before) {
  const std::size_t first = static_cast<const char*>(address) - base_, end = first + size;
  std::optional<Conflict> conflict;
  for (std::size_t i = first / 4; i * 4 < end; ++i) {
    Cell& cell = this->cell(i);
    who.bytes = bytes_in_cell(i, first, end);
    const auto collides = [&](const Stamp& old) {
      return old.operation && (old.bytes & who.bytes) && !(old.atomic && who.atomic) && !before(old);
    };
    if (!conflict && collides(cell.writer)) conflict = {cell.writer, true, i * 4};
    if (write) {
      for (Stamp& reader : cell.readers) {
        if (!conflict && collides(reader)) conflict = {reader, false, i * 4};
        if (!(reader.bytes & ~who.bytes)) reader = {};  // whatever comes after this write comes after that read
      }
      cell.writer = who;
      cell.written |= who.bytes;
    } else if (Stamp* readers = cell.readers; !readers[0].operation || before(readers[0])) {
      readers[0] = who;
    } else if (!readers[1].operation || before(readers[1]) || readers[1].operation == who.operation) {
      readers[1] = who;
    } else {
      readers[0] = who;  // so that an operation of long ago in the other place stays
    }
  }
  return conflict;
}

}  // namespace emulator
