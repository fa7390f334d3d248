// SPDX-License-Identifier: Apache-2.0
// How much memory this process may have.
#include <cavi/io.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace cavi {
namespace {

/// The limit that a control group of version 2 sets where it is mounted, as it is inside a container.
std::int64_t group_limit() {
  std::int64_t bytes = 0;
  std::ifstream file("/sys/fs/cgroup/memory.max");
  return file >> bytes ? bytes : std::numeric_limits<std::int64_t>::max();  // "max" is no number
}

std::int64_t process_limit(int resource) {
  rlimit limit{};
  const auto most = rlim_t(std::numeric_limits<std::int64_t>::max());
  if (::getrlimit(resource, &limit) != 0) return std::int64_t(most);
  return std::int64_t(std::min(limit.rlim_cur, most));
}

}  // namespace

std::int64_t default_memory() {
  const std::int64_t machine = std::int64_t(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
  return std::min({machine, group_limit(), process_limit(RLIMIT_AS), process_limit(RLIMIT_DATA)}) / 4;
}

}  // namespace cavi
