// SPDX-License-Identifier: Apache-2.0
#include "emulator/traffic.hpp"

#include "emulator/symbol.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <set>

namespace emulator {
namespace {

struct Request {
  unsigned lanes = 0;
  std::array<std::uintptr_t, 32> address{};
};

/// The executions of one instruction by one warp that not all lanes have reached.
struct Instruction {
  std::array<std::uint32_t, 32> executed{};
  std::uint32_t counted = 0;  // requests before the first open one
  std::size_t size = 0;
  bool shared = false;
  std::deque<Request> open;
};

std::map<std::string, Traffic> totals;
std::uintptr_t counted_begin = 0, counted_size = 0;
std::map<std::pair<const Warp*, std::uintptr_t>, Instruction> instructions;

Traffic& current_traffic() {
  static const void* kernel = nullptr;
  static Traffic* total = nullptr;
  if (totals.empty() || kernel != current_launch().kernel) {
    kernel = current_launch().kernel;
    total = &totals[function_name(kernel)];
  }
  return *total;
}

// Words of 4 bytes lie in 32 banks; 8 and 16 byte accesses go in halves and quarters of a warp. Of `size` bytes, at
// most 16, from `offset` on.
std::uint64_t conflicts(const Request& request, std::size_t offset, std::size_t size) {
  std::uint64_t extra = 0;
  const int together = static_cast<int>(32 * 4 / std::bit_ceil(std::max<std::size_t>(size, 4)));
  for (int first = 0; first < 32; first += together) {
    std::array<std::set<std::uintptr_t>, 32> words;
    for (int lane = first; lane < first + together; ++lane)
      if (request.lanes >> lane & 1)
        for (std::uintptr_t at = request.address[lane] + offset, w = at / 4; w <= (at + size - 1) / 4; ++w)
          words[w % 32].insert(w);
    std::size_t most = 1;
    for (const auto& bank : words) most = std::max(most, bank.size());
    extra += most - 1;
  }
  return extra;
}

void count(const Request& request, const Instruction& instruction) {
  Traffic& total = current_traffic();
  if (instruction.shared) {
    constexpr std::size_t kMost = 16;  // bytes of an instruction; what is copied at once in C++ takes several
    for (std::size_t offset = 0; offset < instruction.size; offset += kMost) {
      ++total.shared_requests;
      total.bank_conflicts += conflicts(request, offset, std::min(kMost, instruction.size - offset));
    }
    return;
  }
  std::set<std::uintptr_t> sectors, bytes;
  for (unsigned m = request.lanes; m; m &= m - 1) {
    const std::uintptr_t address = request.address[std::countr_zero(m)];
    for (std::uintptr_t byte = address; byte < address + instruction.size; ++byte) {
      bytes.insert(byte);
      sectors.insert(byte / 32);
    }
  }
  ++total.requests;
  total.sectors += sectors.size();
  total.distinct_bytes += bytes.size();
}

}  // namespace

void count_access(const Thread& thread, const void* address, std::size_t size, bool write, std::uintptr_t code,
                  bool shared) {
  if (!shared && counted_size > 0 && reinterpret_cast<std::uintptr_t>(address) - counted_begin >= counted_size) return;
  Instruction& instruction = instructions[{thread.warp, code}];
  instruction.size = size;
  instruction.shared = shared;
  const std::uint32_t which = instruction.executed[thread.lane]++ - instruction.counted;
  if (which >= instruction.open.size()) instruction.open.resize(which + 1);
  Request& request = instruction.open[which];
  request.lanes |= 1u << thread.lane;
  request.address[thread.lane] = reinterpret_cast<std::uintptr_t>(address);
  while (!instruction.open.empty() && instruction.open.front().lanes == thread.warp->exists) {
    count(instruction.open.front(), instruction);
    instruction.open.pop_front();
    ++instruction.counted;
  }
  if (shared) return;
  Traffic& total = current_traffic();
  (write ? total.stored_bytes : total.loaded_bytes) += size;
}

void count_block_end(const Block& block) {
  for (const Warp& warp : block.warps) {
    auto instruction = instructions.lower_bound({&warp, 0});
    while (instruction != instructions.end() && instruction->first.first == &warp) {
      for (const Request& request : instruction->second.open) count(request, instruction->second);
      instruction = instructions.erase(instruction);
    }
  }
}

const std::map<std::string, Traffic>& traffic() { return totals; }
void clear_traffic(const void* begin, std::size_t size) {
  totals.clear();
  counted_begin = reinterpret_cast<std::uintptr_t>(begin);
  counted_size = size;
}

}  // namespace emulator
