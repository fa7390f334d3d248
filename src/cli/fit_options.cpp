// SPDX-License-Identifier: Apache-2.0
#include "src/cli/fit_options.hpp"

#include "src/cli/inputs.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <set>
#include <utility>

namespace cavi::cli {
namespace {

constexpr std::size_t kMostSets = 100'000;

/// The values of one option, each as what it does to a set of options.
using Axis = std::vector<std::function<void(MixtureOptions&)>>;

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

/// For what is left out or wrong nothing is done.
template <class E>
Axis read_choices(const char* option, const Text& text, const Choices<E>& choices, E MixtureOptions::*member,
                  Complaints& c) {
  Axis axis;
  for (const std::string& part : text ? split(*text, ',') : std::vector<std::string>()) {
    E value = MixtureOptions().*member;
    read_choice(option, part, choices, value, c);
    axis.emplace_back([=](MixtureOptions& o) { o.*member = value; });
  }
  return axis;
}

template <class Number>
Axis read_numbers(const char* option, const Text& text, Number MixtureOptions::*member, Complaints& c) {
  Axis axis;
  for (const std::string& part : text ? split(*text, ',') : std::vector<std::string>()) {
    Number value = MixtureOptions().*member;
    read_number<double>(option, part, value, c);
    axis.emplace_back([=](MixtureOptions& o) { o.*member = value; });
  }
  return axis;
}

/// Options that have one value.
MixtureOptions read_single_options(const FitArguments& a, Complaints& c) {
  MixtureOptions o;
  if (!a.n_components) c.add("--n-components is required");
  read_choice("--family", a.family, kFamilies, o.family, c);
  read_number<double>("--discount", a.discount, o.discount, c);
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
  using O = MixtureOptions;
  const MixtureOptions base = read_single_options(a, c);
  Axis counts;
  for (const int k : read_counts("--n-components", a.n_components, c))
    counts.emplace_back([k](MixtureOptions& o) { o.n_components = k; });
  const Axis axes[]{
      read_choices("--covariance-type", a.covariance_type, kCovarianceTypes, &O::covariance_type, c),
      read_choices("--weight-prior", a.weight_prior, kWeightPriors, &O::weight_concentration_prior_type, c),
      read_numbers("--concentration", a.concentration, &O::weight_concentration_prior, c),
      read_numbers("--mean-precision-prior", a.mean_precision_prior, &O::mean_precision_prior, c),
      read_numbers("--degrees-of-freedom-prior", a.degrees_of_freedom_prior, &O::degrees_of_freedom_prior, c),
      counts};
  std::vector<MixtureOptions> all{base};
  for (const Axis& axis : axes) {
    if (axis.empty()) continue;
    if (all.size() * axis.size() > kMostSets) {
      c.add(fmt::format("more than {} sets of options", kMostSets));
      return {base};
    }
    std::vector<MixtureOptions> more;
    for (const MixtureOptions& o : all)
      for (const auto& value : axis) value(more.emplace_back(o));
    all = std::move(more);
  }
  if (axes[1].size() > 1)  // the discount is for those sets that can have one
    for (MixtureOptions& o : all)
      if (o.weight_concentration_prior_type != WeightPrior::pitman_yor) o.discount = 0;
  return all;
}

void complain_about(const std::vector<MixtureOptions>& sets, int n_features, Complaints& complaints) {
  std::set<std::string> said;
  for (const MixtureOptions& o : sets)
    for (const std::string& problem : o.problems(n_features))
      if (said.insert(problem).second) complaints.add(in_words_of_options(problem));
}

}  // namespace cavi::cli
