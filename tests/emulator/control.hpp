// SPDX-License-Identifier: Apache-2.0
/// \file
/// The side of the emulator that tests see. Product code includes <cuda_runtime.h> and never this.
///
///     emulator::reset(emulator::options_for(seed));   // a fresh device
///     ... code under test ...
///     EXPECT_EQ(emulator::verdict(), "");             // nothing wrong, nothing leaked
#pragma once

#include "emulator/checker.hpp"
#include "emulator/memory.hpp"
#include "emulator/options.hpp"
#include "emulator/report.hpp"
#include "emulator/runtime/entry.hpp"
#include "emulator/site.hpp"

#include <string>
#include <vector>

namespace emulator {

/// Forgets everything: memory, streams, graphs, errors, reports, counts. Not to be called while work is pending that
/// code outside still means to use.
void reset(const Options& options = {});

/// Device and pinned memory, streams, events, graphs and library handles that still exist.
std::vector<std::string> leaks();

/// Everything found and everything leaked since the reset, a line each; empty when all is well.
std::string verdict();

}  // namespace emulator
