// SPDX-License-Identifier: Apache-2.0
// The cost model against what was measured once and is on record, and against what must hold of any machine.
#include "src/cost_model.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <map>
#include <string>

namespace {

using namespace cavi;

const CpuMachine kCpu{1, 2.7e11, 4e10};

SweepShape shape(double rows, int features, int components, CovarianceType type = CovarianceType::full) {
  SweepShape s;
  s.rows = rows;
  s.features = features;
  s.components = components;
  s.covariance_type = type;
  return s;
}

/// Share of live pairs of the shapes of bench/device_shapes, where a record lacks it.
double live_of(const nlohmann::json& run) {
  const int d = run.at("features");
  if (d == 2) return 1;
  if (d == 8) return 0.5;
  return 1.0 / int(run.at("components")) + (d == 16 ? 0.03 : 0);
}

class Record : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Gpus, Record, ::testing::Values("h100"),
                         [](const auto& gpu) { return std::string(gpu.param); });

TEST_P(Record, IsWhatTheModelExpects) {
  std::ifstream file(std::string(CAVI_TEST_DIR) + "/../bench/results/" + GetParam() + ".json");
  const nlohmann::json record = nlohmann::json::parse(file);
  const std::map<std::string, CovarianceType> types{{"full", CovarianceType::full},
                                                    {"tied", CovarianceType::tied},
                                                    {"diag", CovarianceType::diag},
                                                    {"spherical", CovarianceType::spherical}};
  const GpuMachine* gpu = find_gpu(record.at("device").get<std::string>());
  ASSERT_NE(gpu, nullptr);
  for (const nlohmann::json& run : record.at("shapes").at("shapes")) {
    const std::string name = run.at("shape");
    SCOPED_TRACE(name);
    SweepShape s = shape(double(run.at("rows")) / double(run.at("fits")), run.at("features"), run.at("components"),
                         types.at(name.substr(0, name.find('_'))));
    s.fits = run.at("fits");
    s.live = run.contains("live_pairs") ? double(run.at("live_pairs")) : live_of(run);
    s.tensor_cores = run.value("kernel", "") == "tensor";
    EXPECT_LT(std::abs(std::log(1e3 * predict(s, *gpu).seconds / double(run.at("ms_per_sweep")))), std::log(1.3))
        << 1e3 * predict(s, *gpu).seconds << " ms instead of " << run.at("ms_per_sweep");
  }
}

TEST(CostModel, NamesTheRegimeOfAShape) {
  const auto regime = [](const SweepShape& s) { return std::string(gpu_regime(s)); };
  EXPECT_EQ(regime(shape(4000, 2, 16)), "whole");
  EXPECT_EQ(regime(shape(1e6, 2, 16)), "points");
  EXPECT_EQ(regime(shape(1e6, 16, 64)), "fused");
  EXPECT_EQ(regime(shape(1e6, 64, 64)), "tensor");
  EXPECT_EQ(regime(shape(1e6, 129, 128)), "chunked");
  EXPECT_EQ(regime(shape(1e6, 64, 256, CovarianceType::diag)), "fused");
  SweepShape exact = shape(1e6, 16, 64);
  exact.precision = Scalar::float64;
  EXPECT_EQ(regime(exact), "tile");
}

TEST(CostModel, IsLinearInRowsAndComponentsOfLargeProblems) {
  for (const CovarianceType type :
       {CovarianceType::full, CovarianceType::tied, CovarianceType::diag, CovarianceType::spherical}) {
    const auto cpu = [&](double rows, int k) { return predict(shape(rows, 16, k, type), kCpu).seconds; };
    EXPECT_NEAR(cpu(2e7, 64) / cpu(1e7, 64), 2, 0.02);
    EXPECT_NEAR(cpu(1e7, 512) / cpu(1e7, 256), 2, 0.1);
    for (const GpuMachine& gpu : known_gpus()) {
      const auto time = [&](double rows, int k) { return predict(shape(rows, 16, k, type), gpu).seconds; };
      EXPECT_NEAR(time(2e8, 64) / time(1e8, 64), 2, 0.05) << gpu.name;
      EXPECT_NEAR(time(1e8, 512) / time(1e8, 256), 2, 0.05) << gpu.name;
    }
  }
}

TEST(CostModel, SaysWhatBindsASweep) {
  EXPECT_EQ(predict(shape(1e6, 16, 32), kCpu).by, "fma");
  CpuMachine slow_memory = kCpu;
  slow_memory.bandwidth = 1e6;
  const Prediction read = predict(shape(1e6, 16, 32), slow_memory);
  EXPECT_EQ(read.by, "read");
  EXPECT_DOUBLE_EQ(read.seconds, 1e6 * 16 * 4 / 1e6);
  EXPECT_EQ(predict(shape(5000, 16, 32), *find_gpu("NVIDIA H100 80GB HBM3")).by, "latency");
  GpuMachine far_memory = *find_gpu("H100");
  far_memory.bandwidth = 1;
  EXPECT_EQ(predict(shape(1e7, 16, 32), far_memory).by, "HBM");
  EXPECT_EQ(find_gpu("a machine of its own"), nullptr);
}

TEST(CostModel, ThreadsAndManyFitsShareTheWork) {
  CpuMachine two = kCpu;
  two.threads = 2, two.flops *= 2, two.bandwidth *= 2;
  const SweepShape large = shape(1e7, 16, 32);
  EXPECT_NEAR(predict(large, kCpu).seconds / predict(large, two).seconds, 2, 0.01);
  SweepShape small = shape(1000, 8, 8), many = small;
  many.fits = 1000;
  EXPECT_NEAR(predict(many, kCpu).seconds / predict(small, kCpu).seconds, 1000, 1e-6);
  EXPECT_NEAR(predict(many, kCpu).seconds / predict(many, two).seconds, 2, 1e-9);
}

}  // namespace
