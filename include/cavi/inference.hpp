// SPDX-License-Identifier: Apache-2.0
/// \file
/// Coordinate ascent: infer() runs a schedule of factor updates until the bound stops rising.
#pragma once

#include <cavi/device.hpp>
#include <cavi/factorisation.hpp>
#include <cavi/model.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace cavi {

/// Which factors are updated in one sweep, in which order. An entry names the variables of one factor (any of them
/// will do); a factor may occur more than once, or not at all, and then keeps its start. Empty: every factor once, in
/// the order in which the model declares the variables, local factors (those on a plate with data) first.
using Schedule = std::vector<std::vector<Variable>>;

/// When a fit ends. A problem of a batch stops by itself.
struct StoppingRule {
  int max_iter = 500;  ///< sweeps, at least 0
  double tol = 1e-6;   ///< stop when a sweep gains less than tol * observed rows (weighted) nats; 0 never stops early
};

/// One line of a fit's history.
struct Sweep {
  int problem = 0;  ///< index in the batch
  int index = 0;    ///< sweeps done
  double elbo = 0;  ///< bound after this sweep, nats, every constant included
  double gain = 0;  ///< rise since the sweep before
  double rows_per_second = 0;
};

enum class Termination {
  converged,        ///< the gain fell below tol
  max_iter,         ///< all sweeps were used up
  stopped,          ///< on_sweep said so
  numerical_error,  ///< this problem of a batch could not go on; Summary::message says why
  no_data           ///< this problem of a batch has no rows
};

/// How a fit went. The bound is exact: constants included, in nats.
struct Summary {
  Termination termination = Termination::max_iter;
  std::string message;               ///< why, when termination is an error
  double elbo = 0;                   ///< last entry of elbo_trace
  std::vector<double> elbo_trace;    ///< [n_iter + 1]; entry 0 is the bound of the start, entry i after i sweeps
  std::vector<double> update_trace;  ///< bound after every single factor update, if asked for
  int n_iter = 0;                    ///< sweeps done
  double rows = 0;                   ///< observed rows, weighted
  double seconds = 0;                ///< time in sweeps: no reading, no start
  std::string device;                ///< what ran: "cpu", "cuda:0"
  std::string kernel;                ///< on a GPU, how: "whole" (one block does all sweeps), else that of mixture
                                     ///< sweeps ("points", "fused", "tile", ...) or "generic"; ", streamed" may follow
  Scalar precision = Scalar::float64;
  bool fused = false;  ///< whether a mixture sweep replaced the generic operations
  /// Of the pairs of row and component in the last sweep, the share whose (weighted) responsibility was below 2^-40, in
  /// float64 (on GPUs also of families other than gaussian) 2^-80. First and second moments may leave such pairs out,
  /// less than that much of a row each; counts N_k are sums over all. Full mixtures of 32 features or more on the CPU
  /// leave out logits, too, where such pairs are many: N_k and the row's normaliser then lack less than that, times the
  /// row's weight, for each pair. NaN where nobody counts: in full mixtures of up to four features on the CPU, by
  /// kernel "points", without rows, without a fused sweep; not saved.
  double negligible = std::numeric_limits<double>::quiet_NaN();
  /// Of the components in the last sweep, the share whose means were so near the origin of the rows that products of
  /// the rows as they are were as good as those of differences from the mean, and took their place: on the CPU of diag,
  /// spherical and tied components all or none, by kernel "fused" full ones of up to 32 features each by itself. NaN
  /// where there is one way only; not saved. (Of several mixtures in a model both shares are those of the last.)
  double near = std::numeric_limits<double>::quiet_NaN();
  int restart = 0;  ///< of several starts the one that this is

  bool converged() const { return termination == Termination::converged; }
  /// One line: bound, sweeps, why it ended, device, speed.
  std::string brief_report() const;
  /// The brief line and the trace of the bound.
  std::string full_report() const;
};

class Posterior;

/// A fit between two sweeps: what it needs to go on as if it had never stopped.
struct State {
  std::vector<std::vector<double>> q;  ///< by problem: moments and parameters of every factor, in the order of the plan
  std::vector<Summary> summaries;      ///< by problem: how far it has come
};

struct Options {
  std::uint64_t seed = 0;                 ///< key of every random start
  bool fuse = true;                       ///< rewrite mixtures into one pass over the data; false is the oracle
  bool bound_after_every_update = false;  ///< Summary::update_trace; also lets an error name the factor that fell
  Scalar precision = Scalar::float64;     ///< arithmetic over the rows of a fused sweep
  int checkpoint_every = 0;               ///< call on_checkpoint after so many sweeps and at the end; 0: never
  std::function<void(const State&, const Posterior&)> on_checkpoint;  ///< the posterior is valid during the call
  const State* resume = nullptr;               ///< go on from here, bit for bit; throws ShapeError for another model's
  Schedule start_updates;                      ///< updates made once, as part of the start: elbo_trace[0] comes after
  std::function<bool(const Sweep&)> on_sweep;  ///< called after every sweep, from one thread at a time; false stops
};

/// Moments and parameters of a fitted factor, float64, plate elements outermost; see Posterior.
struct GaussianParameters {
  std::int64_t count = 0;          ///< plate elements
  int dimension = 0;               ///< of one element
  std::vector<double> mean;        ///< [count x dimension]
  std::vector<double> covariance;  ///< [count x dimension x dimension]
};
struct GammaParameters {
  std::vector<double> shape, rate;  ///< [count]
};
struct WishartParameters {
  int dimension = 0;
  std::vector<double> degrees_of_freedom;  ///< [count]
  std::vector<double> inverse_scale;       ///< [count x D x D]
};
/// q(mu, Lambda) with a precision per element and `inner` means sharing it (1 unless tied or spherical).
struct NormalWishartParameters {
  int dimension = 0, inner = 1;
  std::vector<double> mean;                ///< [count x inner x D]
  std::vector<double> mean_precision;      ///< [count x inner], beta
  std::vector<double> degrees_of_freedom;  ///< [count]
  std::vector<double> inverse_scale;       ///< [count x D x D]
};

/// The fitted q. Cheap to copy; holds its own memory.
class Posterior {
 public:
  /// E_q[x], [plates x event]: the mean, the expected precision, probabilities. For a simplex variable E[pi].
  /// Throws ShapeError when `problem` is out of range. For a categorical variable of a fused fit the responsibilities
  /// are computed in one pass over the data.
  std::vector<double> mean(Variable v, int problem = 0) const;
  /// E_q of the variable's sufficient statistic number `index`: 0 is x, ln pi or one-hot z; 1 is x x', ln x or
  /// ln |Lambda|; sticks: ln v, ln(1 - v), ln pi.
  std::vector<double> expected_statistic(Variable v, int index, int problem = 0) const;

  /// Parameters of the factor that holds the variable. Each throws Error when that factor is of another family.
  GaussianParameters gaussian(Variable v, int problem = 0) const;
  GammaParameters gamma(Variable v, int problem = 0) const;
  WishartParameters wishart(Variable v, int problem = 0) const;
  NormalWishartParameters normal_wishart(Variable v, int problem = 0) const;
  std::vector<double> dirichlet(Variable v, int problem = 0) const;  ///< [count x K]
  std::vector<double> beta(Variable v, int problem = 0) const;       ///< [count x K x 2], sticks too

  int n_problems() const;
  double elbo(int problem = 0) const { return summary(problem).elbo; }
  const Summary& summary(int problem = 0) const;

  struct Impl;
  explicit Posterior(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

/// Fits q to the model. Deterministic: the result depends on the build, the instruction set, the options, the
/// problem's own data and shape, and on nothing else. Several calls may run at once from several threads.
/// Throws ShapeError, NotConjugate, NumericalError, DeviceError, IoError, OptionError; in a batch a problem's own
/// numerical failure is a status of its Summary instead.
Posterior infer(const Model& model, const Factorisation& q, const Schedule& schedule, const StoppingRule& stopping,
                const Device& device = Device::best(), const Options& options = {});

}  // namespace cavi
