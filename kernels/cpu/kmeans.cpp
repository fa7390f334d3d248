// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

constexpr int kMostIterations = 100;
constexpr double kTolerance = 1e-4;  // stop when the inertia falls by less than this part of itself

// Rows with the nearest of some centres, and the squared distance to it. The lower number wins a tie.
template <class T>
class Clustering {
 public:
  Clustering(const Rows& rows, const double* weight, ThreadPool& pool)
      : rows_(rows),
        weight_(weight),
        pool_(pool),
        features_(rows.source->cols()),
        points_(RowBlock<T>::points(2, features_)),
        slabs_(cut_slabs(rows.count, points_, 0)),
        label_(rows.count, 0),
        distance_(rows.count, std::numeric_limits<T>::infinity()) {}

  // k-means++: every further seed with probability proportional to its squared distance from those before it
  // (Arthur and Vassilvitskii, SODA 2007).
  void spread_seeds(int components, std::uint64_t seed) {
    while (size() < components) {
      const int k = size();
      const double u = random::uniform(seed, random::Stream::seeds, std::uint64_t(k));
      const std::int64_t row =
          draw(u, [&](std::int64_t n) { return k ? weight(n) * double(distance_[n]) : weight(n); });
      if (row < 0) return;  // every row that counts lies on a seed already
      add_centre(row);
      for_each_block([&](const TileBlock<T>& b, std::int64_t first, std::int64_t count, std::int64_t) {
        move_to_nearest(b, first, count, k);
      });
    }
  }

  // Weighted draws without replacement: the smallest of exponential variates with the weights as rates
  // (Efraimidis and Spirakis, Information Processing Letters 97, 2006).
  void random_seeds(int components, std::uint64_t seed) {
    std::vector<std::pair<double, std::int64_t>> key;
    for (std::int64_t n = 0; n < rows_.count; ++n)
      if (weight(n) > 0)
        key.emplace_back(-std::log(random::uniform(seed, random::Stream::seeds, std::uint64_t(n))) / weight(n), n);
    const auto end = key.begin() + std::min<std::int64_t>(components, std::int64_t(key.size()));
    std::partial_sort(key.begin(), end, key.end());
    for (auto it = key.begin(); it != end; ++it) add_centre(it->second);
    for_each_block([&](const TileBlock<T>& b, std::int64_t first, std::int64_t count, std::int64_t) {
      move_to_nearest(b, first, count, 0);
    });
  }

  // Centres become the means of their rows (or stay, without rows), rows move to the nearest centre, until no row moves
  // or that gains little.
  void lloyd() {
    const int k = size();
    const std::int64_t entries = std::int64_t(k) * features_ + k + 2, stride = (entries + 7) / 8 * 8;
    std::vector<double> parts(stride * slabs_.count);
    double before = std::numeric_limits<double>::infinity();
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      std::fill(parts.begin(), parts.end(), 0.0);
      std::fill(distance_.begin(), distance_.end(), std::numeric_limits<T>::infinity());
      for_each_block([&](const TileBlock<T>& b, std::int64_t first, std::int64_t count, std::int64_t slab) {
        double* sums = parts.data() + slab * stride;
        double *mass = sums + std::int64_t(k) * features_, *inertia = mass + k, *moved = inertia + 1;
        *moved += double(move_to_nearest(b, first, count, 0));
        for (std::int64_t i = 0; i < count; ++i) {
          const double w = weight(first + i);
          const std::int32_t to = label_[first + i];
          for (int f = 0; f < features_; ++f)
            sums[std::int64_t(to) * features_ + f] += w * double(b.x[f * b.stride + i]);
          mass[to] += w;
          *inertia += w * double(distance_[first + i]);
        }
      });
      tree_sum(parts.data(), slabs_.count, entries, stride, pool_);
      const double *mass = parts.data() + std::int64_t(k) * features_, inertia = mass[k], moved = mass[k + 1];
      if (iteration > 0 && (moved == 0 || before - inertia < kTolerance * before)) return;
      before = inertia;
      for (std::int64_t at = 0; at < std::int64_t(k) * features_; ++at)
        if (mass[at / features_] > 0) centres_[at] = T(parts[at] / mass[at / features_]);
    }
  }

  std::vector<std::int32_t> take_labels() { return std::move(label_); }

 private:
  int size() const { return int(centres_.size()) / features_; }
  double weight(std::int64_t n) const { return weight_ ? weight_[n] : 1; }

  void add_centre(std::int64_t row) {
    RowBlock<T> block(pool_, pool_.worker(), rows_, 2);
    const auto& b = block.load(row, 1, nullptr);
    for (int f = 0; f < features_; ++f) centres_.push_back(b.x[f * b.stride]);
  }

  template <class Visit>
  void for_each_block(Visit visit) {
    pool_.run(slabs_.count, [&](std::int64_t s, int worker) {
      RowBlock<T> block(pool_, worker, rows_, 2);
      for (std::int64_t first = slabs_.begin(s); first < slabs_.end(s); first += points_) {
        const std::int64_t count = std::min<std::int64_t>(points_, slabs_.end(s) - first);
        visit(block.load(first, count, nullptr), first, count, s);
      }
    });
  }

  // Gives the rows of a block the nearest of centres [from, size()) when that is nearer than what they have; returns
  // how many rows got another label.
  std::int64_t move_to_nearest(const TileBlock<T>& b, std::int64_t first, std::int64_t count, int from) {
    T *distance = b.r, *winner = b.r + b.stride;
    std::copy_n(distance_.data() + first, count, distance);
    tiles<T>().nearest(b, features_, centres_.data() + std::int64_t(from) * features_, size() - from);
    std::copy_n(distance, count, distance_.data() + first);
    std::int64_t moved = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int32_t to = winner[i] < 0 ? label_[first + i] : from + std::int32_t(winner[i]);
      moved += to != label_[first + i];
      label_[first + i] = to;
    }
    return moved;
  }

  // The row where the running sum of `mass` passes the u-th part of its total, -1 when there is no mass.
  template <class Mass>
  std::int64_t draw(double u, Mass mass) {
    std::vector<double> sums(slabs_.count, 0.0);
    pool_.run(slabs_.count, [&](std::int64_t s, int) {
      for (std::int64_t n = slabs_.begin(s); n < slabs_.end(s); ++n) sums[s] += mass(n);
    });
    int end = slabs_.count;  // the last slab with mass is walked to its end, whatever rounding left over
    while (end > 0 && !(sums[end - 1] > 0)) --end;
    double rest = u * std::accumulate(sums.begin(), sums.end(), 0.0);
    std::int64_t last = -1;
    for (int s = 0; s < end; ++s) {
      if (rest > sums[s] && s + 1 < end) {
        rest -= sums[s];
        continue;
      }
      for (std::int64_t n = slabs_.begin(s); n < slabs_.end(s); ++n)
        if (const double m = mass(n); m > 0) {
          last = n;
          if ((rest -= m) <= 0) return n;
        }
    }
    return last;
  }

  Rows rows_;
  const double* weight_;
  ThreadPool& pool_;
  int features_, points_;
  Slabs slabs_;
  std::vector<T> centres_;  // [.. x features]
  std::vector<std::int32_t> label_;
  std::vector<T> distance_;
};

template <class T>
std::vector<std::int32_t> cluster(const Rows& rows, const double* weight, int components, Init init, std::uint64_t seed,
                                  ThreadPool& pool) {
  Clustering<T> c(rows, weight, pool);
  if (init == Init::random_from_data)
    c.random_seeds(components, seed);
  else
    c.spread_seeds(components, seed);
  if (init == Init::kmeans) c.lloyd();
  return c.take_labels();
}

}  // namespace

std::vector<std::int32_t> start_labels(const Rows& rows, const double* weight, int components, Init init,
                                       std::uint64_t seed, Scalar precision, ThreadPool& pool) {
  return precision == Scalar::float32 ? cluster<float>(rows, weight, components, init, seed, pool)
                                      : cluster<double>(rows, weight, components, init, seed, pool);
}

}  // namespace cavi::kernels::cpu
