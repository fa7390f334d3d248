// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture.hpp"
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/kmeans_rules.hpp"
#include "kernels/math/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

// Centres, found by passes over the rows. Memory per row is one distance for k-means++, and none otherwise.
template <class T>
class Clustering {
 public:
  Clustering(const Rows& rows, const double* weight, ThreadPool& pool)
      : rows_(rows),
        weight_(weight),
        pool_(pool),
        features_(rows.source->cols()),
        points_(RowBlock<T>::points(2, features_)),
        slabs_(cut_slabs(rows.count, points_, 0)) {}

  // k-means++: every further seed with probability proportional to its squared distance from those before it
  // (Arthur and Vassilvitskii, SODA 2007).
  void spread_seeds(int components, std::uint64_t seed) {
    std::vector<T> distance(std::size_t(rows_.count), std::numeric_limits<T>::infinity());
    while (size() < components) {
      const int k = size();
      const double u = random::uniform(seed, random::Stream::seeds, std::uint64_t(k));
      const std::int64_t row = draw(u, [&](std::int64_t n) { return k ? weight(n) * double(distance[n]) : weight(n); });
      if (row < 0) return;  // every row that counts lies on a seed already
      add_centre(row);
      if (size() == components) return;
      for_each_block([&](const TileBlock<T>& b, std::int64_t first, std::int64_t count, std::int64_t) {
        std::copy_n(distance.data() + first, count, b.r);
        tiles<T>().nearest(b, features_, centres_.data() + std::int64_t(k) * features_, 1);
        std::copy_n(b.r, count, distance.data() + first);
      });
    }
  }

  // Weighted draws without replacement: the smallest of exponential variates with the weights as rates
  // (Efraimidis and Spirakis, Information Processing Letters 97, 2006).
  void random_seeds(int components, std::uint64_t seed) {
    using Key = std::pair<double, std::int64_t>;
    std::vector<std::vector<Key>> smallest(std::size_t(slabs_.count));  // a heap per slab, the largest on top
    pool_.run(slabs_.count, [&](std::int64_t s, int) {
      std::vector<Key>& heap = smallest[std::size_t(s)];
      for (std::int64_t n = slabs_.begin(s); n < slabs_.end(s); ++n) {
        if (!(weight(n) > 0)) continue;
        const Key key{-std::log(random::uniform(seed, random::Stream::seeds, std::uint64_t(n))) / weight(n), n};
        if (int(heap.size()) == components) {
          if (!(key < heap.front())) continue;
          std::pop_heap(heap.begin(), heap.end());
          heap.pop_back();
        }
        heap.push_back(key);
        std::push_heap(heap.begin(), heap.end());
      }
    });
    std::vector<Key> keys;
    for (const auto& heap : smallest) keys.insert(keys.end(), heap.begin(), heap.end());
    std::sort(keys.begin(), keys.end());
    if (std::int64_t(keys.size()) > components) keys.resize(std::size_t(components));
    for (const Key& key : keys) add_centre(key.second);
  }

  // Centres become the means of the rows nearest to them (or stay, without rows), until that gains little.
  void lloyd() {
    const int k = size();
    if (k == 0) return;
    const std::int64_t entries = std::int64_t(k) * features_ + k + 1, stride = (entries + 7) / 8 * 8;
    std::vector<double> parts(stride * slabs_.count);
    LloydRule rule;
    for (int iteration = 0; iteration < LloydRule::kMostIterations; ++iteration) {
      std::fill(parts.begin(), parts.end(), 0.0);
      for_each_block([&](const TileBlock<T>& b, std::int64_t first, std::int64_t count, std::int64_t slab) {
        double* sums = parts.data() + slab * stride;
        double *mass = sums + std::int64_t(k) * features_, *inertia = mass + k;
        T *distance = b.r, *winner = b.r + b.stride;
        std::fill_n(distance, count, std::numeric_limits<T>::infinity());
        tiles<T>().nearest(b, features_, centres_.data(), k);
        for (std::int64_t i = 0; i < count; ++i) {
          const double w = weight(first + i);
          const std::int64_t to = std::max(0, int(winner[i]));  // none when distances overflow
          for (int f = 0; f < features_; ++f) sums[to * features_ + f] += w * double(b.x[f * b.stride + i]);
          mass[to] += w;
          *inertia += w * double(distance[i]);
        }
      });
      tree_sum(parts.data(), slabs_.count, entries, stride, pool_);
      const double* mass = parts.data() + std::int64_t(k) * features_;
      if (rule.ends(mass[k])) return;
      for (std::int64_t at = 0; at < std::int64_t(k) * features_; ++at)
        if (mass[at / features_] > 0) centres_[at] = T(parts[at] / mass[at / features_]);
    }
  }

  std::vector<double> padded_centres(int components) const {
    std::vector<double> out(centres_.begin(), centres_.end());
    out.resize(std::size_t(components) * std::size_t(features_), std::numeric_limits<double>::infinity());
    return out;
  }

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

  // The row where the running sum of `mass` passes the u-th part of its total, -1 when there is no mass.
  template <class Mass>
  std::int64_t draw(double u, Mass mass) {
    std::vector<double> sums(slabs_.count, 0.0);
    pool_.run(slabs_.count, [&](std::int64_t s, int) {
      for (std::int64_t n = slabs_.begin(s); n < slabs_.end(s); ++n) sums[s] += mass(n);
    });
    std::int64_t last = -1;
    draw_in_slabs(u, sums, [&](std::int64_t s, double& rest) {
      return walk(slabs_.begin(s), slabs_.end(s), mass, rest, last) ? last : -1;
    });
    return last;
  }

  Rows rows_;
  const double* weight_;
  ThreadPool& pool_;
  int features_, points_;
  Slabs slabs_;
  std::vector<T> centres_;  // [.. x features]
};

template <class T>
std::vector<double> cluster(const Rows& rows, const double* weight, int components, Init init, std::uint64_t seed,
                            ThreadPool& pool) {
  Clustering<T> c(rows, weight, pool);
  if (init == Init::random_from_data)
    c.random_seeds(components, seed);
  else
    c.spread_seeds(components, seed);
  if (init == Init::kmeans) c.lloyd();
  return c.padded_centres(components);
}

}  // namespace

std::vector<double> start_centres(const Rows& rows, const double* weight, int components, Init init, std::uint64_t seed,
                                  Scalar precision, ThreadPool& pool) {
  return precision == Scalar::float32 ? cluster<float>(rows, weight, components, init, seed, pool)
                                      : cluster<double>(rows, weight, components, init, seed, pool);
}

}  // namespace cavi::kernels::cpu
