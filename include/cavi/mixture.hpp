// SPDX-License-Identifier: Apache-2.0
/// \file
/// The estimator most people come for: a variational mixture, of Gaussians or of a few other families. It builds a
/// Model and calls infer().
///
/// Names follow scikit-learn's BayesianGaussianMixture where the meaning is the same; the posteriors are the exact
/// conjugate ones for every covariance type (there they are for `full` alone). With S the covariance prior:
///
///     full       Lambda_k  ~ Wishart(nu0, S^-1)         nu_k  = nu0 + N_k
///     tied       Lambda    ~ Wishart(nu0, S^-1)         nu    = nu0 + N
///     diag       lambda_kd ~ Gamma(nu0 / 2, S_d / 2)    shape = (nu0 + N_k) / 2
///     spherical  lambda_k  ~ Gamma(nu0 / 2, S / 2)      shape = (nu0 + N_k D) / 2
///     mu_k | Lambda ~ N(m0, (beta0 Lambda)^-1)          (Bishop, PRML, section 10.2)
///
/// The other families have features that are independent given the component; <cavi/component_family.hpp> has their
/// priors and posteriors.
#pragma once

#include <cavi/component_family.hpp>
#include <cavi/device.hpp>
#include <cavi/inference.hpp>
#include <cavi/matrix.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace cavi {

struct ModelFile;

enum class CovarianceType { full, tied, diag, spherical };

/// dirichlet: pi ~ Dirichlet(alpha0, ..., alpha0). dirichlet_process and pitman_yor: pi_k = v_k prod_{j<k} (1 - v_j)
/// with free sticks v_k ~ Beta(1 - d, alpha0 + k d), k = 1..K; d = 0 for the process of Dirichlet.
enum class WeightPrior { dirichlet, dirichlet_process, pitman_yor };

/// How the first responsibilities are found. kmeans: Lloyd's algorithm from k-means++ seeds; kmeans_plus_plus and
/// random_from_data: every row goes to the nearest of K seeds (spread out, or uniformly drawn); random: uniform
/// responsibilities, normalised.
enum class Init { kmeans, kmeans_plus_plus, random, random_from_data };

struct MixtureOptions {
  int n_components = 1;  ///< K, or the truncation of the stick-breaking process
  ComponentFamily family = ComponentFamily::gaussian;
  CovarianceType covariance_type = CovarianceType::full;  ///< gaussian only, as are the priors down to reg_covar
  WeightPrior weight_concentration_prior_type = WeightPrior::dirichlet_process;
  std::optional<double> weight_concentration_prior;     ///< alpha0 >= 1e-10 (- d for pitman_yor); default 1 / K
  double discount = 0;                                  ///< d in [0, 1), pitman_yor only
  std::optional<std::vector<double>> mean_prior;        ///< m0 [D]; default the (weighted) mean of the rows
  double mean_precision_prior = 1;                      ///< beta0 > 0
  std::optional<double> degrees_of_freedom_prior;       ///< nu0 > D - 1 (full, tied) or > 0; default D
  std::optional<std::vector<double>> covariance_prior;  ///< S: [D x D] full, tied; [D] diag; [1] spherical;
                                                        ///< default the covariance of the rows (its diagonal, its
                                                        ///< mean variance)
  double reg_covar = 0;                                 ///< added to the diagonal of a default S
  /// a > 0 and b > 0, of every parameter of the other families. Default 1 and 1 for a Beta prior; for a Gamma 1 and the
  /// b by which the prior's mean is what a column's mean says: 1 / mean for poisson, mean for exponential (1 when that
  /// is 0).
  std::optional<std::array<double, 2>> component_prior;
  Init init_params = Init::kmeans;
  int n_init = 1;          ///< starts, of which the one with the largest bound is kept; the first has this seed
  std::uint64_t seed = 0;  ///< the others seeds that follow from it
  int max_iter = 100;      ///< sweeps
  double tol = 1e-6;       ///< stop when the gain < tol * rows; 0 never stops early
  Scalar precision = Scalar::float32;          ///< arithmetic over rows, with counts up to 2^24; parameters are always
                                               ///< float64
  bool fuse = true;                            ///< false: the generic operations, for comparison
  std::function<bool(const Sweep&)> on_sweep;  ///< called after every sweep; false stops the fit
  std::filesystem::path checkpoint;            ///< fit() leaves its state here; see Mixture::resume()
  int checkpoint_every = 10;                   ///< sweeps between two of them; the last one is left, too

  /// Every complaint at once, empty when the options are valid for data with `n_features` columns.
  std::vector<std::string> problems(int n_features) const;
};

/// First responsibilities given by the caller: nothing (then init_params decides), a component per row, or N x K
/// non-negative numbers whose rows sum to one.
using InitialResponsibilities = std::variant<std::monostate, std::vector<std::int32_t>, Matrix>;

/// The fitted parameters of one problem or of many: arrays, row-major, with the problem as the leading dimension.
struct MixturePosterior {
  int n_problems = 0;    ///< B
  int n_components = 0;  ///< K
  int n_features = 0;    ///< D
  ComponentFamily family = ComponentFamily::gaussian;
  CovarianceType covariance_type = CovarianceType::full;
  WeightPrior weight_prior = WeightPrior::dirichlet;
  std::vector<std::string> column_names;     ///< [D] of the data, or empty when they have none
  std::vector<double> counts;                ///< [B x K] N_k, expected (weighted) rows of a component
  std::vector<double> weights;               ///< [B x K] E[pi_k]
  std::vector<double> weight_concentration;  ///< dirichlet [B x K]; sticks [B x K x 2], the two Beta parameters
  std::vector<double> means;                 ///< [B x K x D] E[mu_k], E[p_kd] or E[rate_kd]
  std::vector<double> component_parameters;  ///< [B x K x D x 2] a and b of the families that are not gaussian, to
                                             ///< which alone the rest belongs:
  std::vector<double> mean_precision;        ///< [B x K] beta_k
  std::vector<double> degrees_of_freedom;    ///< [B x K], tied [B]; nu of the Wishart, twice the shape of a Gamma
  std::vector<double> inverse_scale;         ///< W_k^-1 [B x K x D x D], tied [B x D x D]; twice the rate: diag
                                             ///< [B x K x D], spherical [B x K]
  std::vector<double> covariances;           ///< E[Lambda]^-1, shaped as inverse_scale

  /// The parameters of one problem. Throws ShapeError when there is no such problem.
  MixturePosterior problem(int b) const;
};

/// Throws NumericalError naming row and column (both from 0) of the first number that the options' family cannot have,
/// or their precision not hold: for gaussian what require_finite() says. Reads block by block.
void require_values(const Matrix& x, const MixtureOptions& options);

/// Takes the results of consecutive rows, block by block from the first row to the last, on the calling thread. What it
/// throws ends the prediction.
using LabelSink = std::function<void(std::span<const std::int32_t> labels)>;
using NumberSink = std::function<void(std::span<const double> numbers)>;
using LabelledNumberSink = std::function<void(std::span<const std::int32_t> labels, std::span<const double> numbers)>;

/// The components that a row most likely comes from.
struct TopComponents {
  std::vector<std::int32_t> components;  ///< [N x k] by falling probability; the lower number first among equals
  std::vector<double> probabilities;     ///< [N x k]
};

/// Rows drawn from a mixture.
struct Samples {
  std::vector<double> rows;              ///< [N x D]
  std::vector<std::int32_t> components;  ///< [N] the component that each was drawn from
};

/// A mixture. Objects are independent of each other and may be used from different threads; one object
/// from one thread at a time, but for const functions, which any number of threads may call at once.
class Mixture {
 public:
  /// Throws OptionError for options that are wrong whatever the data.
  explicit Mixture(MixtureOptions options, Device device = Device::best());

  /// Fits the rows of `x` [N x D]. `sample_weight`: empty, or N non-negative numbers that count a row as often.
  /// Throws OptionError, ShapeError (N = 0, weights or start of the wrong length), NumericalError (what
  /// require_values() says, a fit that cannot be continued), DeviceError, IoError.
  Summary fit(const Matrix& x, const std::vector<double>& sample_weight = {},
              const InitialResponsibilities& start = {});

  const MixtureOptions& options() const { return options_; }
  const Device& device() const { return device_; }
  /// Throws Error before the first fit.
  const MixturePosterior& posterior() const;
  /// How the last fit went. Throws Error before the first fit.
  const Summary& summary() const;

  // ---- Prediction ---------------------------------------------------------------------------------------------------
  //
  // In float64 whatever the precision of the fit, on the mixture's device. What a row gets there depends on that row
  // alone, to the last bit: not on threads, nor on the rows around it, nor on a device's memory. Rows are read block by
  // block and only results are kept; the functions with a sink keep a block of them. N = 0 gives no results.
  //
  // All throw Error before the first fit, ShapeError when `x` has other columns than the data of the fit,
  // NumericalError naming row and column for NaN and infinity, IoError, DeviceError.

  /// Component of every row: the one with the largest responsibility, the lower number when there are several [N].
  std::vector<std::int32_t> predict(const Matrix& x) const;
  void predict(const Matrix& x, const LabelSink& sink) const;
  /// Responsibilities [N x K], q(z_n = k) of a sweep's first half (Bishop, PRML, eq. 10.46 to 10.49). Throws
  /// NumericalError for a row some 1e150 standard deviations away from every component, here and in predict().
  std::vector<double> predict_proba(const Matrix& x) const;
  void predict_proba(const Matrix& x, const NumberSink& sink) const;
  /// The k largest of them, of N x K numbers never more than a block. Throws OptionError unless 1 <= k <= K.
  TopComponents predict_top(const Matrix& x, int k) const;
  void predict_top(const Matrix& x, int k, const LabelledNumberSink& sink) const;

  /// Log posterior predictive of every row in nats [N]: a mixture of Student-t (Bishop, PRML, eq. 10.81, for every
  /// covariance type), for the other families of what integrating their parameters out leaves. It integrates to 1, with
  /// weights E[pi] over their sum. Gaussian rows more than 5e67 standard deviations away score as if that far away.
  std::vector<double> score_samples(const Matrix& x) const;
  void score_samples(const Matrix& x, const NumberSink& sink) const;
  /// Their mean, NaN for N = 0.
  double score(const Matrix& x) const;

  /// Rows from the predictive. On one kind of device row n is a function of seed and n alone. A CUDA device takes the
  /// same steps as the host with elementary functions of its own, so that the component is the same, numbers are but
  /// for their last bits, and a count, or all of a row, is another where such a bit decides, once in very many rows.
  /// Throws OptionError for a negative number, NumericalError, DeviceError.
  Samples sample(std::int64_t n_rows, std::uint64_t seed = 0) const;
  void sample(std::int64_t n_rows, std::uint64_t seed, const LabelledNumberSink& sink) const;

  // ---- Persistence --------------------------------------------------------------------------------------------------

  /// Writes one `.npz` that numpy.load opens: posterior and bounds as arrays, everything else in its meta.json. The
  /// same model gives the same bytes. The file is replaced as a whole or not at all. Throws IoError, and Error before
  /// the first fit.
  void save(const std::filesystem::path& file) const;
  /// Reads what save() or a checkpoint wrote, to the last bit. What belongs to a running program, on_sweep and
  /// checkpoint, is not in the file. Throws IoError naming file, member and cause.
  static Mixture load(const std::filesystem::path& file, Device device = Device::best());
  /// Goes on with a fit from its checkpoint, as if it had never stopped: on the same build and device every bit is that
  /// of the fit that ran through. Options must be those of the fit, but max_iter, tol, on_sweep and checkpoints may be
  /// others. Throws OptionError for other options, ShapeError for other data or weights, IoError, and what fit()
  /// throws.
  Summary resume(const std::filesystem::path& checkpoint, const Matrix& x,
                 const std::vector<double>& sample_weight = {});

 private:
  Summary run(const Matrix& x, const std::vector<double>& sample_weight, const InitialResponsibilities& start,
              const ModelFile* resume);
  Summary run_restarts(const Matrix& x, const std::vector<double>& sample_weight);
  friend struct MixtureSelection select_mixture(const std::vector<MixtureOptions>& entries, const Matrix& x,
                                                const std::vector<double>& sample_weight, Device device, int keep);

  MixtureOptions options_;
  Device device_;
  std::optional<MixturePosterior> posterior_;
  Summary summary_;
};

/// Many data sets, each fitted by itself with the same options: problem b owns rows [offsets[b], offsets[b + 1]) of
/// `x`, and their weights when there are any (N non-negative numbers). Every problem has its own seed stream, starts,
/// stopping and status, and gets bit for bit what a fit of its own gives. A problem that cannot be fitted (no rows,
/// NaN, a count of -1, no weight) has a status, NaN for its parameters, and the batch goes on. Memory is that of the
/// result and of some of the problems. on_sweep is told the problem, from one thread at a time; false stops all. A
/// problem that a device had no room for together with others begins, and is told of, anew. Throws OptionError,
/// ShapeError (offsets that do not ascend from 0 to N), NumericalError (a negative weight), DeviceError, IoError.
struct MixtureBatch {
  MixturePosterior posterior;
  std::vector<Summary> summaries;  ///< one per problem; Summary::termination is its status
};
MixtureBatch fit_batch(const MixtureOptions& options, const Matrix& x, const std::vector<std::int64_t>& offsets,
                       Device device = Device::best(), const std::vector<double>& sample_weight = {});

/// The same rows fitted under many options: numbers of components, covariance types, priors, starts. An entry that
/// fails has a status, and the others go on. Bounds of different families, or of other data, do not compare; of other
/// priors and numbers of components they do, each being a lower bound on the log evidence.
struct MixtureSelection {
  std::vector<Summary> summaries;  ///< one per entry; Summary::termination is its status
  std::vector<int> ranking;        ///< entries by falling bound, the first of equals first; without those that failed
  std::vector<Mixture> models;     ///< of the first in the ranking, at most `keep`
};
/// Small data are fitted entry by entry on all threads at once, others one after the other. Each entry gets bit for bit
/// what Mixture::fit() gives. An entry's on_sweep is told its number as the problem, from one thread at a time; false
/// stops that entry. Throws OptionError naming the entry, ShapeError, DeviceError, IoError.
MixtureSelection select_mixture(const std::vector<MixtureOptions>& entries, const Matrix& x,
                                const std::vector<double>& sample_weight = {}, Device device = Device::best(),
                                int keep = 1);

/// The n_init starts of `options` as entries of their own, each with one start and its seed.
std::vector<MixtureOptions> restarts(const MixtureOptions& options);

}  // namespace cavi
