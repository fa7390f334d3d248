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

// Words of 4 bytes lie in 32 banks; 8 and 16 byte accesses go in halves and quarters of a warp.
std::uint64_t conflicts(const Request& request, std::size_t size) {
  std::uint64_t extra = 0;
  const int together = static_cast<int>(32 * 4 / std::clamp<std::size_t>(size, 4, 128));
  for (int first = 0; first < 32; first += together) {
    std::array<std::set<std::uintptr_t>, 32> words;
    for (int lane = first; lane < first + together; ++lane)
      if (request.lanes >> lane & 1)
        for (std::uintptr_t w = request.address[lane] / 4; w <= (request.address[lane] + size - 1) / 4; ++w)
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
    ++total.shared_requests;
    total.bank_conflicts += conflicts(request, instruction.size);
    return;
  }
  std::set<std::uintptr_t> sectors;
  for (unsigned m = request.lanes; m; m &= m - 1) {
    const std::uintptr_t address = request.address[std::countr_zero(m)];
    for (std::uintptr_t s = address / 32; s <= (address + instruction.size - 1) / 32; ++s) sectors.insert(s);
  }
  ++total.requests;
  total.sectors += sectors.size();
}

}  // namespace

void count_access(const Thread& thread, const void* address, std::size_t size, bool write, std::uintptr_t code,
                  bool shared) {
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
void clear_traffic() { totals.clear(); }

}  // namespace emulator
