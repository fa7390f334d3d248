// SPDX-License-Identifier: Apache-2.0
#include "src/cli/fit_options.hpp"

#include "src/cli/inputs.hpp"

#include <algorithm>
#include <cstdint>

namespace cavi::cli {
namespace {

constexpr std::size_t kMostSets = 100'000;

/// "3", "1,2,5", "1:20" or a mixture of them.
std::vector<int> read_counts(const char* option, const Text& text, Complaints& c) {
  std::vector<int> counts;
  if (!text) return {1};
  for (const std::string& part : split(*text, ',')) {
    const std::size_t colon = part.find(':');
    int first = 0, last = 0;
    const std::size_t before = c.size();
    read_number<int>(option, part.substr(0, colon), first, c);
    if (colon == std::string::npos)
      last = first;
    else
      read_number<int>(option, part.substr(colon + 1), last, c);
    if (c.size() > before) continue;
    if (last < first || std::size_t(std::int64_t(last) - first) >= kMostSets)
      c.add(fmt::format("{}: '{}' is no range from few to many", option, part));
    else
      for (int k = first; k <= last; ++k) counts.push_back(k);
  }
  if (counts.empty()) counts.push_back(1);
  return counts;
}

template <class E>
std::vector<E> read_choices(const char* option, const Text& text, const Choices<E>& choices, E usual, Complaints& c) {
  if (!text) return {usual};
  std::vector<E> out;
  for (const std::string& part : split(*text, ',')) read_choice(option, part, choices, out.emplace_back(usual), c);
  return out;
}

std::vector<std::optional<double>> read_numbers(const char* option, const Text& text, Complaints& c) {
  if (!text) return {std::nullopt};
  std::vector<std::optional<double>> out;
  for (const std::string& part : split(*text, ',')) read_number<double>(option, part, out.emplace_back(), c);
  return out;
}

/// Options that have one value.
MixtureOptions read_single_options(const FitArguments& a, Complaints& c) {
  MixtureOptions o;
  if (!a.n_components) c.add("--n-components is required");
  read_choice("--family", a.family, kFamilies, o.family, c);
  read_number<double>("--discount", a.discount, o.discount, c);
  read_number<double>("--mean-precision-prior", a.mean_precision_prior, o.mean_precision_prior, c);
  read_number<double>("--degrees-of-freedom-prior", a.degrees_of_freedom_prior, o.degrees_of_freedom_prior, c);
  o.component_prior = read_component_prior(a.component_prior, c);
  read_number<int>("--n-init", a.n_init, o.n_init, c);
  read_number<std::uint64_t>("--seed", a.seed, o.seed, c);
  read_number<int>("--max-iter", a.max_iter, o.max_iter, c);
  read_number<double>("--tol", a.tol, o.tol, c);
  read_choice("--precision", a.precision, kPrecisions, o.precision, c);
  read_init(a.init, o.init_params, c);
  if (a.checkpoint) o.checkpoint = *a.checkpoint;
  read_number<int>("--checkpoint-every", a.checkpoint_every, o.checkpoint_every, c);
  if (!a.checkpoint && (a.checkpoint_every || a.resume))
    c.add(fmt::format("{} needs --checkpoint", a.resume ? "--resume" : "--checkpoint-every"));
  return o;
}

}  // namespace

std::vector<MixtureOptions> read_fit_options(const FitArguments& a, Complaints& c) {
  const MixtureOptions base = read_single_options(a, c);
  const auto types = read_choices("--covariance-type", a.covariance_type, kCovarianceTypes, base.covariance_type, c);
  const auto priors =
      read_choices("--weight-prior", a.weight_prior, kWeightPriors, base.weight_concentration_prior_type, c);
  const auto concentrations = read_numbers("--concentration", a.concentration, c);
  const auto counts = read_counts("--n-components", a.n_components, c);
  if (types.size() * priors.size() * concentrations.size() * counts.size() > kMostSets) {
    c.add(fmt::format("more than {} sets of options", kMostSets));
    return {base};
  }
  std::vector<MixtureOptions> all;
  for (const CovarianceType type : types)
    for (const WeightPrior prior : priors)
      for (const std::optional<double> concentration : concentrations)
        for (const int k : counts) {
          MixtureOptions& o = all.emplace_back(base);
          o.covariance_type = type;
          o.weight_concentration_prior_type = prior;
          if (prior != WeightPrior::pitman_yor && priors.size() > 1) o.discount = 0;
          o.weight_concentration_prior = concentration;
          o.n_components = k;
        }
  return all;
}

}  // namespace cavi::cli
