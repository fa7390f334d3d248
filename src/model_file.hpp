// SPDX-License-Identifier: Apache-2.0
/// \file
/// A fitted mixture in a file: an .npz of its arrays, each as numpy.load shows it, and meta.json with everything else.
/// A checkpoint is the same file with the engine's state in it.
///
///     weights, counts [K], weight_concentration [K] or [K x 2], means [K x D]   as in MixturePosterior
///     mean_precision, degrees_of_freedom [K] (tied: []), inverse_scale, covariances   gaussian
///     component_parameters [K x D x 2]                     the other families
///     mean_prior [D], covariance_prior, component_prior    as in MixtureOptions, when they were given
///     elbo_trace [n_iter + 1], update_trace                as in Summary; the latter may be missing
///     state                                                State::q; checkpoints only
///
/// All of them are float64. meta.json: format, format_version, library_version, n_features, column_names when the data
/// have some, options, summary, and for a checkpoint data, what it was fitted to. Names of options, and words for their
/// values, are those of the API.
#pragma once

#include "src/fingerprint.hpp"

#include <cavi/mixture.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cavi {

/// In the meta.json of a file with the fits of many data sets, which the command line writes.
inline constexpr const char* kBatchFormat = "cavi mixtures";

struct Checkpoint {
  Fingerprint data;
  std::vector<double> q;  ///< State::q of the only problem
};

struct ModelFile {
  MixtureOptions options;  ///< without what belongs to a running program: on_sweep and checkpoint
  MixturePosterior posterior;
  Summary summary;
  std::optional<Checkpoint> checkpoint;
};

/// Replaces the file as a whole or not at all. The same model gives the same bytes. Throws IoError.
void write_model(const std::filesystem::path& file, const ModelFile& model);

/// What it returns is complete and consistent, and has numbers wherever there must be some. Throws IoError naming file,
/// member and cause.
ModelFile read_model(const std::filesystem::path& file);

/// Options in which two fits of the same data would part, one line each: "n_components is 8, not 4". How long to go on
/// is none of them.
std::vector<std::string> differences(const MixtureOptions& a, const MixtureOptions& b);

}  // namespace cavi
