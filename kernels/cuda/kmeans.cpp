// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/kmeans.hpp"

#include "kernels/cuda/range.hpp"
#include "kernels/cuda/row_store.hpp"
#include "kernels/cuda/runtime.hpp"
#include "kernels/kmeans_rules.hpp"
#include "kernels/math/random.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace cavi::kernels::cuda {
namespace {

constexpr std::int64_t kPipe = std::int64_t(32) << 20, kMostSlabs = 1024, kTilesOfASlab = 8;

class Clustering {
 public:
  Clustering(const Rows& rows, const double* weight, int components, Scalar precision)
      : rows_(rows), weight_(weight), capacity_(components), precision_(precision) {
    const std::int64_t n = rows.count, d = rows.source->cols(), tiles = (n + kTile - 1) / kTile;
    const auto bytes = [&](std::int64_t numbers) { return std::size_t(numbers * size_of(precision)); };
    c_.rows = n;
    c_.features = int(d);
    c_.precision = precision;
    c_.slabs = std::clamp<std::int64_t>(tiles / kTilesOfASlab, 1, kMostSlabs);
    x_ = DeviceMemory(bytes(tiles * kTile * d));
    distance_ = DeviceMemory(bytes(n));
    label_ = DeviceMemory(std::size_t(n) * sizeof(std::int32_t));
    centres_ = DeviceMemory(bytes(components * d));
    sums_ = DeviceMemory(std::size_t(c_.slabs * (1 + components * (d + 1))) * sizeof(double));
    if (weight) weights_ = to_device(std::vector<double>(weight, weight + n), "copying weights to the device", stream_);
    c_.x = x_.data();
    c_.distance = distance_.data();
    c_.label = label_.as<std::int32_t>();
    c_.centres = centres_.data();
    c_.sums = sums_.as<double>();
    c_.weight = weight ? weights_.as<const double>() : nullptr;
    const std::int64_t tile = d * std::int64_t(sizeof(double)) * (kTile + 1);
    RowPipe pipe(std::size_t(std::clamp(tiles * tile, tile, std::max(tile, kPipe))), stream_);
    pipe.send(rows, 0, n, precision, x_.data());
  }

  /// Bytes of device memory that it wants.
  static std::int64_t bytes(const Rows& rows, int components, Scalar precision) {
    const std::int64_t n = rows.count + kTile, d = rows.source->cols();
    return n * (d + 1) * size_of(precision) + n * 12 + kMostSlabs * 8 * (1 + components * (d + 1)) + 2 * kPipe;
  }

  /// k-means++: every further seed with probability proportional to its squared distance from those before it.
  void spread_seeds(std::uint64_t seed) {
    while (size_ < capacity_) {
      const double u = random::uniform(seed, random::Stream::seeds, std::uint64_t(size_));
      const std::int64_t row = size_ == 0 ? draw_first(u) : draw(u);
      if (row < 0) return;  // every row that counts lies on a seed already
      check(enqueue_centre_on_row(c_, size_++, row, stream_), "launching a seed");
      if (size_ < capacity_) move_to_nearest(size_ - 1, size_ == 1);
    }
  }

  void lloyd() {
    if (size_ == 0) return;
    LloydRule rule;
    for (int iteration = 0; iteration < LloydRule::kMostIterations; ++iteration) {
      move_to_nearest(0, true);
      if (rule.ends(std::accumulate(inertia_.begin(), inertia_.end(), 0.0))) return;
      check(enqueue_means(c_, size_, stream_), "launching the means of clusters");
    }
  }

  std::vector<double> centres() const {
    std::vector<double> out = precision_ == Scalar::float32 ? read_centres<float>() : read_centres<double>();
    out.resize(std::size_t(capacity_) * std::size_t(c_.features), std::numeric_limits<double>::infinity());
    return out;
  }

 private:
  double weight(std::int64_t n) const { return weight_ ? weight_[n] : 1; }

  /// Leaves the slabs' inertia on the host.
  void move_to_nearest(int first, bool afresh) {
    check(enqueue_move_to_nearest(c_, first, size_, afresh, stream_), "launching k-means");
    inertia_.resize(std::size_t(c_.slabs));
    check(cudaMemcpyAsync(inertia_.data(), c_.sums, inertia_.size() * sizeof(double), cudaMemcpyDeviceToHost, stream_),
          "copying the inertia to the host");
    stream_.wait();
  }

  std::int64_t draw_first(double u) const {
    double total = 0;
    for (std::int64_t n = 0; n < rows_.count; ++n) total += weight(n);
    double rest = u * total;
    std::int64_t last = -1;
    walk(
        0, rows_.count, [&](std::int64_t n) { return weight(n); }, rest, last);
    return last;
  }

  /// The row where the running sum of weighted distances passes the u-th part of its total, -1 when all are zero.
  std::int64_t draw(double u) const {
    return draw_in_slabs(u, inertia_, [&](std::int64_t slab, double& rest) {
      return precision_ == Scalar::float32 ? walk_slab<float>(slab, rest) : walk_slab<double>(slab, rest);
    });
  }

  template <class T>
  std::int64_t walk_slab(std::int64_t slab, double& rest) const {
    const std::int64_t begin = cluster_slab_begin(c_.rows, c_.slabs, slab),
                       end = cluster_slab_begin(c_.rows, c_.slabs, slab + 1);
    std::vector<T> distance(std::size_t(end - begin));
    check(cudaMemcpyAsync(distance.data(), static_cast<const T*>(c_.distance) + begin, distance.size() * sizeof(T),
                          cudaMemcpyDeviceToHost, stream_),
          "copying distances to the host");
    stream_.wait();
    std::int64_t last = -1;
    const auto mass = [&](std::int64_t n) { return weight(n) * double(distance[std::size_t(n - begin)]); };
    walk(begin, end, mass, rest, last);
    return last;
  }

  template <class T>
  std::vector<double> read_centres() const {
    std::vector<T> values(std::size_t(size_) * std::size_t(c_.features));
    if (!values.empty())
      check(cudaMemcpyAsync(values.data(), c_.centres, values.size() * sizeof(T), cudaMemcpyDeviceToHost, stream_),
            "copying centres to the host");
    stream_.wait();
    return {values.begin(), values.end()};
  }

  const Rows rows_;
  const double* weight_;
  const int capacity_;
  const Scalar precision_;
  int size_ = 0;
  std::vector<double> inertia_;  // copied to by the stream, for which device memory waits when it goes
  Stream stream_;
  DeviceMemory x_, distance_, label_, centres_, sums_, weights_;
  Clusters c_;
};

}  // namespace
}  // namespace cavi::kernels::cuda

namespace cavi::kernels {

std::optional<std::vector<double>> cuda_start_centres(const Rows& rows, const double* weight, int components,
                                                      bool lloyd, std::uint64_t seed, Scalar precision, int ordinal,
                                                      std::int64_t memory) {
  const cuda::OnDevice on(ordinal);
  const cuda::Range range("cavi: k-means");
  if (cuda::Clustering::bytes(rows, components, precision) > cuda::usable_memory(memory)) return std::nullopt;
  cuda::Clustering clusters(rows, weight, components, precision);
  clusters.spread_seeds(seed);
  if (lloyd) clusters.lloyd();
  return clusters.centres();
}

}  // namespace cavi::kernels
