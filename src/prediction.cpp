// SPDX-License-Identifier: Apache-2.0
// What a fitted mixture says about rows. They come and go in waves, so that neither file nor results need memory.
#include "kernels/cpu/reduce.hpp"
#include "kernels/mixture_draws.hpp"
#include "src/io/columns.hpp"
#include "src/mixture_scores.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>
#include <cavi/mixture.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace cavi {
namespace {

using About = kernels::Question::About;
using kernels::MixtureScores;
using kernels::Question;
using kernels::Rows;

/// " (height, weight)", or nothing when there are none or too many to be read.
std::string in_brackets(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 12;
  return names.empty() || names.size() > kMost ? "" : fmt::format(" ({})", fmt::join(names, ", "));
}

/// deliver(labels, numbers) for wave after wave of rows.
template <class Deliver>
void in_waves(const MixturePosterior& p, const Matrix& x, const Device& device, const MixtureScores& scores,
              const Question& question, Deliver deliver) {
  if (x.rows() == 0 && x.cols() == 0) return;
  if (x.cols() != p.n_features)
    throw ShapeError(fmt::format("{}: {} columns{}, but the mixture was fitted to data with {}{}", x.name(), x.cols(),
                                 in_brackets(x.column_names()), p.n_features, in_brackets(p.column_names)));
  io::require_names(p.column_names, "the mixture", x);
  if (x.rows() == 0) return;
  const auto predictor =
      device.kind() == Device::Kind::cuda
          ? kernels::make_cuda_predictor(scores, question, x.rows(), device.ordinal(), device.memory())
          : kernels::make_cpu_predictor(scores, question, x.rows(), device.threads());
  std::vector<std::int32_t> labels;
  std::vector<double> numbers;
  for (std::int64_t first = 0; first < x.rows(); first += predictor->wave()) {
    const Rows rows{x.source().get(), first, std::min(predictor->wave(), x.rows() - first), nullptr};
    labels.resize(std::size_t(rows.count) * std::size_t(question.labels()));
    numbers.resize(std::size_t(rows.count) * std::size_t(question.numbers(scores.components)));
    try {
      predictor->predict(rows, labels.data(), numbers.data());
    } catch (const NumericalError& e) {
      MixtureOptions family;
      family.family = p.family;
      family.precision = Scalar::float64;
      require_values(x, family);  // knows the place
      throw NumericalError(x.name() + ": " + e.what());
    }
    deliver(labels, numbers);
  }
}

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
  in_waves(posterior(), x, device_, responsibility_scores(posterior()), {About::label},
           [&](const auto& labels, const auto&) { sink(labels); });
}

void Mixture::predict_proba(const Matrix& x, const NumberSink& sink) const {
  in_waves(posterior(), x, device_, responsibility_scores(posterior()), {About::responsibilities},
           [&](const auto&, const auto& numbers) { sink(numbers); });
}

void Mixture::predict_top(const Matrix& x, int k, const LabelledNumberSink& sink) const {
  const int most = posterior().n_components;
  if (k < 1 || k > most)
    throw OptionError(fmt::format("the number of top components must be 1 to {}, not {}", most, k));
  in_waves(posterior(), x, device_, responsibility_scores(posterior()), {About::top, k}, sink);
}

void Mixture::score_samples(const Matrix& x, const NumberSink& sink) const {
  in_waves(posterior(), x, device_, predictive_scores(posterior()), {About::log_density},
           [&](const auto&, const auto& numbers) { sink(numbers); });
}

double Mixture::score(const Matrix& x) const {
  kernels::cpu::PairwiseSum sum;
  score_samples(x, [&](std::span<const double> density) {
    for (double d : density) sum.add(d);
  });
  return x.rows() == 0 ? std::numeric_limits<double>::quiet_NaN() : sum.total() / double(x.rows());
}

void Mixture::sample(std::int64_t n_rows, std::uint64_t seed, const LabelledNumberSink& sink) const {
  const MixturePosterior& p = posterior();
  if (n_rows < 0) throw OptionError(fmt::format("the number of rows must be 0 or more, not {}", n_rows));
  if (n_rows == 0) return;
  const kernels::MixtureDraws draws = predictive_draws(p);
  const auto sampler = device_.kind() == Device::Kind::cuda
                           ? kernels::make_cuda_sampler(draws, n_rows, device_.ordinal(), device_.memory())
                           : kernels::make_cpu_sampler(draws, n_rows, device_.threads());
  std::vector<double> values;
  std::vector<std::int32_t> labels;
  for (std::int64_t first = 0; first < n_rows; first += sampler->wave()) {
    const std::int64_t count = std::min(sampler->wave(), n_rows - first);
    labels.resize(std::size_t(count));
    values.resize(std::size_t(count) * std::size_t(draws.features));
    sampler->sample(seed, first, count, labels.data(), values.data());
    sink(labels, values);
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
