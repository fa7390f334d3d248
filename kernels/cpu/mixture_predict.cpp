// SPDX-License-Identifier: Apache-2.0
// The CPU twin of prediction; formulas in mixture_scores.hpp. What a row gets depends on that row alone: on no other
// row, no thread and no block.
#include "kernels/cpu/mixture_tiles.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/cpu/waves.hpp"
#include "kernels/math/components/families.hpp"
#include "kernels/math/components/independent_family.hpp"
#include "kernels/math/special.hpp"
#include "kernels/mixture_scores.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace cavi::kernels::cpu {
namespace {

/// Parameters as the tiles read them.
struct ScoringFrame {
  std::vector<double> root, centre, offset;
  TileParameters<double> parameters;
};

/// Of Gaussian components, in the tiles' units; of Student-t components the distances alone.
template <class F>
ScoringFrame scoring_frame_of(const MixtureScores& s) {
  MixtureFrame frame = frame_of(s, logit_scale(F::kind));
  const int d = s.features;
  ScoringFrame f{{}, std::move(frame.centre), std::move(frame.offset), {}};
  if (F::kind == Component::full || F::kind == Component::tied) {
    const std::size_t size = std::size_t(d) * std::size_t(d), packed = std::size_t(d) * std::size_t(d + 1) / 2;
    f.root.resize(frame.root.size() / size * packed);
    for (std::size_t k = 0; k < frame.root.size() / size; ++k)
      tiles<double>().pack_root(&frame.root[k * size], d, &f.root[k * packed]);
  } else {
    f.root = std::move(frame.root);
  }
  const double *centre = f.centre.data(), *offset = f.offset.data();
  f.parameters = {F::kind, s.components, d,      f.root.data(), f.root.data(), centre,
                  offset,  centre,       offset, false,         nullptr};
  return f;
}

bool all_finite(const double* values, int count) {
  int bad = 0;
  for (int i = 0; i < count; ++i) bad |= int(!(std::abs(values[i]) <= std::numeric_limits<double>::max()));
  return bad == 0;
}

/// Whether all are numbers that the family can have.
bool possible(ComponentFamily family, const double* values, int count) {
  if (family == ComponentFamily::gaussian) return all_finite(values, count);
  return components::with_independent_family(family,
                                             [&]<class F>(F) { return std::all_of(values, values + count, F::holds); });
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
      if (!possible(s.family, b.x + f * b.stride, count)) throw impossible_value(f);
    visit(b, first, count);
  });
}

/// The same with responsibilities in block.r.
template <class F, class Visit>
void respond(const MixtureScores& s, const Rows& rows, ThreadPool& pool, Visit visit) {
  const ScoringFrame frame = scoring_frame_of<F>(s);
  for_blocks(s, rows, pool, [&](const TileBlock<double>& b, std::int64_t first, int count) {
    tiles<double>().respond(frame.parameters, b);
    if (!all_finite(b.r, count)) {
      const double* far = std::find_if_not(b.r, b.r + count, [](double r) { return std::isfinite(r); });
      throw too_far(rows.first + first + (far - b.r));
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

void student_log_density(const MixtureScores& s, const Rows& rows, double* density, ThreadPool& pool) {
  components::with_gaussian_family(s.component, [&]<class F>(F) {
    const ScoringFrame frame = scoring_frame_of<F>(s);
    for_blocks(s, rows, pool, [&](const TileBlock<double>& b, std::int64_t first, int count) {
      log_density(frame.parameters, {s.constant.data(), s.exponent.data(), s.factor.data()}, b);
      std::copy_n(b.r, count, density + first);
    });
  });
}

void independent_log_density(const MixtureScores& s, const Rows& rows, double* density, ThreadPool& pool) {
  components::with_independent_family(s.family, [&]<class F>(F) {
    for_blocks(s, rows, pool, [&](const TileBlock<double>& b, std::int64_t first, int count) {
      std::vector<double> scores(s.constant.size());
      for (int i = 0; i < count; ++i) {
        const double* ab = s.ab.data();
        for (std::size_t k = 0; k < scores.size(); ++k) {
          scores[k] = s.constant[k];
          for (int d = 0; d < s.features; ++d, ab += 2)
            scores[k] += components::log_predictive<F>(ab[0], ab[1], b.x[d * b.stride + i]);
        }
        density[first + i] = math::log_sum_exp(scores.data(), s.components);
      }
    });
  });
}

void mixture_log_density(const MixtureScores& s, const Rows& rows, double* density, ThreadPool& pool) {
  if (s.family == ComponentFamily::gaussian)
    student_log_density(s, rows, density, pool);
  else
    independent_log_density(s, rows, density, pool);
}

class CpuPredictor final : public Predictor {
 public:
  CpuPredictor(const MixtureScores& scores, const Question& question, std::int64_t rows, int threads)
      : scores_(scores), question_(question), pool_(threads_for(rows, threads)) {}

  std::int64_t wave() const override { return wave_rows(question_.bytes(scores_.components)); }

  void predict(const Rows& rows, std::int32_t* labels, double* numbers) override {
    switch (question_.about) {
      case Question::About::label: return mixture_labels(scores_, rows, labels, pool_);
      case Question::About::responsibilities: return mixture_responsibilities(scores_, rows, numbers, pool_);
      case Question::About::top: return mixture_top(scores_, rows, question_.top, labels, numbers, pool_);
      case Question::About::log_density: return mixture_log_density(scores_, rows, numbers, pool_);
    }
  }

 private:
  const MixtureScores& scores_;
  const Question question_;
  ThreadPool pool_;
};

}  // namespace
}  // namespace cavi::kernels::cpu

namespace cavi::kernels {

std::unique_ptr<Predictor> make_cpu_predictor(const MixtureScores& scores, const Question& question, std::int64_t rows,
                                              int threads) {
  return std::make_unique<cpu::CpuPredictor>(scores, question, rows, threads);
}

}  // namespace cavi::kernels
