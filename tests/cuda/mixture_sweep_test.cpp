// SPDX-License-Identifier: Apache-2.0
// Mixture sweeps on the emulated device against their definition in long double.
#include "emulator/control.hpp"
#include "tests/cuda/mixture_device.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace cavi::test {
namespace {

// A family with a regime that can sweep it.
struct Case {
  Component component;
  Scalar precision;
  MixtureRegime regime;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << name_of(c.component) << (c.precision == Scalar::float32 ? "32" : "64");
}

/// By a sweep on a fresh device: memory is never used twice.
void expect_definition(const MixtureProblem& p, Scalar precision, MixtureRegime regime = MixtureRegime::automatic,
                       int most_slabs = 1024) {
  emulator::reset();
  SCOPED_TRACE(testing::Message() << "N " << p.rows << " K " << p.components << " D " << p.features);
  const Moments expected = definition(p);
  DeviceSweep sweep({p}, precision, regime, most_slabs);
  sweep.sweep();
  expect_moments(sweep, expected, p, tolerance_of(precision, expected));
  expect_negligible(sweep.negligible(), expected, p, precision, mixture_regime(sweep.op(), p.rows) != "points");
  EXPECT_EQ(sweep.failure(), kernels::cuda::kNoFailure);
  EXPECT_EQ(emulator::reports().size(), 0u);
}

class DeviceSweepTest : public testing::TestWithParam<Case> {
 protected:
  DeviceSweep swept(const std::vector<MixtureProblem>& problems) const {
    DeviceSweep sweep(problems, GetParam().precision, GetParam().regime);
    sweep.sweep();
    return sweep;
  }
  bool sweeps(int features) const {
    return GetParam().regime != MixtureRegime::points || features <= kernels::cuda::kPointsFeatures;
  }
  void expect_definition(const Shape& shape, int most_slabs = 1024) const {
    test::expect_definition(random_mixture(shape), GetParam().precision, GetParam().regime, most_slabs);
  }
};

TEST_P(DeviceSweepTest, FollowsTheDefinitionAtAwkwardSizes) {
  const Component c = GetParam().component;
  for (const std::int64_t rows : {0, 1, 31, 32, 33, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1000})
    expect_definition({c, rows, 5, 3, 3, rows % 2 == 1, rows % 3 == 1});
  for (const int d : {1, 2, 3, 4, 5, 8, 9, 13, 16, 17, 21, 25, 29, 32, 33, 47})
    if (sweeps(d))
      expect_definition({c, d > 20 ? 140 : 260, d % 2 == 0 ? 6 : 1, d, 3, d % 3 == 0, d % 2 == 0, unsigned(d)});
  for (const int k : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40})
    expect_definition({c, 130, k, 2 + k % 2, 3, false, k % 2 == 0, unsigned(k)});
}

// A slab that a block goes through tile by tile, and one after another.
TEST_P(DeviceSweepTest, FollowsTheDefinitionInLongSlabs) {
  for (const int slabs : {1, 3}) expect_definition({GetParam().component, 2500, 4, 3, 2, false, true}, slabs);
}

// Components that are apart, many of them, several rounds in a slab, and features that each kernel of a regime is for.
TEST_P(DeviceSweepTest, CountsThePairsThatAreNegligible) {
  for (const auto& [rows, components, features] :
       {std::tuple(2300, 3, 3), std::tuple(300, 9, 5), std::tuple(260, 40, 9), std::tuple(300, 7, 18),
        std::tuple(700, 5, 40)})
    if (sweeps(features))
      for (const int slabs : {1, 1024})
        expect_definition({GetParam().component, rows, components, features, 8, slabs > 1, slabs == 1}, slabs);
  if (GetParam().regime == MixtureRegime::points) return;
  const double share = swept({random_mixture({GetParam().component, 300, 9, 5, 8})}).negligible();
  EXPECT_GT(share, 0.3);
  EXPECT_LT(share, 0.95);
}

TEST_P(DeviceSweepTest, AComponentThatIsSwitchedOffGetsExactlyNothing) {
  MixtureProblem p = random_mixture({GetParam().component, 300, 5, 3, 3, false, true});
  p.constant[1] = p.constant[4] = -std::numeric_limits<double>::infinity();
  DeviceSweep sweep = swept({p});
  const Moments expected = definition(p);
  expect_moments(sweep, expected, p, tolerance_of(GetParam().precision, expected));
  for (const int k : {1, 4}) {
    EXPECT_EQ(sweep.count()[k], 0);
    for (int d = 0; d < 3; ++d) EXPECT_EQ(sweep.first()[k * 3 + d], 0);
    const std::int64_t size = p.component == Component::tied ? 0 : kernels::quadratic_size(p.component, 1, 3);
    for (std::int64_t i = 0; i < size; ++i) EXPECT_EQ(sweep.second()[k * size + i], 0);
  }
}

TEST_P(DeviceSweepTest, TheBitsDependOnTheProblemAlone) {
  const std::int64_t lengths[] = {1500, 1, 0, 700, 129, 513};
  std::vector<MixtureProblem> problems;
  std::vector<std::vector<double>> expected;
  for (const std::int64_t rows : lengths) {
    problems.push_back(random_mixture({GetParam().component, rows, 6, 3, 2, false, true, unsigned(rows)}));
    expected.push_back(swept({problems.back()}).outputs());
  }
  EXPECT_EQ(emulator::verdict(), "");
  for (unsigned seed = 0; seed < 4; ++seed) {  // every schedule of threads and blocks
    emulator::reset(emulator::options_for(seed));
    DeviceSweep batch(problems, GetParam().precision, GetParam().regime);
    batch.sweep(1 + int(seed));
    for (std::size_t p = 0; p < problems.size(); ++p) {
      batch.select(p);
      EXPECT_EQ(batch.outputs(), expected[p]) << "problem " << p << ", seed " << seed;
    }
  }
}

TEST_P(DeviceSweepTest, AProblemThatIsOverIsLeftAlone) {
  const MixtureProblem p = random_mixture({GetParam().component, 200, 3, 2, 2});
  DeviceSweep sweep({p, p}, GetParam().precision, GetParam().regime);
  sweep.deactivate(0);
  sweep.sweep();
  EXPECT_TRUE(std::isnan(sweep.entropy()) && std::isnan(sweep.count()[0]) && std::isnan(sweep.negligible()));
  sweep.select(1);
  EXPECT_FALSE(std::isnan(sweep.entropy()) || std::isnan(sweep.count()[0]));
}

TEST(DeviceSweep, MoreProblemsThanAGridHasRows) {
  const MixtureProblem p = random_mixture({Component::diag, 40, 2, 1, 2});
  DeviceSweep alone({p}, Scalar::float32, MixtureRegime::points), last({p}, Scalar::float32, MixtureRegime::points);
  alone.sweep();
  last.put_behind(65536);
  last.sweep();
  EXPECT_EQ(last.outputs(), alone.outputs());
}

// What a sweep keeps beside the rows: no more of a hundred million than of four.
TEST(DeviceSweep, ScratchStopsGrowingWithTheRows) {
  struct {
    Component component;
    int components, features;
  } const shapes[] = {{Component::full, 16, 2},    {Component::full, 64, 16},     {Component::full, 64, 64},
                      {Component::full, 128, 128}, {Component::diag, 32, 16},     {Component::diag, 256, 64},
                      {Component::tied, 64, 16},   {Component::spherical, 64, 16}};
  for (const auto& shape : shapes)
    for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
      MixtureSweepDevice op;
      op.component = shape.component, op.components = shape.components, op.features = shape.features;
      op.precision = precision;
      const std::int64_t bytes = kernels::cuda::mixture_sweep_scratch(op, 4'000'000);
      EXPECT_EQ(kernels::cuda::mixture_sweep_scratch(op, 100'000'000), bytes)
          << name_of(shape.component) << ' ' << shape.features << ' ' << shape.components;
      EXPECT_LE(bytes, 400 << 20);
    }
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return name_of(c.component) + (c.precision == Scalar::float32 ? "32" : "64");
}
std::vector<Case> cases(MixtureRegime regime, const std::vector<Component>& components,
                        const std::vector<Scalar>& precisions) {
  std::vector<Case> all;
  for (const Component c : components)
    for (const Scalar s : precisions) all.push_back({c, s, regime});
  return all;
}
const std::vector<Component> kEvery = {Component::full, Component::tied, Component::diag, Component::spherical};

INSTANTIATE_TEST_SUITE_P(Tile, DeviceSweepTest,
                         testing::ValuesIn(cases(MixtureRegime::tile, kEvery, {Scalar::float32, Scalar::float64})),
                         name_of_case);

INSTANTIATE_TEST_SUITE_P(Points, DeviceSweepTest,
                         testing::ValuesIn(cases(MixtureRegime::points, kEvery, {Scalar::float32})), name_of_case);
INSTANTIATE_TEST_SUITE_P(Fused, DeviceSweepTest,
                         testing::ValuesIn(cases(MixtureRegime::fused, kEvery, {Scalar::float32})), name_of_case);

class PointsTest : public testing::TestWithParam<Component> {};

// Lanes that share points, from one to all of a warp, and one component more or less than their threads have room for.
TEST_P(PointsTest, FollowsTheDefinitionHoweverManyLanesShareAPoint) {
  for (const int features : {1, 2, 3, 4})
    for (const int components : {1, 4, 5, 8, 15, 16, 17, 63, 64, 65, 127, 128})
      for (const std::int64_t rows : {127, 389})
        expect_definition(random_mixture({GetParam(), rows, components, features, 4, false, components % 3 == 0,
                                          unsigned(components)}),
                          Scalar::float32, MixtureRegime::points, 1);
}

// More points of a thread than float32 sums may bear.
TEST_P(PointsTest, FollowsTheDefinitionInLongSlabs) {
  expect_definition(random_mixture({GetParam(), 5000, 100, 2, 3}), Scalar::float32, MixtureRegime::points, 1);
}

// Exponentials of logits relative to the largest offset vanish: of rows here and there, and of nearly all where one
// component is far denser than the others.
TEST_P(PointsTest, FollowsTheDefinitionFarFromAllComponents) {
  for (const int features : {1, 2, 3, 4})
    for (const bool weights : {false, true})
      for (const double denser : {0, 40, 100}) {
        MixtureProblem p = random_mixture({GetParam(), 700, 7, features, 30, false, weights});
        for (std::int64_t n = 0; n < p.rows; n += 37) p.x[n * features] = float(n % 2 == 0 ? 60 + n : -60 - n / 8.0);
        p.constant[3] += denser;
        expect_definition(p, Scalar::float32, MixtureRegime::points);
      }
}

INSTANTIATE_TEST_SUITE_P(Every, PointsTest, testing::ValuesIn(kEvery),
                         [](const auto& component) { return name_of(component.param); });

// More components leave room for fewer points, and in the end for none of their responsibilities.
class FusedTileTest : public testing::TestWithParam<Component> {};

TEST_P(FusedTileTest, FollowsTheDefinition) {
  const Component c = GetParam();
  std::set<std::pair<int, bool>> tiles;
  const auto sweep = [&](int components, int features, std::int64_t rows) {
    expect_definition(
        random_mixture({c, rows, components, features, 2, rows % 2 == 0, rows % 3 == 0, unsigned(components)}),
        Scalar::float32, MixtureRegime::fused, 1);
    const kernels::cuda::FusedChoice choice = kernels::cuda::fused_choice(c, components, features);
    tiles.insert({choice.points, choice.r_shared});
  };
  for (const auto& [components, features] : {std::pair{70, 5}, {120, 5}, {200, 5}, {350, 5}, {130, 13}})
    for (const std::int64_t rows : {1, 65, 300}) sweep(components, features, rows);
  EXPECT_EQ(tiles, (std::set<std::pair<int, bool>>{{256, true}, {128, true}, {64, true}, {64, false}}));
  if (c != Component::full) return;
  for (const int features : {20, 40})
    for (const std::int64_t rows : {1, 257}) sweep(100, features, rows);
  EXPECT_EQ(tiles.count({256, false}), 1u);
}

// Where blocks have the least shared memory that passes want: tiles that fill it, one of them to the last kilobyte.
TEST_P(FusedTileTest, FitsIntoTheSmallestBlock) {
  emulator::Options options;
  options.architecture = emulator::sm_86();
  for (int components = 70; components < 90; ++components) {
    emulator::reset(options);
    const MixtureProblem p = random_mixture({GetParam(), 3, components, 12, 2});
    DeviceSweep sweep({p}, Scalar::float32, MixtureRegime::fused);
    sweep.sweep();
    EXPECT_EQ(sweep.failure(), kernels::cuda::kNoFailure);
  }
}

INSTANTIATE_TEST_SUITE_P(Every, FusedTileTest, testing::ValuesIn(kEvery),
                         [](const auto& component) { return name_of(component.param); });

INSTANTIATE_TEST_SUITE_P(Chunked, DeviceSweepTest,
                         testing::ValuesIn(cases(MixtureRegime::chunked, {Component::full}, {Scalar::float32})),
                         name_of_case);

INSTANTIATE_TEST_SUITE_P(Tensor, DeviceSweepTest,
                         testing::ValuesIn(cases(MixtureRegime::tensor, {Component::full}, {Scalar::float32})),
                         name_of_case);

// The features that tensor cores are for: every way in which a matrix is cut into parts, and its edges.
TEST(TensorSweepTest, FollowsTheDefinitionForManyFeatures) {
  for (const int d : {32, 33, 48, 64, 65, 96, 111, 128})
    for (const std::int64_t rows : {0, 1, 127, 128, 129})
      expect_definition(random_mixture({Component::full, rows, 3, d, 2, false, rows % 2 == 1, unsigned(d)}),
                        Scalar::float32);
}

// More points of a component than float32 sums may bear, and more tiles of a slab than a round has.
TEST(TensorSweepTest, FollowsTheDefinitionInLongSlabs) {
  const MixtureProblem p = random_mixture({Component::full, 5000, 2, 33, 1});
  const Moments expected = definition(p);
  std::vector<std::vector<double>> bits;
  for (const unsigned seed : {0, 1}) {
    emulator::reset(emulator::options_for(seed));
    DeviceSweep sweep({p}, Scalar::float32, MixtureRegime::automatic, 2);
    sweep.sweep(1 + int(seed));
    expect_moments(sweep, expected, p, tolerance_of(Scalar::float32, expected));
    expect_negligible(sweep.negligible(), expected, p, Scalar::float32);
    bits.push_back(sweep.outputs());
  }
  EXPECT_EQ(bits[0], bits[1]);
}

TEST(TensorSweepTest, IsForWhatTensorCoresAreGoodFor) {
  const auto regime = [](Component c, int features, Scalar precision, bool tensor_cores = true) {
    MixtureSweepDevice op;
    op.component = c, op.components = 16, op.features = features, op.precision = precision;
    op.tensor_cores = tensor_cores;
    return mixture_regime(op, 100'000);
  };
  EXPECT_EQ(regime(Component::full, 31, Scalar::float32), "fused");
  EXPECT_EQ(regime(Component::full, 32, Scalar::float32), "tensor");
  EXPECT_EQ(regime(Component::full, 128, Scalar::float32), "tensor");
  EXPECT_EQ(regime(Component::full, 129, Scalar::float32), "chunked");
  EXPECT_EQ(regime(Component::full, 64, Scalar::float32, false), "fused");
  EXPECT_EQ(regime(Component::full, 64, Scalar::float64), "tile");
  EXPECT_EQ(regime(Component::diag, 64, Scalar::float32), "fused");
}

class FamilyTest : public testing::TestWithParam<Component> {};

// One block for a whole problem takes the very steps that the stages take in the plain regime.
TEST_P(FamilyTest, ABlockGivesTheBitsOfTheStages) {
  std::vector<MixtureProblem> problems;
  for (const std::int64_t rows : {700, 0, 1, 129})
    problems.push_back(random_mixture({GetParam(), rows, 5, 6, 2, false, true, unsigned(rows)}));
  for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
    DeviceSweep stages(problems, precision, MixtureRegime::tile), blocks(problems, precision, MixtureRegime::tile);
    stages.sweep();
    blocks.sweep_block();
    for (std::size_t p = 0; p < problems.size(); ++p) {
      stages.select(p);
      blocks.select(p);
      EXPECT_EQ(blocks.outputs(), stages.outputs()) << "problem " << p;
    }
  }
}

TEST_P(FamilyTest, ReportsTheComponentWhoseParametersAreWrong) {
  using kernels::cuda::Failure;
  const auto failure = [&](const MixtureProblem& p) {
    DeviceSweep stages({p}, Scalar::float32), block({p}, Scalar::float32);
    stages.sweep();
    block.sweep_block();
    EXPECT_EQ(stages.failure(), block.failure());
    return stages.failure();
  };
  const auto expected = [](int element, int cause) {
    return Failure(9) << 40 | Failure(element) << 8 | Failure(cause);
  };
  const int last = GetParam() == Component::tied ? 0 : 2;
  for (const double bad : {0.0, 1.0, std::nan(""), -std::numeric_limits<double>::infinity()}) {
    MixtureProblem p = random_mixture({GetParam(), 100, 3, 2, 1});
    p.quadratic.back() = bad;
    EXPECT_EQ(failure(p), expected(last, kernels::cuda::kNotPositiveDefinite)) << bad;
  }
  MixtureProblem p = random_mixture({GetParam(), 100, 3, 2, 1});
  p.linear[2] = std::nan("");
  EXPECT_EQ(failure(p), expected(1, kernels::cuda::kLogitNotFinite));
  p = random_mixture({GetParam(), 100, 3, 2, 1});
  p.constant.assign(3, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(failure(p), expected(3, kernels::cuda::kAllSwitchedOff));
}

TEST_P(FamilyTest, SlabsCoverTheRowsInOrder) {
  for (const int features : {1, 16, 200})
    for (const int components : {1, 64, 1000}) {
      MixtureSweepDevice op;
      op.component = GetParam(), op.components = components, op.features = features;
      std::int64_t before = 0;
      for (const std::int64_t rows : {0l, 1l, 128l, 129l, 4096l, 100'001l, 10'000'000l, 3'000'000'000l}) {
        const std::int64_t slabs = mixture_slabs(op, rows);
        EXPECT_GE(slabs, before);
        before = slabs;
        EXPECT_EQ(mixture_slab_begin(op, rows, 0), 0);
        EXPECT_EQ(mixture_slab_begin(op, rows, slabs), rows);
        for (std::int64_t s = 1; s < slabs; ++s) {
          EXPECT_EQ(mixture_slab_begin(op, rows, s) % kernels::cuda::kTile, 0);
          EXPECT_GT(mixture_slab_begin(op, rows, s), mixture_slab_begin(op, rows, s - 1));
        }
        EXPECT_LT(mixture_sweep_scratch(op, rows), std::int64_t(1000) << 20);
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Every, FamilyTest, testing::ValuesIn(kEvery),
                         [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace cavi::test
