// SPDX-License-Identifier: Apache-2.0
#include "emulator/site.hpp"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace emulator {
namespace {

struct Sites {
  bool watching = false;
  std::set<std::string> disabled;
  std::map<std::pair<const char*, int>, bool> enabled;  // by place, so that an id is formed once
  const char* list = std::getenv("EMULATOR_SITES");

  Sites() {
    if (const char* ids = std::getenv("EMULATOR_DISABLE")) {
      std::istringstream words(ids);
      for (std::string word; words >> word;) disabled.insert(word);
    }
    watching = list || !disabled.empty();
  }
  ~Sites() {
    if (!list) return;
    std::ofstream out(list, std::ios::app);
    for (const auto& [place, on] : enabled) out << id({place.first, place.second}) << "\n";
  }
};

Sites& sites() {
  static Sites all;
  return all;
}

}  // namespace

std::string id(const Site& site) {
  const char* slash = std::strrchr(site.file, '/');
  return std::string(slash ? slash + 1 : site.file) + ":" + std::to_string(site.line);
}

bool active(const Site& site) {
  Sites& all = sites();
  if (!all.watching) return true;
  const auto [place, added] = all.enabled.try_emplace({site.file, site.line}, true);
  if (added) place->second = !all.disabled.count(id(site));
  return place->second;
}

void disable_sites(const std::vector<std::string>& ids) {
  Sites& all = sites();
  all.disabled = {ids.begin(), ids.end()};
  all.enabled.clear();
  all.watching = true;
}

std::vector<std::string> seen_sites() {
  std::set<std::string> ids;
  for (const auto& [place, on] : sites().enabled) ids.insert(id({place.first, place.second}));
  return {ids.begin(), ids.end()};
}

}  // namespace emulator
