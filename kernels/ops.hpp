// SPDX-License-Identifier: Apache-2.0
/// \file
/// The seam between the engine and a backend: a program of a few kinds of operation on numbered buffers.
///
/// A program is written for *one* problem; a batch runs it for every problem, each with buffers, plate sizes and
/// stopping of its own. All buffers hold float64. Data rows stay where they are and are read through Rows. No
/// operation allocates, and none returns a value to the host but the bound's small record per sweep.
#pragma once

#include <cavi/error.hpp>
#include <cavi/inference.hpp>
#include <cavi/matrix.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cavi::kernels {

using Buffer = int;  ///< number of a buffer in its program
inline constexpr Buffer kNoBuffer = -1;

/// An index that an operation runs over: so many values, or as many as the plate has in the problem at hand.
struct Extent {
  std::int64_t size = 0;
  int plate = -1;  ///< a plate whose size differs from problem to problem, or -1
};

/// How a running index moves through a buffer: by `stride` numbers per step, or through an index map.
struct Axis {
  int label = 0;  ///< position in Contract::labels
  std::int64_t stride = 0;
  int map = -1;  ///< position in Program::maps: the index is map[value]
};

struct Operand {
  Buffer buffer = kNoBuffer;
  std::int64_t offset = 0;
  std::vector<Axis> axes;
};

/// out[.] (+)= c * sum over the labels that `out` lacks of the product of the operands: messages, bounds and constants.
/// A label in no operand multiplies by its size. Without `accumulate` out is overwritten; every element of `out` that
/// the axes reach is written. Labels are ordered: those of `out` first.
struct Contract {
  double coefficient = 1;
  std::vector<Extent> labels;
  std::vector<Operand> operands;
  Operand out;
  bool accumulate = false;
};

struct Fill {
  Buffer buffer = kNoBuffer;
  double value = 0;
};

struct Copy {
  Buffer from = kNoBuffer, to = kNoBuffer;  ///< of the same size
};

enum class Family { gaussian, wishart, normal_wishart, dirichlet, sticks, categorical };

/// (u, entropy) = family(eta) for every plate element; formulas in math/families.hpp. A Gamma is a Wishart of dimension
/// one, a Normal-Gamma a Normal-Wishart of dimension one, a Beta a stick-breaking process of one stick.
/// `entropy` gets the sum over elements (weighted). A failing element throws NumericalError naming `factor`.
struct Moments {
  Family family = Family::gaussian;
  std::string factor;                    ///< for messages
  int dimension = 1;                     ///< D or K
  int inner = 1;                         ///< normal_wishart: means per precision
  std::vector<std::vector<int>> blocks;  ///< gaussian: coordinates by block, Gauss-Seidel in this order; empty: whole
  Extent elements;                       ///< plate elements
  std::vector<Buffer> eta, u;            ///< one per slot, [elements x slot size]
  Buffer weight = kNoBuffer;             ///< [elements], or none
  Buffer entropy = kNoBuffer;            ///< [1]
};

/// Which polynomial of a row the logits of a mixture are: one file each in math/components/.
enum class Component { full, tied, diag, spherical, linear };

/// Numbers per component set in `quadratic` and `second`: [K x D x D], [D x D], [K x D], [K], none.
constexpr std::int64_t quadratic_size(Component c, int components, int features) {
  const std::int64_t k = components, d = features;
  switch (c) {
    case Component::full: return k * d * d;
    case Component::tied: return d * d;
    case Component::diag: return k * d;
    case Component::spherical: return k;
    case Component::linear: return 0;
  }
  return 0;
}

/// What every operation on a mixture's data plate shares. With x the row minus the rows' origin,
///
///     logit_nk = constant_k + <linear_k, x_n> + <quadratic_k, x_n x_n'>
///     count_k = sum_n w_n r_nk      first_k = sum_n w_n r_nk x_n      second_k = sum_n w_n r_nk x_n x_n'
///
/// quadratic is negative definite (minus half a precision), shaped by quadratic_size(); for diag and spherical x x'
/// stands for its diagonal and for its trace. For tied, `second` is one matrix, sum_n w_n x_n x_n', which does not
/// depend on responsibilities: the start computes it and sweeps leave it alone. For linear there is neither: counts,
/// zeros and ones, durations.
struct MixtureShape {
  Component component = Component::full;
  int components = 0;                                               ///< K >= 1
  int features = 0;                                                 ///< D >= 1
  int source = -1;                                                  ///< position in Program::sources: the rows
  Buffer weight = kNoBuffer;                                        ///< [N] w_n >= 0, or none: all ones
  Buffer count = kNoBuffer, first = kNoBuffer, second = kNoBuffer;  ///< [K], [K x D], quadratic_size()
  Buffer entropy = kNoBuffer;                                       ///< [1] sum_n w_n H(r_n)
  Scalar precision = Scalar::float64;                               ///< arithmetic over rows
};

/// Responsibilities and their statistics in one pass that never stores them:
///
///     lse_n = log sum_k exp(logit_nk),  r_nk = exp(logit_nk - lse_n)             (Bishop, PRML, eq. 10.49)
///     entropy = sum_n w_n lse_n - <statistics, parameters>
///
/// Scored in the whitened form |R_k (x - m_k)|^2 with R_k'R_k = -2 quadratic_k and m_k its maximum; accumulated about
/// m_k as the kernel rounded it and moved to the rows' origin in float64; the second product above is taken with the
/// rounded parameters in that same frame. Linear logits, which may be large, are taken in float64 from the parameters
/// as they are; first moments are about the rows' origin. Sums inside a block in `precision`, across blocks float64, in
/// slabs that depend on the problem alone. Throws NumericalError when quadratic is not negative definite.
struct MixtureSweep {
  MixtureShape shape;
  Buffer quadratic = kNoBuffer, linear = kNoBuffer, constant = kNoBuffer;  ///< quadratic_size(), [K x D], [K]
};

/// Given responsibilities: a category per row, N x K numbers, or uniform random ones keyed by (seed, row, component).
struct Responsibilities {
  std::vector<std::int32_t> labels;  ///< of all problems in order; empty when not given
  Matrix dense;                      ///< of all problems in order; 0 x 0 when not given
  std::uint64_t seed = 0;            ///< when neither is given
};

/// The statistics of given responsibilities, in float64, and (unfused) the responsibilities themselves.
struct MixtureStart {
  MixtureShape shape;
  int responsibilities = -1;  ///< position in Program::responsibilities
};
struct AssignStart {
  int responsibilities = -1;
  int components = 0;
  Extent elements;
  Buffer weight = kNoBuffer, r = kNoBuffer, entropy = kNoBuffer;  ///< [N], [N x K], [1]
};

/// record = (sum of the parts, sum of their absolute values): the bound, and the scale of its rounding.
struct Bound {
  std::vector<Buffer> parts;  ///< [1] each
  Buffer record = kNoBuffer;  ///< [2]
  std::string after;          ///< the factors updated since the bound before, for messages
};

using Op = std::variant<Contract, Fill, Copy, Moments, MixtureSweep, MixtureStart, AssignStart, Bound>;

/// A buffer's size in numbers for one problem: `size`, times the problem's size of `plate` when there is one.
struct BufferSpec {
  std::string name;
  std::int64_t size = 0;
  int plate = -1;
};

/// Data of the model: rows of a matrix read in place (fused sweeps), or loaded into a float64 buffer.
struct SourceSpec {
  std::string name;
  Matrix matrix;               ///< rows of all problems in order, or of one problem for all
  std::vector<double> origin;  ///< [cols] or [problems x cols], subtracted on the way in; empty: zero
  bool per_problem = false;    ///< rows are divided among the problems: by `plate`, else into equal parts
  int plate = -1;              ///< the ragged plate whose offsets divide the rows, or -1
  Buffer buffer = kNoBuffer;   ///< load here, or none
};

struct Program {
  std::int64_t problems = 1;
  bool batched = false;  ///< a numerical failure is a problem's status; otherwise it is thrown
  std::vector<std::vector<std::int64_t>> plate_offsets;  ///< by plate: [problems + 1] for a ragged one, else empty
  std::vector<BufferSpec> buffers;
  std::vector<std::vector<std::int32_t>> maps;
  std::vector<SourceSpec> sources;
  std::vector<Responsibilities> responsibilities;
  std::vector<Op> init, sweep;     ///< init ends with the bound of the start, sweep with the bound after it
  Extent rows;                     ///< observed rows: what tolerances are measured by ...
  Buffer rows_weight = kNoBuffer;  ///< ... weighted, when they have weights
};

/// The rows of one problem.
struct Rows {
  const MatrixSource* source = nullptr;
  std::int64_t first = 0, count = 0;  ///< rows [first, first + count) of the source
  const double* origin = nullptr;     ///< [cols] or nullptr
};

/// Where one problem's buffers live.
struct Problem {
  std::vector<double*> buffers;       ///< by Buffer
  std::vector<std::int64_t> extents;  ///< by plate; the problem's size of a ragged plate
  std::vector<Rows> rows;             ///< by source
  std::int64_t number = 0;            ///< in the batch
  std::int64_t first_row = 0;         ///< of Responsibilities

  double* operator[](Buffer b) const { return buffers[b]; }
  std::int64_t size(const Extent& e) const { return e.plate < 0 ? e.size : extents[e.plate]; }
};

/// A program with its data on a device.
class Session {
 public:
  virtual ~Session() = default;
  /// Runs the program's init for every problem that has not started yet.
  virtual void start() = 0;
  /// Starts, then sweeps until every problem has met its rule (max_iter counts the sweeps of all calls) or `on_sweep`
  /// says stop. A problem that has converged or failed stays as it is. Returns one summary per problem.
  virtual std::vector<Summary> run(const StoppingRule& rule, const std::function<bool(const Sweep&)>& on_sweep) = 0;
  /// Copies a buffer of one problem to the host.
  virtual std::vector<double> read(Buffer buffer, std::int64_t problem) = 0;
  /// Overwrites a buffer of one problem, which must have started. Throws ShapeError unless the sizes agree.
  virtual void write(Buffer buffer, std::int64_t problem, const std::vector<double>& values) = 0;
  /// Tells how far a problem has come. One that has failed before it started stays as it is.
  virtual void set_summary(std::int64_t problem, const Summary& summary) = 0;
  /// Responsibilities [N x K] of one problem under the parameters of the last sweep.
  virtual std::vector<double> responsibilities(const MixtureSweep& op, std::int64_t problem) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  /// Throws NumericalError for NaN in loaded data when there is one problem, IoError, DeviceError.
  virtual std::unique_ptr<Session> prepare(const Program& program) = 0;
};

std::unique_ptr<Backend> make_cpu_backend(int threads);

/// Centres as kernels::cpu::start_centres finds them, by k-means or k-means++ on a CUDA device; nothing where the
/// device does not hold the rows. Throws DeviceError, IoError.
std::optional<std::vector<double>> cuda_start_centres(const Rows& rows, const double* weight, int components,
                                                      bool lloyd, std::uint64_t seed, Scalar precision, int ordinal,
                                                      std::int64_t memory);

/// On CUDA device `ordinal`, in `memory` bytes of it (0: what is free). Throws DeviceError without CUDA.
std::unique_ptr<Backend> make_cuda_backend(int ordinal, std::int64_t memory);

struct CudaDevice {
  int ordinal = 0;
  std::string name;
  int architecture = 0;  ///< 90: sm_90
  int multiprocessors = 0;
  std::int64_t memory = 0;  ///< bytes
};
/// The devices that can be used; none without CUDA or a driver. Never throws on their account.
std::vector<CudaDevice> cuda_devices();
/// Why there is no (other) device.
std::string no_cuda_reason();

}  // namespace cavi::kernels
