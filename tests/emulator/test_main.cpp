// SPDX-License-Identifier: Apache-2.0
// Every test gets a fresh device, varied by EMULATOR_SEED, and fails for what the emulator found or what it leaked.
#include "emulator/control.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace {

class FreshDevice : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override {
    const char* seed = std::getenv("EMULATOR_SEED");
    emulator::reset(seed ? emulator::options_for(static_cast<unsigned>(std::atoi(seed))) : emulator::Options{});
  }
  void OnTestEnd(const testing::TestInfo&) override {
    const std::string found = emulator::verdict();
    if (!found.empty()) ADD_FAILURE() << "the emulated device found:\n" << found;
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new FreshDevice);
  return RUN_ALL_TESTS();
}
