// SPDX-License-Identifier: Apache-2.0
/// \file
/// What errors say.
#pragma once

#include <cavi/error.hpp>

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <type_traits>

namespace cavi::test {

/// What an IoError (or another error) says; fails the test unless it is thrown, and on one line if it is not about
/// options, which are complained of together.
template <class Exception = IoError, class Function>
std::string message_of(Function&& function) {
  try {
    function();
  } catch (const Exception& e) {
    const std::string message = e.what();
    if (!std::is_same_v<Exception, OptionError>) {
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    return message;
  } catch (const std::exception& e) {
    ADD_FAILURE() << "another exception: " << e.what();
    return {};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

inline void expect_in(const std::string& text, std::initializer_list<const char*> words) {
  for (const char* word : words) EXPECT_NE(text.find(word), std::string::npos) << text << "\nlacks: " << word;
}

}  // namespace cavi::test
