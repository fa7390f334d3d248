// SPDX-License-Identifier: Apache-2.0
/// \file
/// The options of `cavi fit`. Several values of one option make several sets of options.
#pragma once

#include "src/cli/data.hpp"
#include "src/cli/text.hpp"

#include <cavi/mixture.hpp>

#include <string>
#include <vector>

namespace cavi::cli {

struct FitArguments {
  DataArguments data;
  std::vector<std::string> more;
  Text n_components, family, covariance_type, weight_prior, concentration, discount;
  Text mean_prior, mean_precision_prior, degrees_of_freedom_prior, covariance_prior, component_prior;
  Text init, n_init, seed, max_iter, tol, precision, sample_weights, batch, device, threads;
  Text save, checkpoint, checkpoint_every;
  bool resume = false, json = false, quiet = false;
};

/// One set of options for every combination of the values given, numbers of components innermost. Those that name a
/// file or need the data come later, but at least one set comes in any case.
std::vector<MixtureOptions> read_fit_options(const FitArguments& a, Complaints& complaints);

/// What is wrong with any of the sets for rows with so many columns, once each.
void complain_about(const std::vector<MixtureOptions>& sets, int n_features, Complaints& complaints);

}  // namespace cavi::cli
