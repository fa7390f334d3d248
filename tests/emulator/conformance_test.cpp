// SPDX-License-Identifier: Apache-2.0
// The emulator's numbers are the toolkit's. Built where there is a toolkit.
#include <gtest/gtest.h>

#include <map>
#include <string>

std::map<std::string, long> emulated_values();
std::map<std::string, long> real_values();

TEST(Conformance, NumbersAreThoseOfTheToolkit) { EXPECT_EQ(emulated_values(), real_values()); }
