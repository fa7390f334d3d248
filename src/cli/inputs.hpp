// SPDX-License-Identifier: Apache-2.0
/// \file
/// Options and files of the mixture commands, turned into what the library takes. What is wrong becomes a complaint.
#pragma once

#include "src/cli/text.hpp"
#include "src/names.hpp"

#include <cavi/mixture.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cavi::cli {

/// The words of the API, with hyphens.
template <class E>
Choices<E> choices() {
  Choices<E> out;
  for (const auto& [word, value] : cavi::names(E{})) {
    out.emplace_back(word, value);
    std::replace(out.back().first.begin(), out.back().first.end(), '_', '-');
  }
  return out;
}
inline const Choices<ComponentFamily> kFamilies = choices<ComponentFamily>();
inline const Choices<CovarianceType> kCovarianceTypes = choices<CovarianceType>();
inline const Choices<WeightPrior> kWeightPriors = choices<WeightPrior>();
inline const Choices<Scalar> kPrecisions = choices<Scalar>();
/// But for the one name that everybody writes otherwise.
inline const Choices<Init> kInits = [] {
  Choices<Init> inits = choices<Init>();
  for (auto& [word, value] : inits)
    if (value == Init::kmeans_plus_plus) word = "k-means++";
  return inits;
}();

/// auto, cpu, cuda or cuda:N. The CPU when there is a complaint.
Device read_device(const Text& device, const Text& threads, Complaints& complaints);

/// "A,B", or nothing for the default.
std::optional<std::array<double, 2>> read_component_prior(const Text& text, Complaints& complaints);
/// mean, zero or a file; nothing for the default.
std::optional<std::vector<double>> read_mean_prior(const Text& text, const Matrix& x, Complaints& complaints);
/// empirical, identity or a file; nothing for the default.
std::optional<std::vector<double>> read_covariance_prior(const Text& text, CovarianceType type, const Matrix& x,
                                                         Complaints& complaints);
/// Non-negative numbers, one per row and not all zero; none when the option was left out.
std::vector<double> read_sample_weights(const Text& file, const Matrix& x, Complaints& complaints);
/// The name of a method goes to `method`; a file is left to read_start().
void read_init(const Text& text, Init& method, Complaints& complaints);
/// Whether the start comes from a file.
bool is_start_file(const Text& text);
/// Labels or responsibilities when `text` is a file; throws IoError, NumericalError.
InitialResponsibilities read_start(const Text& text, int n_components, const Matrix& x);

/// A complaint of MixtureOptions::problems() with the option's name in front instead of the member's.
std::string in_words_of_options(const std::string& problem);

/// Throws InputError when the rows have a number that the options' family cannot have.
void blame_rows(const Matrix& x, const MixtureOptions& options);

/// Fits, or goes on from `checkpoint` when it names a file. Data that the family cannot have, and responsibilities
/// that are none, are an InputError naming the file.
Summary fit_or_blame_input(Mixture& mixture, const Matrix& x, const std::vector<double>& weights,
                           const InitialResponsibilities& start, const std::filesystem::path& checkpoint);

}  // namespace cavi::cli
