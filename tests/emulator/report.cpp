// SPDX-License-Identifier: Apache-2.0
#include "emulator/report.hpp"

#include <algorithm>

namespace emulator {
namespace {
std::vector<Report> found;
}

const char* name(Finding finding) {
  switch (finding) {
    case Finding::divergent_barrier: return "divergent barrier";
    case Finding::wrong_mask: return "wrong mask";
    case Finding::exited_lane: return "exited lane";
    case Finding::deadlock: return "deadlock";
    case Finding::data_race: return "data race";
    case Finding::uninitialised_read: return "uninitialised read";
    case Finding::out_of_bounds: return "out of bounds";
    case Finding::use_after_free: return "use after free";
    case Finding::misaligned: return "misaligned access";
    case Finding::illegal_address: return "illegal address";
    case Finding::launch_limit: return "launch limit";
    case Finding::shared_memory_limit: return "shared memory limit";
    case Finding::constant_memory_limit: return "constant memory limit";
    case Finding::unordered_access: return "unordered access";
    case Finding::source_changed: return "source changed";
    case Finding::bad_argument: return "bad argument";
    case Finding::host_pointer: return "host pointer";
    case Finding::double_free: return "double free";
    case Finding::bad_free: return "bad free";
    case Finding::freed_in_use: return "freed in use";
    case Finding::illegal_in_capture: return "illegal in capture";
    case Finding::illegal_in_body: return "illegal in a conditional body";
    case Finding::forbidden_call: return "forbidden call";
    case Finding::endless_loop: return "endless loop";
  }
  return "?";
}

const std::vector<Report>& reports() { return found; }
void report(Finding finding, std::string text) { found.push_back({finding, std::move(text)}); }
void clear_reports() { found.clear(); }

bool reported(Finding finding) {
  return std::any_of(found.begin(), found.end(), [&](const Report& r) { return r.finding == finding; });
}

}  // namespace emulator
