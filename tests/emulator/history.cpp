// SPDX-License-Identifier: Apache-2.0
#include "emulator/history.hpp"

#include <bit>

namespace emulator {

std::optional<std::size_t> History::unwritten(const void* address, std::size_t size) const {
  if (all_written_ || size == 0) return std::nullopt;
  const std::size_t first = static_cast<const char*>(address) - base_, end = first + size;
  if (cells_.empty()) return first;
  for (std::size_t i = first / 4; i * 4 < end; ++i)
    if (const unsigned missing = bytes_in_cell(i, first, end) & ~unsigned{cells_[i].written})
      return i * 4 + std::countr_zero(missing);
  return std::nullopt;
}

void History::mark_written(const void* address, std::size_t size) {
  if (all_written_) return;
  allocate();
  const std::size_t first = static_cast<const char*>(address) - base_, end = first + size;
  for (std::size_t i = first / 4; i * 4 < end; ++i) cells_[i].written |= bytes_in_cell(i, first, end);
}

void History::copy_written(const void* address, const History& other, const void* source, std::size_t size) {
  if (!other.unwritten(source, size)) return mark_written(address, size);
  for (std::size_t i = 0; i < size; ++i) {
    const char* to = static_cast<const char*>(address) + i;
    if (!other.unwritten(static_cast<const char*>(source) + i, 1)) {
      mark_written(to, 1);
    } else if (!all_written_) {
      allocate();
      cells_[(to - base_) / 4].written &= ~(1u << ((to - base_) % 4));
    }
  }
}

}  // namespace emulator
