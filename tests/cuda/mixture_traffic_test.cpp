// SPDX-License-Identifier: Apache-2.0
// What mixture sweeps ask of memory, access by access on the emulated device: every regime's budget.
#include "emulator/checker.hpp"
#include "emulator/control.hpp"
#include "tests/cuda/mixture_device.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <vector>

namespace cavi::test {
namespace {

struct Case {
  Component component;
  MixtureRegime regime;
  int components, features;
  std::int64_t rows;
  double reads;        ///< of each row from global memory in a sweep
  double ways = 1.05;  ///< of a request to shared memory
  double kappa = 0.3;  ///< distance between components: near each other, most rows matter to each
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << name_of(c.component) << ' ' << c.features << " K " << c.components;
}

class Traffic : public testing::TestWithParam<Case> {
 protected:
  // One slab, so that loops outweigh what comes before them.
  Traffic() {
    emulator::Options options;
    options.count_traffic = true;
    emulator::reset(options);
    const Case& c = GetParam();
    sweep_.emplace(std::vector{random_mixture({c.component, c.rows, c.components, c.features, c.kappa})},
                   Scalar::float32, c.regime, 1);
  }
  ~Traffic() override {
    sweep_.reset();
    EXPECT_EQ(emulator::verdict(), "");
  }
  std::optional<DeviceSweep> sweep_;
};

TEST_P(Traffic, RowsComeInWholeSectorsAndNoMoreOftenThanTheyMust) {
  emulator::clear_traffic(sweep_->rows(), sweep_->row_bytes());
  sweep_->sweep();
  double sectors = 0;
  for (const auto& [kernel, t] : emulator::traffic()) {
    EXPECT_LE(32 * double(t.sectors), 1.1 * double(t.distinct_bytes)) << kernel;
    EXPECT_EQ(t.stored_bytes, 0u) << kernel;
    sectors += double(t.sectors);
  }
  EXPECT_NEAR(32 * sectors / double(sweep_->row_bytes()), GetParam().reads, 0.01);
}

TEST_P(Traffic, SharedMemoryIsFreeOfBankConflicts) {
  emulator::clear_traffic();
  sweep_->sweep();
  std::uint64_t requests = 0;
  for (const auto& [kernel, t] : emulator::traffic()) {
    EXPECT_LE(double(t.bank_conflicts), (GetParam().ways - 1) * double(t.shared_requests)) << kernel;
    requests += t.shared_requests;
  }
  EXPECT_GT(requests, 0u);
}

INSTANTIATE_TEST_SUITE_P(Points, Traffic,
                         testing::Values(Case{Component::full, MixtureRegime::points, 16, 2, 4096, 1},
                                         Case{Component::tied, MixtureRegime::points, 4, 4, 1024, 1}));
// Of 64 features some warps have cells of two strips of columns.
INSTANTIATE_TEST_SUITE_P(Fused, Traffic,
                         testing::Values(Case{Component::full, MixtureRegime::fused, 16, 8, 512, 1},
                                         Case{Component::full, MixtureRegime::fused, 40, 16, 256, 1},
                                         Case{Component::full, MixtureRegime::fused, 8, 20, 512, 1},
                                         Case{Component::full, MixtureRegime::fused, 4, 64, 256, 1, 1.1},
                                         Case{Component::diag, MixtureRegime::fused, 16, 64, 256, 1},
                                         Case{Component::spherical, MixtureRegime::fused, 16, 16, 512, 1},
                                         Case{Component::tied, MixtureRegime::fused, 16, 16, 512, 1}));
// Moments read rows again, for every four components on tensor cores.
INSTANTIATE_TEST_SUITE_P(Rounds, Traffic,
                         testing::Values(Case{Component::full, MixtureRegime::chunked, 4, 64, 256, 2, 1.1},
                                         Case{Component::full, MixtureRegime::tensor, 8, 64, 256, 3}));

// Rows of components that are apart are listed as they come: their points fall on any bank.
INSTANTIATE_TEST_SUITE_P(Sparse, Traffic,
                         testing::Values(Case{Component::full, MixtureRegime::fused, 8, 8, 512, 1, 1.3, 8},
                                         Case{Component::full, MixtureRegime::fused, 8, 48, 256, 1, 1.05, 8},
                                         Case{Component::diag, MixtureRegime::fused, 8, 32, 512, 1, 1.3, 8},
                                         Case{Component::full, MixtureRegime::tensor, 8, 32, 256, 3, 1.3, 8}));

}  // namespace
}  // namespace cavi::test
