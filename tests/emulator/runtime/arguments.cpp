// SPDX-License-Identifier: Apache-2.0
#include "emulator/runtime/arguments.hpp"

#include "emulator/report.hpp"
#include "emulator/runtime/entry.hpp"

#include <cstring>

namespace emulator {
namespace {

// Calls visit(word) for everything in the argument that could be an address.
template <class Visit>
void each_word(const Argument& argument, const Visit& visit) {
  for (std::size_t at = 0; at + sizeof(void*) <= argument.bytes; at += sizeof(void*)) {
    const void* word = nullptr;
    std::memcpy(&word, static_cast<const char*>(argument.value) + at, sizeof word);
    visit(word);
  }
}

}  // namespace

bool valid_range(const void* address, std::size_t bytes, const std::string& what) {
  const Allocation* a = find_allocation(address);
  if (!a) {
    if (is_emulated(address)) report(Finding::out_of_bounds, what + ": " + describe(address));
    return !is_emulated(address);
  }
  if (!a->live) {
    report(Finding::use_after_free, what + ": " + describe(address));
    return false;
  }
  if (!a->contains(address, bytes)) {
    report(Finding::out_of_bounds, what + ": " + std::to_string(bytes) + " bytes at " + describe(address));
    return false;
  }
  return true;
}

bool valid_arguments(const std::vector<Argument>& arguments, const std::string& what) {
  bool valid = true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string which = what + ", argument " + std::to_string(i);
    each_word(arguments[i], [&](const void* word) {
      if (!word || !valid) return;
      // A word of a struct that points nowhere may be padding.
      if (is_emulated(word) && (arguments[i].is_pointer || find_allocation(word))) {
        valid = valid_range(word, 0, which);
      } else if (arguments[i].is_pointer && !is_constant(word)) {
        report(Finding::host_pointer, which + " is an address of pageable host memory");
        valid = false;
      }
    });
  }
  return valid;
}

void mark_use(const void* address, const Operation& operation) {
  if (Allocation* a = find_allocation(address)) {
    std::uint32_t& last = a->last_use[operation.chain];
    last = std::max(last, operation.sequence);
  }
}

void mark_uses(const std::vector<Argument>& arguments, const Operation& operation) {
  for (const Argument& argument : arguments) each_word(argument, [&](const void* word) { mark_use(word, operation); });
}

void touch(const Range& range, const Operation& operation) {
  Allocation* a = find_allocation(range.address);
  if (!a || !range.bytes) return;
  if (range.write) ++a->written_by_device;
  Stamp stamp;
  stamp.operation = operation.number;
  const auto before = [&](const Stamp& other) {
    return other.operation == operation.number || seen(operation.clock, other);
  };
  const auto conflict = a->history.record(range.address, range.bytes, range.write, stamp, before);
  if (!conflict || a->reported) return;
  a->reported = true;
  report(Finding::unordered_access, operation.name + " " + (range.write ? "writes" : "reads") + " " +
                                        describe(range.address) + " and is not ordered with a " +
                                        (conflict->other_wrote ? "write" : "read") + " by " +
                                        moments()[conflict->other.operation].name);
}

}  // namespace emulator
