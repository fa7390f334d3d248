// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/mixture_predict.hpp"

#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/math/components/families.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

/// Parameters as the tiles read them.
struct Frame {
  std::vector<double> root, centre, offset;
  TileParameters<double> parameters;
};

/// Of Gaussian components, in the tiles' units; of Student-t components the distances alone.
template <class F>
Frame frame_of(const MixtureScores& s) {
  const int d = s.features;
  const bool gaussian = s.exponent.empty();
  const double scale = gaussian ? logit_scale(F::kind) : 1;
  const std::size_t size = std::size_t(F::root_size(d)), roots = size > 0 ? s.root.size() / size : 0;
  std::vector<double> root = s.root;
  for (double& v : root) v *= F::kind == Component::spherical ? scale : std::sqrt(scale);
  if (!gaussian && F::kind == Component::diag)
    for (std::size_t i = 0; i < root.size(); ++i) root[i] *= std::sqrt(s.factor[i / size]);

  Frame f;
  f.centre = s.mean;
  for (int k = 0; k < s.components; ++k) {
    double* centre = &f.centre[std::size_t(k) * std::size_t(d)];
    if (F::kind == Component::linear)
      for (int i = 0; i < d; ++i) centre[i] *= scale;
    if (F::kind == Component::diag)
      for (int i = 0; i < d; ++i) centre[i] *= -root[std::size_t(k) * size + std::size_t(i)];
    if (F::kind == Component::tied)  // R m: an element wants those of m from its own on
      for (int i = 0; i < d; ++i)
        centre[i] = std::inner_product(centre + i, centre + d, &root[std::size_t(i) * std::size_t(d + 1)], 0.0);
  }
  f.offset.resize(std::size_t(s.components));
  if (gaussian)
    std::transform(s.constant.begin(), s.constant.end(), f.offset.begin(), [&](double c) { return scale * c; });
  if (F::kind == Component::full || F::kind == Component::tied) {
    const std::size_t packed = std::size_t(d) * std::size_t(d + 1) / 2;
    f.root.resize(roots * packed);
    for (std::size_t k = 0; k < roots; ++k) tiles<double>().pack_root(&root[k * size], d, &f.root[k * packed]);
  } else {
    f.root = std::move(root);
  }
  const double *centre = f.centre.data(), *offset = f.offset.data();
  f.parameters = {F::kind, s.components, d, f.root.data(), f.root.data(), centre, offset, centre, offset, nullptr};
  return f;
}

bool all_finite(const double* values, int count) {
  int bad = 0;
  for (int i = 0; i < count; ++i) bad |= int(!(std::abs(values[i]) <= std::numeric_limits<double>::max()));
  return bad == 0;
}

/// visit(block, first, count) for blocks of rows, from all threads.
template <class Visit>
void for_blocks(const MixtureScores& s, const Rows& given, ThreadPool& pool, Visit visit) {
  Rows rows = given;
  rows.origin = s.origin.data();
  const int points = RowBlock<double>::points(s.components, s.features);
  pool.run((rows.count + points - 1) / points, [&](std::int64_t n, int worker) {
    RowBlock<double> block(pool, worker, rows, s.components);
    const std::int64_t first = n * points;
    const int count = int(std::min<std::int64_t>(points, rows.count - first));
    const TileBlock<double>& b = block.load(first, count, nullptr);
    for (int f = 0; f < s.features; ++f)
      if (!all_finite(b.x + f * b.stride, count))
        throw NumericalError("column " + std::to_string(f) + " has a number that is not finite");
    visit(b, first, count);
  });
}

/// The same with responsibilities in block.r.
template <class F, class Visit>
void respond(const MixtureScores& s, const Rows& rows, ThreadPool& pool, Visit visit) {
  const Frame frame = frame_of<F>(s);
  for_blocks(s, rows, pool, [&](const TileBlock<double>& b, std::int64_t first, int count) {
    tiles<double>().respond(frame.parameters, b);
    if (!all_finite(b.r, count)) {
      const double* far = std::find_if_not(b.r, b.r + count, [](double r) { return std::isfinite(r); });
      throw NumericalError("row " + std::to_string(rows.first + first + (far - b.r)) +
                           " (from 0) is too far from every component to be told apart");
    }
    if (F::kind == Component::full)
      for (int k = 0; k < s.components; ++k)
        for (int i = 0; i < count; ++i) b.r[k * b.stride + i] *= b.r[k * b.stride + i];
    visit(b, first, count);
  });
}

/// Keeps the `top` largest of every point while the components pass by: [top x points] each.
void select(const TileBlock<double>& b, int components, int count, int top, double* r, std::int32_t* component) {
  std::fill_n(r, std::int64_t(top) * b.points, -1.0);
  for (int k = 0; k < components; ++k) {
    const double* candidate = b.r + k * b.stride;
    const double* least = r + std::int64_t(top - 1) * b.points;
    for (int i = 0; i < count; ++i) {
      if (!(candidate[i] > least[i])) continue;
      int place = top - 1;
      for (; place > 0 && candidate[i] > r[(place - 1) * b.points + i]; --place) {
        r[place * b.points + i] = r[(place - 1) * b.points + i];
        component[place * b.points + i] = component[(place - 1) * b.points + i];
      }
      r[place * b.points + i] = candidate[i];
      component[place * b.points + i] = k;
    }
  }
}

}  // namespace

void mixture_responsibilities(const MixtureScores& s, const Rows& rows, double* r, ThreadPool& pool) {
  components::with_family(s.component, [&]<class F>(F) {
    respond<F>(s, rows, pool, [&](const TileBlock<double>& b, std::int64_t first, int count) {
      for (int i = 0; i < count; ++i)
        for (int k = 0; k < s.components; ++k) r[(first + i) * s.components + k] = b.r[k * b.stride + i];
    });
  });
}

void mixture_labels(const MixtureScores& s, const Rows& rows, std::int32_t* component, ThreadPool& pool) {
  components::with_family(s.component, [&]<class F>(F) {
    respond<F>(s, rows, pool, [&](const TileBlock<double>& b, std::int64_t first, int count) {
      largest_response(b, s.components);
      std::copy_n(b.weight, count, component + first);
    });
  });
}

void mixture_top(const MixtureScores& s, const Rows& rows, int top, std::int32_t* component, double* r,
                 ThreadPool& pool) {
  components::with_family(s.component, [&]<class F>(F) {
    respond<F>(s, rows, pool, [&](const TileBlock<double>& b, std::int64_t first, int count) {
      std::vector<double> largest(std::size_t(top) * std::size_t(b.points));
      std::vector<std::int32_t> which(largest.size());
      select(b, s.components, count, top, largest.data(), which.data());
      for (int i = 0; i < count; ++i)
        for (int t = 0; t < top; ++t) {
          const std::size_t at = std::size_t(t) * std::size_t(b.points) + std::size_t(i);
          component[(first + i) * top + t] = which[at];
          r[(first + i) * top + t] = largest[at];
        }
    });
  });
}

void mixture_log_density(const MixtureScores& s, const Rows& rows, double* density, ThreadPool& pool) {
  components::with_family(s.component, [&]<class F>(F) {
    const Frame frame = frame_of<F>(s);
    for_blocks(s, rows, pool, [&](const TileBlock<double>& b, std::int64_t first, int count) {
      log_density(frame.parameters, {s.constant.data(), s.exponent.data(), s.factor.data()}, b);
      std::copy_n(b.r, count, density + first);
    });
  });
}

}  // namespace cavi::kernels::cpu
