// SPDX-License-Identifier: Apache-2.0
/// \file
/// Fields of structures in a JSON object: one list of fields serves both ways. Values of enumerations are words of the
/// API.
#pragma once

#include "src/names.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace cavi {

using Json = nlohmann::ordered_json;

/// Fields to a JSON object. Doubles read back to the last bit; infinity is a word, for JSON has no number for it.
struct Writer {
  Json& to;

  template <class T>
  void operator()(const char* name, const T& value) {
    if constexpr (std::is_enum_v<T>) {
      to[name] = word_for(value);
    } else if constexpr (std::is_same_v<T, double>) {
      to[name] = std::isfinite(value) ? Json(value) : Json("infinity");
    } else {
      to[name] = value;
    }
  }
  void operator()(const char* name, const std::optional<double>& value) {
    if (value)
      (*this)(name, *value);
    else
      to[name] = nullptr;
  }
};

/// The way back. Throws IoError that begins with `where`.
struct Reader {
  const Json& from;
  std::string where;

  [[noreturn]] void fail(const char* name, const std::string& cause) const {
    throw IoError(fmt::format("{}'{}' {}", where, name, cause));
  }
  const Json& at(const char* name) const {
    const auto found = from.find(name);
    if (found == from.end()) fail(name, "is missing");
    return *found;
  }

  template <class T>
  void operator()(const char* name, T& value) const {
    const Json& field = at(name);
    if constexpr (std::is_enum_v<T>) {
      for (const auto& [text, which] : names(T{}))
        if (field == text) return void(value = which);
      fail(name, "is no value that this library knows");
    } else if constexpr (std::is_same_v<T, double>) {
      if (field == "infinity") return void(value = std::numeric_limits<double>::infinity());
      if (!field.is_number()) fail(name, "must be a number");
      value = field.get<double>();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!field.is_boolean()) fail(name, "must be true or false");
      value = field.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      const bool in_range = field.is_number_unsigned()
                                ? std::in_range<T>(field.get<std::uint64_t>())
                                : field.is_number_integer() && std::in_range<T>(field.get<std::int64_t>());
      if (!in_range)
        fail(name, fmt::format("must be a whole number from {} to {}", std::numeric_limits<T>::min(),
                               std::numeric_limits<T>::max()));
      value = field.get<T>();
    } else {
      if (!field.is_string()) fail(name, "must be a string");
      value = field.get<std::string>();
    }
  }
  void operator()(const char* name, std::optional<double>& value) const {
    if (at(name).is_null()) return void(value = std::nullopt);
    (*this)(name, value.emplace());
  }
};

}  // namespace cavi
