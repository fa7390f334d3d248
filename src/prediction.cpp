// SPDX-License-Identifier: Apache-2.0
// What a fitted mixture says about rows. They come and go in waves, so that neither file nor results need memory.
#include "kernels/cpu/mixture_predict.hpp"
#include "kernels/cpu/reduce.hpp"
#include "src/family.hpp"
#include "src/io/columns.hpp"
#include "src/mixture_scores.hpp"
#include "src/observed.hpp"
#include "src/sampler.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>
#include <cavi/mixture.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace cavi {
namespace {

using kernels::MixtureScores;
using kernels::Rows;
using kernels::cpu::ThreadPool;

/// Rows of a wave: enough to keep all threads busy, and not many megabytes of results.
std::int64_t wave_rows(std::int64_t bytes_per_row) {
  constexpr std::int64_t kMost = 1 << 16, kLeast = 1 << 10, kBytes = 16 << 20;
  return std::clamp(kBytes / bytes_per_row, kLeast, kMost);
}

/// No more threads than the rows are worth: starting one takes as long as scoring some hundred rows.
int threads_for(const Device& device, std::int64_t rows) {
  return int(std::clamp<std::int64_t>(rows / 1024, 1, std::max(1, device.threads())));
}

/// Throws NumericalError when a number is none that the family can have.
void require_values(ComponentFamily family, const Rows& rows, ThreadPool& pool) {
  constexpr std::int64_t kTask = 1024;  // rows
  const auto holds = family_of(family).holds;
  pool.run((rows.count + kTask - 1) / kTask, [&](std::int64_t task, int) {
    const std::int64_t first = task * kTask, count = std::min(kTask, rows.count - first);
    for_each_row(*rows.source, rows.first + first, count, [&](std::int64_t, const double* row) {
      if (!std::all_of(row, row + rows.source->cols(), holds)) throw NumericalError("a value that cannot be");
    });
  });
}

/// " (height, weight)", or nothing when there are none or too many to be read.
std::string in_brackets(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 12;
  return names.empty() || names.size() > kMost ? "" : fmt::format(" ({})", fmt::join(names, ", "));
}

/// compute(rows, pool), then deliver(), wave by wave. The one place where predictions meet a device:
/// every wave is rows, scores and room for results, which is what the twin of another device would take.
template <class Compute, class Deliver>
void in_waves(const MixturePosterior& p, const Matrix& x, const Device& device, std::int64_t bytes_per_row,
              Compute compute, Deliver deliver) {
  if (x.rows() == 0 && x.cols() == 0) return;
  if (x.cols() != p.n_features)
    throw ShapeError(fmt::format("{}: {} columns{}, but the mixture was fitted to data with {}{}", x.name(), x.cols(),
                                 in_brackets(x.column_names()), p.n_features, in_brackets(p.column_names)));
  io::require_names(p.column_names, "the mixture", x);
  const std::int64_t wave = wave_rows(bytes_per_row);
  MixtureOptions family;
  family.family = p.family;
  family.precision = Scalar::float64;
  ThreadPool pool(threads_for(device, x.rows()));
  for (std::int64_t first = 0; first < x.rows(); first += wave) {
    const Rows rows{x.source().get(), first, std::min(wave, x.rows() - first), nullptr};
    try {
      if (p.family != ComponentFamily::gaussian) require_values(p.family, rows, pool);
      compute(rows, pool);
    } catch (const NumericalError& e) {
      require_values(x, family);  // knows the place
      throw NumericalError(x.name() + ": " + e.what());
    }
    deliver();
  }
}

/// Results of a wave, `per_row` for each row.
template <class T>
struct Wave {
  std::vector<T> values;
  std::size_t per_row;
  explicit Wave(std::size_t n) : per_row(n) {}
  T* room(std::int64_t rows) {
    values.resize(std::size_t(rows) * per_row);
    return values.data();
  }
  std::span<const T> all() const { return values; }
};

/// A sink that keeps everything.
template <class T>
auto append_to(std::vector<T>& out) {
  return [&out](std::span<const T> values) { out.insert(out.end(), values.begin(), values.end()); };
}

/// The same for two kinds of results.
auto append_to(std::vector<std::int32_t>& labels, std::vector<double>& numbers) {
  return [labels = append_to(labels), numbers = append_to(numbers)](auto l, auto n) {
    labels(l);
    numbers(n);
  };
}

/// An empty vector with room for `per_row` results of every row.
template <class T>
std::vector<T> room_for(std::int64_t rows, std::int64_t per_row) {
  std::vector<T> out;
  out.reserve(std::size_t(std::max<std::int64_t>(0, rows) * per_row));
  return out;
}

}  // namespace

void Mixture::predict(const Matrix& x, const LabelSink& sink) const {
  const MixtureScores scores = responsibility_scores(posterior());
  Wave<std::int32_t> labels(1);
  in_waves(
      *posterior_, x, device_, sizeof(std::int32_t),
      [&](const Rows& rows, ThreadPool& pool) {
        kernels::cpu::mixture_labels(scores, rows, labels.room(rows.count), pool);
      },
      [&] { sink(labels.all()); });
}

void Mixture::predict_proba(const Matrix& x, const NumberSink& sink) const {
  const MixtureScores scores = responsibility_scores(posterior());
  const std::size_t k = std::size_t(scores.components);
  Wave<double> r(k);
  in_waves(
      *posterior_, x, device_, std::int64_t(k * sizeof(double)),
      [&](const Rows& rows, ThreadPool& pool) {
        kernels::cpu::mixture_responsibilities(scores, rows, r.room(rows.count), pool);
      },
      [&] { sink(r.all()); });
}

void Mixture::predict_top(const Matrix& x, int k, const LabelledNumberSink& sink) const {
  const MixtureScores scores = responsibility_scores(posterior());
  if (k < 1 || k > scores.components)
    throw OptionError(fmt::format("the number of top components must be 1 to {}, not {}", scores.components, k));
  Wave<std::int32_t> labels{std::size_t(k)};
  Wave<double> r{std::size_t(k)};
  in_waves(
      *posterior_, x, device_, std::int64_t(k) * std::int64_t(sizeof(double) + sizeof(std::int32_t)),
      [&](const Rows& rows, ThreadPool& pool) {
        kernels::cpu::mixture_top(scores, rows, k, labels.room(rows.count), r.room(rows.count), pool);
      },
      [&] { sink(labels.all(), r.all()); });
}

void Mixture::score_samples(const Matrix& x, const NumberSink& sink) const {
  const bool gaussian = posterior().family == ComponentFamily::gaussian;
  const MixtureScores scores = gaussian ? predictive_scores(*posterior_) : MixtureScores{};
  Wave<double> density(1);
  in_waves(
      *posterior_, x, device_, sizeof(double),
      [&](const Rows& rows, ThreadPool& pool) {
        if (gaussian)
          kernels::cpu::mixture_log_density(scores, rows, density.room(rows.count), pool);
        else
          independent_log_density(*posterior_, rows, density.room(rows.count), pool);
      },
      [&] { sink(density.all()); });
}

double Mixture::score(const Matrix& x) const {
  kernels::cpu::PairwiseSum sum;
  score_samples(x, [&](std::span<const double> density) {
    for (double d : density) sum.add(d);
  });
  return x.rows() == 0 ? std::numeric_limits<double>::quiet_NaN() : sum.total() / double(x.rows());
}

void Mixture::sample(std::int64_t n_rows, std::uint64_t seed, const LabelledNumberSink& sink) const {
  constexpr std::int64_t kTask = 256;  // rows
  const Sampler sampler(posterior());
  if (n_rows < 0) throw OptionError(fmt::format("the number of rows must be 0 or more, not {}", n_rows));
  const std::size_t d = std::size_t(posterior_->n_features);
  Wave<double> values(d);
  Wave<std::int32_t> labels(1);
  const std::int64_t wave = wave_rows(std::int64_t(d * sizeof(double)));
  ThreadPool pool(threads_for(device_, n_rows));
  for (std::int64_t first = 0; first < n_rows; first += wave) {
    const std::int64_t count = std::min(wave, n_rows - first);
    double* out = values.room(count);
    std::int32_t* component = labels.room(count);
    pool.run((count + kTask - 1) / kTask, [&](std::int64_t task, int) {
      for (std::int64_t n = task * kTask; n < std::min(count, (task + 1) * kTask); ++n)
        component[n] = sampler.draw(seed, std::uint64_t(first + n), out + std::size_t(n) * d);
    });
    sink(labels.all(), values.all());
  }
}

std::vector<std::int32_t> Mixture::predict(const Matrix& x) const {
  auto out = room_for<std::int32_t>(x.rows(), 1);
  predict(x, append_to(out));
  return out;
}

std::vector<double> Mixture::predict_proba(const Matrix& x) const {
  auto out = room_for<double>(x.rows(), posterior().n_components);
  predict_proba(x, append_to(out));
  return out;
}

TopComponents Mixture::predict_top(const Matrix& x, int k) const {
  TopComponents out;
  predict_top(x, k, append_to(out.components, out.probabilities));
  return out;
}

std::vector<double> Mixture::score_samples(const Matrix& x) const {
  auto out = room_for<double>(x.rows(), 1);
  score_samples(x, append_to(out));
  return out;
}

Samples Mixture::sample(std::int64_t n_rows, std::uint64_t seed) const {
  Samples out;
  sample(n_rows, seed, append_to(out.components, out.rows));
  return out;
}

}  // namespace cavi
