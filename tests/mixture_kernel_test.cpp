// SPDX-License-Identifier: Apache-2.0
// Mixture sweeps and starts against their definition in long double.
#include "kernels/cpu/mixture_frame.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/components/full.hpp"
#include "tests/mixture_kernel_oracle.hpp"

#include <cavi/error.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace {
std::atomic<std::int64_t> allocations = 0;
}

// Counted for the one test that asks.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace cavi::test {
namespace {

using kernels::cpu::ThreadPool;

void expect_definition(const Shape& shape) {
  const MixtureProblem p = random_mixture(shape);
  const Moments expected = definition(p);
  ThreadPool pool(2);
  for (const Scalar precision : {Scalar::float32, Scalar::float64})
    for (const Storage storage : {Storage::float32, Storage::float64, Storage::strided, Storage::file}) {
      SCOPED_TRACE(testing::Message() << name_of(shape.component) << " N " << shape.rows << " K " << shape.components
                                      << " D " << shape.features << " precision " << size_of(precision) << " storage "
                                      << int(storage));
      Bench bench(p, storage, precision);
      bench.sweep(pool);
      expect_moments(bench, expected, p, tolerance_of(precision, expected));
      expect_negligible(bench.negligible(), expected, p, precision, p.component != Component::full || p.features > 4);
      if (precision == Scalar::float64) {
        std::vector<double> r(p.rows * p.components, std::nan(""));
        kernels::cpu::mixture_responsibilities(bench.op(), bench.problem(), r.data(), pool);
        for (std::size_t i = 0; i < r.size(); ++i) ASSERT_NEAR(r[i], expected.r[i], 1e-12) << "responsibility " << i;
      }
    }
}

class MixtureSweepTest : public testing::TestWithParam<Component> {};

TEST_P(MixtureSweepTest, FollowsTheDefinitionAtAwkwardSizes) {
  for (const std::int64_t rows : {0, 1, 15, 16, 17, 47, 48, 49, 255, 256, 257, 1000})
    expect_definition({GetParam(), rows, 5, 3, 3, rows % 2 == 1, rows % 3 == 1});
  for (int d = 1; d <= 33; ++d) expect_definition({GetParam(), 70, 3, d, 3, d % 3 == 0, d % 2 == 0, unsigned(d)});
  for (int k = 1; k <= 40; ++k) expect_definition({GetParam(), 65, k, 4, 3, false, k % 2 == 0, unsigned(k)});
}

// Separated components of many features: blocks after the first are screened.
TEST_P(MixtureSweepTest, FollowsTheDefinitionWhereFewComponentsMatter) {
  for (const int d : {32, 39}) expect_definition({GetParam(), 1500, 20, d, 40, d % 2 == 1, d % 2 == 1});
}

TEST_P(MixtureSweepTest, CountsThePairsThatAreNegligible) {
  for (const auto& [rows, features, kappa] : {std::tuple(777, 5, 8.0), std::tuple(2000, 33, 60.0)}) {
    const MixtureProblem p = random_mixture({GetParam(), rows, 9, features, kappa, false, true});
    const Moments expected = definition(p);
    ThreadPool pool(2);
    for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
      Bench bench(p, Storage::float32, precision);
      bench.sweep(pool);
      expect_negligible(bench.negligible(), expected, p, precision);
      EXPECT_GT(bench.negligible(), 0.3);
      EXPECT_LT(bench.negligible(), 0.95);
    }
  }
}

// Weighted rows and repeated ones: the same statistics, up to the rounding of other sums.
TEST_P(MixtureSweepTest, IntegerWeightsAreRepeatedRowsAndWeightZeroIsNoRow) {
  MixtureProblem weighted = random_mixture({GetParam(), 300, 4, 5, 2});
  MixtureProblem repeated = weighted;
  repeated.x.clear();
  repeated.rows = 0;
  for (std::int64_t n = 0; n < weighted.rows; ++n) {
    weighted.weight.push_back(double(n % 4));
    for (int i = 0; i < n % 4; ++i, ++repeated.rows)
      repeated.x.insert(repeated.x.end(), weighted.x.begin() + n * 5, weighted.x.begin() + (n + 1) * 5);
  }
  ThreadPool pool(2);
  for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
    Bench a(weighted, Storage::float64, precision), b(repeated, Storage::float64, precision);
    a.sweep(pool);
    b.sweep(pool);
    const auto x = a.outputs(), y = b.outputs();
    const double tolerance = precision == Scalar::float32 ? 2e-6 : 1e-13;
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], tolerance * (450 + std::abs(y[i]))) << i;
  }
}

TEST_P(MixtureSweepTest, AComponentThatIsSwitchedOffGetsExactlyNothing) {
  MixtureProblem p = random_mixture({GetParam(), 1000, 5, 3, 3, false, true});
  p.constant[1] = p.constant[4] = -std::numeric_limits<double>::infinity();
  ThreadPool pool(2);
  for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
    Bench bench(p, Storage::float32, precision);
    bench.sweep(pool);
    const Moments expected = definition(p);
    expect_moments(bench, expected, p, tolerance_of(precision, expected));
    for (const int k : {1, 4}) {
      EXPECT_EQ(bench.count()[k], 0);
      for (int d = 0; d < 3; ++d) EXPECT_EQ(bench.first()[k * 3 + d], 0);
      const std::int64_t size = GetParam() == Component::tied ? 0 : kernels::quadratic_size(GetParam(), 1, 3);
      for (std::int64_t i = 0; i < size; ++i) EXPECT_EQ(bench.second()[k * size + i], 0);
    }
    std::vector<double> r(p.rows * 5);
    kernels::cpu::mixture_responsibilities(bench.op(), bench.problem(), r.data(), pool);
    for (std::int64_t n = 0; n < p.rows; ++n) EXPECT_EQ(r[n * 5 + 1] + r[n * 5 + 4], 0);
  }
  p.constant.assign(5, -std::numeric_limits<double>::infinity());
  Bench off(p, Storage::float32, Scalar::float64);
  EXPECT_THROW(off.sweep(pool), NumericalError);
}

TEST_P(MixtureSweepTest, NamesTheComponentWhoseParametersAreWrong) {
  ThreadPool pool(2);
  const auto message = [&](MixtureProblem p) -> std::string {
    Bench bench(p, Storage::float32, Scalar::float32);
    try {
      bench.sweep(pool);
    } catch (const NumericalError& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  for (const double bad : {0.0, 1.0, std::nan(""), -std::numeric_limits<double>::infinity()}) {
    MixtureProblem p = random_mixture({GetParam(), 100, 3, 2, 1});
    if (p.quadratic.empty()) break;
    const std::size_t one = p.quadratic.size() / (GetParam() == Component::tied ? 1 : 3);
    p.quadratic[p.quadratic.size() - 1] = bad;  // an element of the last diagonal
    EXPECT_NE(message(p).find("component " + std::to_string(p.quadratic.size() / one - 1)), std::string::npos)
        << message(p);
  }
  MixtureProblem p = random_mixture({GetParam(), 100, 3, 2, 1});
  p.linear[2] = std::nan("");
  EXPECT_NE(message(p).find("component 1"), std::string::npos) << message(p);
}

TEST_P(MixtureSweepTest, TheBitsDependOnTheProblemAlone) {
  for (const Shape& shape : {Shape{GetParam(), 30'000, 7, 5, 2}, Shape{GetParam(), 5000, 40, 13, 2, true, true},
                             Shape{GetParam(), 9000, 12, 33, 40, false, true}}) {
    const MixtureProblem p = random_mixture(shape);
    for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
      ThreadPool one(1);
      Bench bench(p, Storage::float32, precision);
      bench.sweep(one);
      const auto expected = bench.outputs();
      for (const int threads : {1, 2, 8}) {
        ThreadPool pool(threads);
        Bench again(p, Storage::file, precision);
        again.sweep(pool);
        EXPECT_EQ(again.outputs(), expected) << threads << " threads";
        // Many problems at once, each inside a task; the rows lie within a longer matrix.
        MixtureProblem longer = p;
        longer.x.insert(longer.x.begin(), 11 * p.features, 5.0);
        longer.rows += 11;
        std::vector<std::unique_ptr<Bench>> batch;
        for (int b = 0; b < 4; ++b) {
          batch.push_back(std::make_unique<Bench>(longer, Storage::strided, precision));
          batch.back()->problem().rows[0].first = 11;
          batch.back()->problem().rows[0].count = p.rows;
        }
        pool.run(4, [&](std::int64_t b, int) { batch[b]->sweep(pool); });
        for (const auto& b : batch) EXPECT_EQ(b->outputs(), expected) << threads << " threads, batch";
      }
    }
  }
}

TEST_P(MixtureSweepTest, AllocatesNothingOnceItHasItsScratch) {
  const MixtureProblem p = random_mixture({GetParam(), 10'000, 40, 12, 2});
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    Bench bench(p, Storage::float32, Scalar::float32);
    bench.start({}, pool);
    for (int repeat = 0; repeat < 5; ++repeat) kernels::cpu::mixture_sweep(bench.op(), bench.problem(), pool);
    const auto before = allocations.load();
    kernels::cpu::mixture_sweep(bench.op(), bench.problem(), pool);
    EXPECT_EQ(allocations.load(), before) << threads << " threads";
  }
}

// Statistics of responsibilities that the caller gives: what mixture_start has to find.
Moments moments_of(const MixtureProblem& p, const std::vector<Real>& r) {
  Moments m = no_moments(p);
  for (std::int64_t n = 0; n < p.rows; ++n)
    add_moments(p, row(p, n), p.weight.empty() ? 1 : p.weight[n], r.data() + n * p.components, m);
  return m;
}

TEST_P(MixtureSweepTest, AStartFollowsTheDefinition) {
  ThreadPool pool(2);
  for (const std::int64_t rows : {0, 1, 23, 24, 25, 5000})
    for (const int k : {1, 2, 7}) {
      const MixtureProblem p = random_mixture({GetParam(), rows, k, 6, 2, rows % 2 == 1, k == 7});
      std::mt19937 rng(1);
      kernels::Responsibilities labels, wide, narrow;
      std::vector<Real> hard(rows * k), soft(rows * k), rounded(rows * k);
      std::vector<double> dense;
      std::vector<float> single;
      for (std::int64_t n = 0; n < rows; ++n) {
        labels.labels.push_back(std::int32_t(rng() % k));
        hard[n * k + labels.labels.back()] = 1;
        double sum = 0;
        std::vector<double> draw(k);
        for (double& v : draw) sum += v = rng() % 3 == 0 ? 0 : rng() / 4e9 + 1e-3;
        if (sum == 0) sum = draw[0] = 1;
        Real single_sum = 0;
        for (int j = 0; j < k; ++j) single_sum += Real(float(draw[j] / sum));
        for (int j = 0; j < k; ++j) {
          dense.push_back(draw[j] / sum);
          single.push_back(float(draw[j] / sum));
          soft[n * k + j] = draw[j] / sum;
          rounded[n * k + j] = Real(float(draw[j] / sum)) / single_sum;
        }
      }
      if (rows > 0) {
        wide.dense = Matrix(dense, rows, k);
        narrow.dense = Matrix(single, rows, k);
      }
      for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
        SCOPED_TRACE(testing::Message() << "N " << rows << " K " << k << " precision " << size_of(precision));
        // The rows are rounded to the sweeps' precision, which is exact here but for the origin and the weights.
        const double tolerance =
            precision == Scalar::float32 && (!p.origin.empty() || !p.weight.empty()) ? 1e-6 : 1e-14;
        Bench bench(p, Storage::float32, precision);
        bench.start(labels, pool);
        expect_moments(bench, moments_of(p, hard), p, tolerance);
        if (rows == 0) continue;
        bench.start(wide, pool);
        expect_moments(bench, moments_of(p, soft), p, tolerance);
        bench.start(narrow, pool);
        expect_moments(bench, moments_of(p, rounded), p, tolerance);
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Every, MixtureSweepTest, testing::ValuesIn(kEveryComponent),
                         [](const auto& test) { return name_of(test.param); });

// Of the same points, found again by their rows.
template <class T>
void expect_screened(const MixtureProblem& p, double largest_share) {
  ThreadPool pool(1);
  Bench bench(p, Storage::float32, Scalar::float32);
  const kernels::Rows& rows = bench.problem().rows[0];
  std::vector<std::byte> memory;
  const auto frame = [&] {
    kernels::cpu::Arena measure;
    kernels::cpu::Frame<kernels::components::Full, T>(measure, p.components, p.features);
    memory.resize(measure.used() + 64);
    kernels::cpu::Arena arena(memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64));
    kernels::cpu::Frame<kernels::components::Full, T> f(arena, p.components, p.features);
    f.set(bench.op(), bench.problem(), pool);
    return f;
  }();
  const auto& tiles = kernels::cpu::tiles<T>();
  kernels::cpu::RowBlock<T> plain(rows, p.components), other(rows, p.components);
  const auto &a = plain.load(0, p.rows, nullptr), &b = other.load(0, p.rows, nullptr);
  const double lse = tiles.respond(frame.parameters(), a);
  EXPECT_NEAR(tiles.respond_screened(frame.parameters(), b), lse, 1e-6 * std::abs(lse) + 1e-6);

  std::map<std::vector<T>, int> place;
  const auto point = [&](const auto& block, int i) {
    std::vector<T> x;
    for (int d = 0; d < p.features; ++d) x.push_back(block.x[d * block.stride + i]);
    return x;
  };
  for (int i = 0; i < p.rows; ++i) place[point(a, i)] = i;
  ASSERT_EQ(place.size(), std::size_t(p.rows)) << "rows that are alike tell nothing";
  const double negligible = sizeof(T) == 4 ? 0x1p-20 : 0x1p-40;  // of roots
  const double tolerance = tolerance_of(sizeof(T) == 4 ? Scalar::float32 : Scalar::float64, definition(p));
  std::int64_t found = 0, kept = 0;
  for (int i = 0; i < b.points; ++i) {
    if (b.weight[i] == 0) continue;
    const auto at = place.find(point(b, i));
    ASSERT_NE(at, place.end()) << i;
    ++found;
    for (int k = 0; k < p.components; ++k) {
      const double expected = a.r[k * a.stride + at->second], got = b.r[k * b.stride + i];
      EXPECT_NEAR(got, expected, expected >= negligible ? tolerance * expected : negligible) << "component " << k;
      kept += got > 0;
    }
  }
  EXPECT_EQ(found, p.rows);
  EXPECT_LE(double(kept), largest_share * double(p.rows) * p.components);
}

TEST(MixtureScreening, LeavesResponsibilitiesThatMatterAsTheyAre) {
  for (const int d : {32, 33, 38, 41})
    for (const std::int64_t rows : {1, 47, 48, 49, 192}) {
      SCOPED_TRACE(testing::Message() << rows << " x " << d);
      for (const double kappa : {0.5, 3.0, 60.0}) {
        const MixtureProblem p = random_mixture({Component::full, rows, 9, d, kappa});
        // A tile of the new order holds points of several components; those of one alone would keep 1 of 9.
        expect_screened<float>(p, kappa == 60 && rows >= 49 ? 0.6 : 1);
        expect_screened<double>(p, kappa == 60 && rows >= 49 ? 0.6 : 1);
      }
    }
}

TEST(MixtureStart, RandomResponsibilitiesBelongToTheSeedAndTheRow) {
  const MixtureProblem p = random_mixture({Component::diag, 3000, 5, 2, 1});
  ThreadPool pool(2);
  Bench bench(p, Storage::float64, Scalar::float64);
  kernels::Responsibilities given;
  bench.start(given, pool);
  const auto first = bench.outputs();
  EXPECT_NEAR(bench.count()[0] + bench.count()[1] + bench.count()[2] + bench.count()[3] + bench.count()[4], 3000, 1e-9);
  for (int k = 0; k < 5; ++k) EXPECT_NEAR(bench.count()[k], 600, 30);
  EXPECT_GT(bench.entropy(), 0.7 * 3000 * std::log(5.0));
  EXPECT_LT(bench.entropy(), 3000 * std::log(5.0));
  bench.problem().first_row = 12345;  // where the problem stands in a batch does not matter
  bench.start(given, pool);
  EXPECT_EQ(bench.outputs(), first);
  given.seed = 1;
  bench.start(given, pool);
  EXPECT_NE(bench.outputs(), first);
}

TEST(MixtureStart, NamesTheRowOfTheWholeBatchThatIsWrong) {
  const MixtureProblem p = random_mixture({Component::full, 40, 3, 2, 1});
  ThreadPool pool(2);
  Bench bench(p, Storage::float64, Scalar::float64);
  bench.problem().first_row = 100;
  const auto message = [&](const kernels::Responsibilities& given) -> std::string {
    try {
      bench.start(given, pool);
    } catch (const ShapeError& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  for (const std::int32_t bad : {-1, 3, 2'000'000'000}) {
    kernels::Responsibilities given;
    given.labels.assign(140, 1);
    given.labels[117] = bad;
    EXPECT_NE(message(given).find("row 117"), std::string::npos) << message(given);
  }
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {-0.1, 0.5, 0.3 + 1e-5, infinity, std::nan("")}) {
    std::vector<double> dense;
    for (int n = 0; n < 140; ++n) dense.insert(dense.end(), {0.3, 0.3, 0.4});
    dense[3 * 121 + 1] = bad;
    kernels::Responsibilities given;
    given.dense = Matrix(dense, 140, 3);
    EXPECT_NE(message(given).find("row 121"), std::string::npos) << message(given);
  }
  kernels::Responsibilities few;
  few.labels.assign(120, 1);
  EXPECT_THROW(bench.start(few, pool), ShapeError);
}

}  // namespace
}  // namespace cavi::test
