// SPDX-License-Identifier: Apache-2.0
// Many data sets in one call: some problems at a time share a program, so that memory does not grow with the batch.
#include "kernels/out_of_memory.hpp"
#include "src/covariance_type.hpp"
#include "src/mixture_fit.hpp"
#include "src/mixture_model.hpp"

#include <cavi/error.hpp>
#include <cavi/mixture.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

namespace cavi {

namespace {

/// Rows [first, first + count) of another source.
class RowRange final : public MatrixSource {
 public:
  RowRange(std::shared_ptr<const MatrixSource> source, std::int64_t first, std::int64_t count)
      : source_(std::move(source)), first_(first), count_(count) {}
  std::int64_t rows() const override { return count_; }
  int cols() const override { return source_->cols(); }
  Scalar scalar() const override { return source_->scalar(); }
  std::string name() const override { return source_->name(); }
  void read(std::int64_t first, std::int64_t count, void* out) const override {
    source_->read(first_ + first, count, out);
  }
  void prefetch(std::int64_t first, std::int64_t count) const noexcept override {
    source_->prefetch(first_ + first, count);
  }
  std::vector<std::string> column_names() const override { return source_->column_names(); }
  const void* data() const override {
    const char* all = static_cast<const char*>(source_->data());
    return all ? all + first_ * row_stride() * size_of(scalar()) : nullptr;
  }
  std::int64_t row_stride() const override { return source_->row_stride(); }

 private:
  std::shared_ptr<const MatrixSource> source_;
  std::int64_t first_, count_;
};

/// Problems whose buffers are in memory at the same time: what a program keeps is some ten times its largest parameter.
std::size_t problems_at_once(const MixtureOptions& o, std::size_t features) {
  constexpr std::size_t kBytes = 64 << 20, kParameters = 16, kLeast = 16, kMost = 4096;
  const bool matrix = o.family == ComponentFamily::gaussian && is_matrix(o.covariance_type);
  const std::size_t size = std::size_t(o.n_components) * features * (matrix ? features : 1);
  return std::clamp(kBytes / (kParameters * sizeof(double) * std::max<std::size_t>(1, size)), kLeast, kMost);
}

void append(MixtureBatch& all, MixtureBatch part) {
  if (all.posterior.n_problems == 0) return void(all = std::move(part));
  all.posterior.n_problems += part.posterior.n_problems;
  const auto to = arrays_of(all.posterior), from = arrays_of(part.posterior);
  for (std::size_t i = 0; i < to.size(); ++i) to[i]->insert(to[i]->end(), from[i]->begin(), from[i]->end());
  std::move(part.summaries.begin(), part.summaries.end(), std::back_inserter(all.summaries));
}

/// Takes over the problems in which `other`, restart number `restart`, found a larger bound.
void improve(MixtureBatch& best, MixtureBatch& other, int restart) {
  const auto to = arrays_of(best.posterior), from = arrays_of(other.posterior);
  const auto is_fitted = [](const Summary& s) {
    return s.termination != Termination::numerical_error && s.termination != Termination::no_data;
  };
  for (std::size_t b = 0; b < best.summaries.size(); ++b) {
    Summary &old = best.summaries[b], &found = other.summaries[b];
    if (!is_fitted(found) || (is_fitted(old) && !(found.elbo > old.elbo))) continue;
    old = std::move(found);
    old.restart = restart;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::size_t size = to[i]->size() / best.summaries.size();
      std::copy_n(from[i]->begin() + std::ptrdiff_t(b * size), size, to[i]->begin() + std::ptrdiff_t(b * size));
    }
  }
}

}  // namespace

MixturePosterior MixturePosterior::problem(int b) const {
  if (b < 0 || b >= n_problems) throw ShapeError("problem " + std::to_string(b) + " of " + std::to_string(n_problems));
  MixturePosterior one;
  one.n_problems = 1;
  one.n_components = n_components;
  one.n_features = n_features;
  one.family = family;
  one.covariance_type = covariance_type;
  one.weight_prior = weight_prior;
  one.column_names = column_names;
  const auto from = arrays_of(*this);
  const auto to = arrays_of(one);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto size = std::ptrdiff_t(from[i]->size()) / n_problems;
    to[i]->assign(from[i]->begin() + b * size, from[i]->begin() + (b + 1) * size);
  }
  return one;
}

MixtureBatch fit_batch(const MixtureOptions& options, const Matrix& x, const std::vector<std::int64_t>& offsets,
                       Device device, const std::vector<double>& sample_weight) {
  throw_if_any(options.problems(x.cols()));
  if (!options.checkpoint.empty()) throw OptionError("checkpoint is for the fit of one mixture, not for a batch");
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != x.rows() ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    throw ShapeError("offsets must ascend from 0 to the number of rows, " + std::to_string(x.rows()));
  require_weights(sample_weight, x.rows());

  MixtureBatch out;
  bool stopped = false;  // on_sweep is called from one thread at a time
  const std::vector<MixtureOptions> starts = restarts(options);
  const std::size_t problems = offsets.size() - 1;
  std::size_t most = problems_at_once(options, std::size_t(std::max(1, x.cols())));
  const auto fit_some = [&](std::size_t first, std::size_t last) {
    std::vector<std::int64_t> own(offsets.begin() + std::ptrdiff_t(first), offsets.begin() + std::ptrdiff_t(last) + 1);
    const std::int64_t begin = own.front(), end = own.back();
    for (std::int64_t& o : own) o -= begin;
    const Matrix rows = x.source() ? Matrix(std::make_shared<RowRange>(x.source(), begin, end - begin)) : x;
    std::vector<double> weight;
    if (!sample_weight.empty()) weight.assign(sample_weight.begin() + begin, sample_weight.begin() + end);
    MixtureBatch best;
    for (std::size_t restart = 0; restart < starts.size(); ++restart) {
      MixtureOptions o = starts[restart];
      if (options.on_sweep)
        o.on_sweep = [&, first](Sweep sweep) {
          sweep.problem += int(first);
          return !(stopped = stopped || !options.on_sweep(sweep));
        };
      MixtureBatch found = fit_problems(o, rows, own, weight, {}, device, nullptr, Failure::status);
      if (restart == 0)
        best = std::move(found);
      else
        improve(best, found, int(restart));
    }
    append(out, std::move(best));
  };
  std::size_t first = 0;
  do {
    const std::size_t last = std::min(problems, first + most);
    try {
      fit_some(first, last);
      first = last;
    } catch (const kernels::OutOfDeviceMemory&) {  // only the device knows what it has room for
      if (last - first <= 1) throw;
      most = (last - first) / 2;
    }
  } while (first < problems);
  return out;
}

}  // namespace cavi
