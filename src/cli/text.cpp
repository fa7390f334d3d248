// SPDX-License-Identifier: Apache-2.0
#include "src/cli/text.hpp"

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <system_error>

namespace cavi::cli {

std::string one_line(std::string_view text) {
  std::string out;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  for (char c : text) {
    if (c == '\n')
      out += "; ";
    else
      out += (c >= 0 && c < ' ') || c == 127 ? '?' : c;
  }
  return out;
}

std::string wrap(const std::string& text, std::size_t width) {
  std::string out, line;
  for (const std::string& word : split(text, ' ')) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      out += line + '\n';
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + line;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

bool finish_output() {
  std::cout.flush();
  return std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout.good();
}

void Complaints::require_distinct(const char* option, const Text& file, const char* other, const Text& other_file) {
  if (!file || !other_file) return;
  std::error_code none;  // a path that cannot be resolved is reported when it is written
  const auto place = [&](const std::string& name) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(name, none), none);
  };
  if (place(*file) == place(*other_file))
    add(fmt::format("{} and {} both name {}; give two files", option, other, *file));
}

void Complaints::throw_if_any() const {
  if (list_.empty()) return;
  std::string all = list_[0];
  for (std::size_t i = 1; i < list_.size(); ++i) all += "; " + list_[i];
  throw InputError(all);
}

}  // namespace cavi::cli
