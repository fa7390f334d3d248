// SPDX-License-Identifier: Apache-2.0
/// \file
/// q(z) = prod_j q_j(z_j) over any subdivision of the latent variables, and where each factor starts.
#pragma once

#include <cavi/model.hpp>

#include <cstdint>
#include <vector>

namespace cavi {

/// The default has one factor per variable and plate element, every one starting at its prior (for a parent that is
/// latent itself: at the parent's start); categorical factors start at random.
class Factorisation {
 public:
  explicit Factorisation(const Model& model) : model_(&model) {}

  /// One factor for several variables: q(mu, Lambda) as a Normal-Wishart or Normal-Gamma, where a mean may have more
  /// plates than its precision (tied, spherical); or any set of Gaussian variables as one Gaussian vector.
  Factorisation& joint(std::vector<Variable> variables);
  /// q(w) = prod_b q(w_b) for blocks that partition the coordinates of a Gaussian vector, updated in the order given.
  Factorisation& split(Variable v, std::vector<std::vector<int>> blocks);
  /// q(w) = prod_d q(w_d).
  Factorisation& independent(Variable v);

  /// Start of a Gaussian factor: mean [plates x event] of each element and a variance for all coordinates.
  Factorisation& start_gaussian(Variable v, std::vector<double> mean, double variance);
  /// Start of a categorical factor on a data plate: a category per plate element of all problems in order, ...
  Factorisation& start_labels(Variable z, std::vector<std::int32_t> labels);
  /// ... responsibilities [plate elements x K], ...
  Factorisation& start_responsibilities(Variable z, const Matrix& responsibilities);
  /// ... or uniform random ones, keyed by Options::seed and the element's number in its problem.
  Factorisation& start_random(Variable z);

  struct Group {
    std::vector<Variable> variables;
  };
  struct Split {
    Variable variable;
    std::vector<std::vector<int>> blocks;
  };  // no blocks: one each
  struct GaussianStart {
    Variable variable;
    std::vector<double> mean;
    double variance;
  };
  struct CategoricalStart {
    Variable variable;
    std::vector<std::int32_t> labels;
    Matrix responsibilities;
  };  // neither: random

  const Model& model() const { return *model_; }
  const std::vector<Group>& groups() const { return groups_; }
  const std::vector<Split>& splits() const { return splits_; }
  const std::vector<GaussianStart>& gaussian_starts() const { return gaussian_starts_; }
  const std::vector<CategoricalStart>& categorical_starts() const { return categorical_starts_; }

 private:
  const Model* model_;
  std::vector<Group> groups_;
  std::vector<Split> splits_;
  std::vector<GaussianStart> gaussian_starts_;
  std::vector<CategoricalStart> categorical_starts_;
};

}  // namespace cavi
