// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text from the user and to the user.
#pragma once

#include "src/cli/command.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cavi::cli {

/// An option as it was typed, or nothing when it was left out.
using Text = std::optional<std::string>;

/// Joins the lines by "; ", and replaces what would move the cursor.
std::string one_line(std::string_view text);

/// Lines of at most so many characters, broken at spaces.
std::string wrap(const std::string& text, std::size_t width);

/// The parts of a text; one more than there are separators.
std::vector<std::string> split(const std::string& text, char separator);

/// Flushes standard output; false when something could not be written.
bool finish_output();

/// Everything that is wrong with one call, said at once.
class Complaints {
 public:
  void add(std::string complaint) { list_.push_back(std::move(complaint)); }
  /// Runs `step`; an error of the library becomes a complaint. Returns whether there was none.
  template <class Step>
  bool attempt(Step&& step) {
    try {
      step();
      return true;
    } catch (const Error& e) {
      add(e.what());
      return false;
    }
  }
  /// Two options must not name the same file, of which one result would be lost.
  void require_distinct(const char* option, const Text& file, const char* other, const Text& other_file);
  std::size_t size() const { return list_.size(); }
  void throw_if_any() const;

 private:
  std::vector<std::string> list_;
};

/// Reads a number that must fill the whole text; whole numbers when T is an integer. Leaves `value` alone when the
/// option was left out or is wrong.
template <class T, class Value>
void read_number(const char* option, const Text& text, Value& value, Complaints& complaints) {
  if (!text) return;
  T number{};
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, number);
  if (error == std::errc::result_out_of_range)
    complaints.add(fmt::format("{}: {} is out of range", option, *text));
  else if (error != std::errc() || stop != end)
    complaints.add(fmt::format("{}: '{}' is not a {}", option, *text,
                               std::is_floating_point_v<T> ? "number"
                               : std::is_signed_v<T>       ? "whole number"
                                                           : "whole number from 0 on"));
  else
    value = number;
}

template <class E>
using Choices = std::vector<std::pair<std::string, E>>;

template <class E>
std::optional<E> find_choice(const std::string& text, const Choices<E>& choices) {
  for (const auto& [name, value] : choices)
    if (name == text) return value;
  return {};
}

/// The name of a choice; empty when it has none.
template <class E>
std::string_view name_of(const Choices<E>& choices, E value) {
  for (const auto& [name, choice] : choices)
    if (choice == value) return name;
  return {};
}

/// "a, b, c": the names of the choices.
template <class E>
std::string names(const Choices<E>& choices) {
  std::string out;
  for (const auto& [name, value] : choices) out += fmt::format("{}{}", out.empty() ? "" : ", ", name);
  return out;
}

template <class E>
void read_choice(const char* option, const Text& text, const Choices<E>& choices, E& value, Complaints& complaints) {
  if (!text) return;
  if (const auto found = find_choice(*text, choices))
    value = *found;
  else
    complaints.add(fmt::format("{}: '{}' is none of {}", option, *text, names(choices)));
}

}  // namespace cavi::cli
