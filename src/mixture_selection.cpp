// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/thread_pool.hpp"
#include "src/mixture_fit.hpp"

#include <cavi/error.hpp>
#include <cavi/mixture.hpp>

#include <algorithm>
#include <mutex>
#include <numeric>

namespace cavi {

namespace {

/// Fewer rows than this per thread are not worth sharing among threads.
constexpr std::int64_t kRowsPerThread = 4096;

void require_options(const std::vector<MixtureOptions>& entries, int n_features) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string where = "entry " + std::to_string(i) + ": ";
    for (const std::string& problem : entries[i].problems(n_features)) all.push_back(where + problem);
    if (!entries[i].checkpoint.empty()) all.push_back(where + "checkpoint is for the fit of one mixture");
  }
  throw_if_any(all);
}

bool is_fitted(const Summary& s) { return s.termination != Termination::numerical_error; }

}  // namespace

std::vector<MixtureOptions> restarts(const MixtureOptions& options) {
  std::vector<MixtureOptions> entries(std::size_t(std::max(0, options.n_init)), options);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].n_init = 1;
    entries[i].seed = restart_seed(options.seed, int(i));
  }
  return entries;
}

MixtureSelection select_mixture(const std::vector<MixtureOptions>& entries, const Matrix& x,
                                const std::vector<double>& sample_weight, Device device, int keep) {
  require_options(entries, x.cols());
  if (keep < 0) throw OptionError("keep must be 0 or more, not " + std::to_string(keep));
  MixtureSelection out;
  out.summaries.resize(entries.size());
  const bool at_once = device.kind() == Device::Kind::cpu && x.rows() < kRowsPerThread * device.threads();
  const Device each = at_once ? Device::cpu(1) : device;

  std::mutex callback, best;
  std::vector<int> kept;  // entries of out.models
  const auto better = [&](int a, int b) {
    const double x_a = out.summaries[std::size_t(a)].elbo, x_b = out.summaries[std::size_t(b)].elbo;
    return x_a > x_b || (x_a == x_b && a < b);
  };
  const auto fit = [&](std::int64_t entry, int) {
    MixtureOptions options = entries[std::size_t(entry)];
    if (options.on_sweep)
      options.on_sweep = [&, entry, tell = options.on_sweep](Sweep sweep) {
        const std::lock_guard lock(callback);
        sweep.problem = int(entry);
        return tell(sweep);
      };
    Mixture mixture(options, each);
    Summary& summary = out.summaries[std::size_t(entry)];
    try {
      summary = mixture.fit(x, sample_weight);
    } catch (const NumericalError& e) {
      summary.termination = Termination::numerical_error;
      summary.message = e.what();
      return;
    }
    mixture.options_ = entries[std::size_t(entry)];
    mixture.device_ = device;
    const std::lock_guard lock(best);
    const auto place = std::upper_bound(kept.begin(), kept.end(), int(entry), better);
    out.models.insert(out.models.begin() + (place - kept.begin()), std::move(mixture));
    kept.insert(place, int(entry));
    if (int(kept.size()) <= keep) return;
    kept.pop_back();
    out.models.pop_back();
  };
  kernels::cpu::ThreadPool pool(at_once ? device.threads() : 1);
  pool.run(std::int64_t(entries.size()), fit);

  out.ranking.resize(entries.size());
  std::iota(out.ranking.begin(), out.ranking.end(), 0);
  std::erase_if(out.ranking, [&](int i) { return !is_fitted(out.summaries[std::size_t(i)]); });
  std::sort(out.ranking.begin(), out.ranking.end(), better);
  return out;
}

}  // namespace cavi
