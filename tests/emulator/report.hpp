// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the emulator finds wrong with a program, by name.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace emulator {

enum class Finding {
  divergent_barrier,   ///< threads of a block wait at different barriers, or some have left
  wrong_mask,          ///< lanes disagree on a warp collective or its mask, or the caller is not in it
  exited_lane,         ///< a mask names a lane that has left the kernel
  deadlock,            ///< nothing can run and something waits
  data_race,           ///< two threads of one launch, at least one writing, nothing between them
  uninitialised_read,  ///< memory that nothing has written
  out_of_bounds,       ///< outside every allocation, or past the end of one
  use_after_free,
  misaligned,       ///< an address that is no multiple of the access
  illegal_address,  ///< a fault at an address the emulator does not know
  launch_limit,     ///< grid, block, parameters or registers beyond the architecture
  shared_memory_limit,
  constant_memory_limit,
  unordered_access,  ///< host, copies, kernels of different streams: no event, wait or stream order between them
  source_changed,    ///< the host wrote to a pinned source before its copy ran
  bad_argument,      ///< sizes, kinds and handles that a call refuses
  host_pointer,      ///< pageable host memory given to a kernel or a library
  double_free,
  bad_free,      ///< not what the matching allocation returned
  freed_in_use,  ///< freed while work that uses it has not been waited for
  illegal_in_capture,
  illegal_in_body,  ///< in the body of a conditional node
  forbidden_call,   ///< a runtime call from a kernel or a host function, a device call from the host
  endless_loop,     ///< a WHILE node that does not stop
};
const char* name(Finding finding);

struct Report {
  Finding finding;
  std::string text;
};

/// Everything found since the last reset.
const std::vector<Report>& reports();
bool reported(Finding finding);
void report(Finding finding, std::string text);
void clear_reports();

/// A finding that ended a kernel.
struct Fault : std::runtime_error {
  Finding finding;
  Fault(Finding f, const std::string& text) : std::runtime_error(text), finding(f) {}
};

}  // namespace emulator
