// SPDX-License-Identifier: Apache-2.0
// Host code that lacks an order or misuses memory is caught: by wrong results under some seeds, by the rules of order
// under every seed.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

namespace {

using emulator::Finding;
using programs::Mistake;

constexpr unsigned kSeeds = 32;

struct Tally {
  unsigned caught = 0;
  std::map<Finding, unsigned> findings;
  unsigned of(Finding finding) const {
    const auto found = findings.find(finding);
    return found == findings.end() ? 0 : found->second;
  }
};

Tally run(Mistake mistake) {
  std::vector<float> x(500);
  std::iota(x.begin(), x.end(), 1.0f);
  std::vector<float> expected = x;
  for (float& value : expected) value *= 3;
  Tally tally;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    emulator::reset(emulator::options_for(seed));
    bool wrong = false;
    try {
      wrong = programs::pipeline(x, 100, mistake) != expected;
    } catch (const std::runtime_error&) {
      wrong = true;
    }
    tally.caught += wrong || !emulator::reports().empty();
    for (const emulator::Report& r : emulator::reports()) ++tally.findings[r.finding];
  }
  emulator::reset();
  return tally;
}

TEST(PipelineMistakes, NoneIsFoundInTheCorrectProgram) { EXPECT_EQ(run(Mistake::none).caught, 0u); }

TEST(PipelineMistakes, MissingOrder) {
  for (Mistake mistake :
       {Mistake::no_copy_wait, Mistake::slot_reused, Mistake::pinned_reused, Mistake::no_final_wait}) {
    const Tally tally = run(mistake);
    if (emulator::kInstrumented) {
      EXPECT_EQ(tally.caught, kSeeds) << int(mistake);
      // A kernel that overtakes the first copy reads memory that nothing has written yet.
      EXPECT_GE(tally.of(Finding::unordered_access) + tally.of(Finding::uninitialised_read), kSeeds) << int(mistake);
      EXPECT_GE(tally.of(Finding::unordered_access), kSeeds / 2) << int(mistake);
    } else {
      EXPECT_GE(tally.caught, kSeeds / 5) << int(mistake);
    }
  }
}

TEST(PipelineMistakes, AStreamTooMany) {
  const Tally tally = run(Mistake::wrong_stream);
  if (emulator::kInstrumented)
    EXPECT_EQ(tally.caught, kSeeds);
  else
    EXPECT_GE(tally.caught, kSeeds / 5);
}

TEST(PipelineMistakes, MemoryThatIsNotThere) {
  EXPECT_EQ(run(Mistake::too_long).of(Finding::out_of_bounds), kSeeds);
  EXPECT_EQ(run(Mistake::freed_early).of(Finding::freed_in_use), kSeeds);
}

TEST(PipelineMistakesDeathTest, HostReadsDeviceMemory) {
  emulator::reset();
  EXPECT_EXIT(programs::pipeline({1, 2, 3}, 2, Mistake::host_reads_device), testing::ExitedWithCode(86),
              "host code touched device memory");
}

// A test suite must notice when any one synchronisation is missing.
TEST(Mutations, EverySynchronisationOfTheProgramsIsNeeded) {
  std::vector<float> x(700);
  std::iota(x.begin(), x.end(), 1.0f);
  const auto suite = [&] {
    for (unsigned seed = 0; seed < kSeeds; ++seed) {
      emulator::reset(emulator::options_for(seed));
      try {
        const float sum = programs::reduce(x, 3), by_ticket = programs::reduce_by_ticket(x, 3);
        const std::vector<float> scaled = programs::pipeline(x, 100), flipped = programs::transposed(x, 20, 35);
        const std::vector<float> trace = programs::iterate(1, 0.1f, 20);
        if (sum != 245350 || by_ticket != 245350 || scaled[699] != 2100 || flipped[20] != x[1] || trace.size() != 8)
          return false;
      } catch (const std::runtime_error&) {
        return false;
      }
      if (!emulator::reports().empty()) return false;
    }
    return true;
  };
  emulator::disable_sites({});
  ASSERT_TRUE(suite());
  std::vector<std::string> sites = emulator::seen_sites();
  std::erase_if(sites, [](const std::string& id) { return id.rfind("programs.hpp:", 0) != 0; });
  EXPECT_GE(sites.size(), 12u);
  std::vector<std::string> not_needed;
  for (const std::string& site : sites) {
    emulator::disable_sites({site});
    if (suite()) not_needed.push_back(site);
  }
  emulator::disable_sites({});
  emulator::reset();
  if (emulator::kInstrumented)
    EXPECT_EQ(not_needed.size(), 1u) << "only the wait that error paths need: " << testing::PrintToString(not_needed);
  else
    EXPECT_LE(not_needed.size(), sites.size() / 2) << testing::PrintToString(not_needed);
}

}  // namespace
