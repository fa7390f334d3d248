// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

constexpr int kMostIterations = 100;
constexpr double kTolerance = 1e-4;  // stop when the inertia falls by less than this part of itself

// Rows with the nearest of some centres, and the squared distance to it. The lower number wins a tie.
template <class T>
struct Clustering {
  const Rows& rows;
  const double* weight;
  ThreadPool& pool;
  int features = rows.source->cols();
  Slabs slabs = cut_slabs(rows.count, kBlock, 0);
  std::vector<double> centres{};  // those that exist, [.. x features]
  std::vector<std::int32_t> label = std::vector<std::int32_t>(rows.count, 0);
  std::vector<T> distance = std::vector<T>(rows.count, std::numeric_limits<T>::infinity());

  int size() const { return int(centres.size()) / features; }
  double weight_of(std::int64_t n) const { return weight ? weight[n] : 1; }

  void add_centre(std::int64_t row) {
    std::vector<double> raw(features), x(features);
    load_features(rows, row, 1, raw.data(), x.data(), 1);
    centres.insert(centres.end(), x.begin(), x.end());
  }

  // visit(x, first, count, slab): every block of rows, feature-major.
  template <class Visit>
  void for_each_block(Visit visit) {
    pool.run(slabs.count, [&](std::int64_t s, int worker) {
      auto take = [&](Arena arena) {
        double* raw = arena.take<double>(raw_size(rows, kBlock));
        T* x = arena.take<T>(std::int64_t(features) * kBlock);
        return std::tuple(raw, x, arena.used());
      };
      const auto [raw, x, bytes] = take(Arena(pool.scratch(worker, std::get<2>(take(Arena())), 1)));
      std::fill_n(x, std::int64_t(features) * kBlock, T(0));
      for (std::int64_t first = slabs.begin(s); first < slabs.end(s); first += kBlock) {
        const std::int64_t count = std::min<std::int64_t>(kBlock, slabs.end(s) - first);
        load_features(rows, first, count, raw, x, kBlock);
        visit(x, first, count, s);
      }
    });
  }

  // Moves the rows of a block to the nearest of centres [from, size()), if that is nearer than where they are.
  void move_to_nearest(const T* x, std::int64_t first, std::int64_t count, int from) {
    for (int k = from; k < size(); ++k) {
      T square[kBlock] = {};
      for (int d = 0; d < features; ++d) {
        const T c = T(centres[std::int64_t(k) * features + d]);
        for (int i = 0; i < kBlock; ++i) {
          const T z = x[d * kBlock + i] - c;
          square[i] += z * z;
        }
      }
      for (std::int64_t i = 0; i < count; ++i)
        if (square[i] < distance[first + i]) distance[first + i] = square[i], label[first + i] = k;
    }
  }

  // The row where the running sum of `mass` passes u times its total, -1 when there is no mass.
  template <class Mass>
  std::int64_t draw(double u, Mass mass) {
    std::vector<double> sums(slabs.count, 0.0);
    pool.run(slabs.count, [&](std::int64_t s, int) {
      for (std::int64_t n = slabs.begin(s); n < slabs.end(s); ++n) sums[s] += mass(n);
    });
    int end = slabs.count;  // the last slab with mass is walked to its end, whatever rounding left over
    while (end > 0 && !(sums[end - 1] > 0)) --end;
    double rest = u * std::accumulate(sums.begin(), sums.end(), 0.0);
    std::int64_t last = -1;
    for (int s = 0; s < end; ++s) {
      if (rest > sums[s] && s + 1 < end) {
        rest -= sums[s];
        continue;
      }
      for (std::int64_t n = slabs.begin(s); n < slabs.end(s); ++n)
        if (const double m = mass(n); m > 0) {
          last = n;
          if ((rest -= m) <= 0) return n;
        }
    }
    return last;
  }

  // k-means++: every further seed with probability proportional to its squared distance from those before it
  // (Arthur and Vassilvitskii, SODA 2007).
  void spread_seeds(int components, std::uint64_t seed) {
    while (size() < components) {
      const int k = size();
      const double u = random::uniform(seed, random::Stream::seeds, std::uint64_t(k));
      const std::int64_t row =
          draw(u, [&](std::int64_t n) { return k ? weight_of(n) * double(distance[n]) : weight_of(n); });
      if (row < 0) return;  // every row of weight is a seed already
      add_centre(row);
      for_each_block([&](const T* x, std::int64_t first, std::int64_t count, std::int64_t) {
        move_to_nearest(x, first, count, k);
      });
    }
  }

  // Weighted draws without replacement: the smallest of exponential variates with the weights as rates.
  void random_seeds(int components, std::uint64_t seed) {
    std::vector<std::pair<double, std::int64_t>> key;
    for (std::int64_t n = 0; n < rows.count; ++n)
      if (weight_of(n) > 0)
        key.emplace_back(-std::log(random::uniform(seed, random::Stream::seeds, std::uint64_t(n))) / weight_of(n), n);
    const auto end = key.begin() + std::min<std::int64_t>(components, std::int64_t(key.size()));
    std::partial_sort(key.begin(), end, key.end());
    for (auto it = key.begin(); it != end; ++it) add_centre(it->second);
    for_each_block(
        [&](const T* x, std::int64_t first, std::int64_t count, std::int64_t) { move_to_nearest(x, first, count, 0); });
  }

  // Centres become the means of their rows, rows move to the nearest centre, until that changes little.
  void lloyd() {
    const int k = size();
    const std::int64_t size = std::int64_t(k) * features + k + 2, stride = (size + 7) / 8 * 8;
    std::vector<double> sums(stride * slabs.count);
    double inertia = std::numeric_limits<double>::infinity();
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for_each_block([&](const T* x, std::int64_t first, std::int64_t count, std::int64_t s) {
        double* sum = sums.data() + s * stride;
        double* mass = sum + std::int64_t(k) * features;
        std::int32_t before[kBlock];
        std::copy_n(label.data() + first, count, before);
        std::fill_n(distance.data() + first, count, std::numeric_limits<T>::infinity());
        move_to_nearest(x, first, count, 0);
        for (std::int64_t i = 0; i < count; ++i) {
          const double w = weight_of(first + i);
          const std::int32_t to = label[first + i];
          for (int d = 0; d < features; ++d) sum[std::int64_t(to) * features + d] += w * double(x[d * kBlock + i]);
          mass[to] += w;
          mass[k] += w * double(distance[first + i]);
          mass[k + 1] += to != before[i];
        }
      });
      tree_sum(sums.data(), slabs.count, size, stride, pool);
      const double* mass = sums.data() + std::int64_t(k) * features;
      if (iteration > 0 && (mass[k + 1] == 0 || inertia - mass[k] < kTolerance * inertia)) return;
      inertia = mass[k];
      for (int j = 0; j < k; ++j)
        for (int d = 0; d < features && mass[j] > 0; ++d)
          centres[std::int64_t(j) * features + d] = sums[std::int64_t(j) * features + d] / mass[j];
    }
  }
};

template <class T>
std::vector<std::int32_t> cluster(const Rows& rows, const double* weight, int components, Init init, std::uint64_t seed,
                                  ThreadPool& pool) {
  Clustering<T> c{rows, weight, pool};
  if (init == Init::random_from_data)
    c.random_seeds(components, seed);
  else
    c.spread_seeds(components, seed);
  if (init == Init::kmeans && c.size() > 0) c.lloyd();
  return std::move(c.label);
}

}  // namespace

std::vector<std::int32_t> start_labels(const Rows& rows, const double* weight, int components, Init init,
                                       std::uint64_t seed, Scalar precision, ThreadPool& pool) {
  return precision == Scalar::float32 ? cluster<float>(rows, weight, components, init, seed, pool)
                                      : cluster<double>(rows, weight, components, init, seed, pool);
}

}  // namespace cavi::kernels::cpu
