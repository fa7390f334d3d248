// SPDX-License-Identifier: Apache-2.0
#include "emulator/history.hpp"

#include <bit>

namespace emulator {

const Cell* History::find_cell(std::size_t i) const {
  const Page* page = pages_.empty() ? nullptr : pages_[i / kCellsPerPage].get();
  return page ? &(*page)[i % kCellsPerPage] : nullptr;
}

std::optional<std::size_t> History::unwritten(const void* address, std::size_t size) const {
  if (all_written_ || size == 0) return std::nullopt;
  const std::size_t first = static_cast<const char*>(address) - base_, end = first + size;
  for (std::size_t i = first / 4; i * 4 < end; ++i) {
    const Cell* known = find_cell(i);
    const unsigned missing = bytes_in_cell(i, first, end) & ~unsigned{known ? known->written : std::uint8_t{0}};
    if (missing) return i * 4 + std::countr_zero(missing);
  }
  return std::nullopt;
}

void History::mark_written(const void* address, std::size_t size) {
  if (all_written_) return;
  const std::size_t first = static_cast<const char*>(address) - base_, end = first + size;
  for (std::size_t i = first / 4; i * 4 < end; ++i) cell(i).written |= bytes_in_cell(i, first, end);
}

void History::forget_written() {
  for (const auto& page : pages_) {
    if (!page) continue;
    for (Cell& known : *page) known.written = 0;
  }
}

void History::copy_written(const void* address, const History& other, const void* source, std::size_t size) {
  if (!other.unwritten(source, size)) return mark_written(address, size);
  for (std::size_t i = 0; i < size; ++i) {
    const char* to = static_cast<const char*>(address) + i;
    if (!other.unwritten(static_cast<const char*>(source) + i, 1))
      mark_written(to, 1);
    else if (!all_written_)
      cell((to - base_) / 4).written &= ~(1u << ((to - base_) % 4));
  }
}

}  // namespace emulator
