// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/mixture_predict.hpp"

#include "kernels/cuda/range.hpp"
#include "kernels/cuda/row_store.hpp"
#include "kernels/cuda/runtime.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace cavi::kernels::cuda {
namespace {

constexpr std::int64_t kMiB = 1 << 20, kNumber = sizeof(double);
constexpr std::int64_t kWave = 64 * kMiB, kPipe = 16 * kMiB, kWorkspace = 128 * kMiB;  // bytes, at the most

std::int64_t tiles_of(std::int64_t rows) { return (rows + kTile - 1) / kTile; }

MixtureSweepDevice shape_of(const MixtureScores& scores) {
  MixtureSweepDevice shape;
  shape.component = scores.component;
  shape.components = scores.components;
  shape.features = scores.features;
  shape.precision = Scalar::float64;
  shape.regime = MixtureRegime::tile;
  shape.most_slabs = 1;
  return shape;
}

/// Everything that rows are scored by, in one piece.
struct Parameters {
  std::vector<double> values;
  std::size_t constant, exponent, factor, ab;  ///< where they begin; the frame is before them

  explicit Parameters(const MixtureScores& s)
      : values(scoring_frame(shape_of(s), s)),
        constant(append(s.constant)),
        exponent(append(s.exponent)),
        factor(append(s.factor)),
        ab(append(s.ab)) {}
  std::int64_t bytes() const { return std::int64_t(values.size()) * kNumber; }

 private:
  std::size_t append(const std::vector<double>& more) {
    values.insert(values.end(), more.begin(), more.end());
    return values.size() - more.size();
  }
};

/// The results of a wave as they lie on the device: the failure, labels, numbers. A label comes with its
/// responsibility, which stays there.
struct Results {
  std::int64_t numbers, end, wanted;  ///< where numbers begin; bytes in all; of those, bytes that go to the host
  static constexpr std::int64_t labels = sizeof(Failure);

  Results(const Question& question, int components, std::int64_t rows)
      : numbers(labels + (rows * question.labels() + 1) / 2 * 2 * std::int64_t(sizeof(std::int32_t))),
        end(numbers + rows * (question.about == Question::About::label ? 1 : question.numbers(components)) * kNumber),
        wanted(question.numbers(components) > 0 ? end : labels + rows * question.bytes(components)) {}
};

/// How much of everything fits into a budget.
struct Plan {
  std::int64_t pipe, blocks, tiles;  ///< bytes of a buffer of the pipe; blocks with a workspace; tiles of a wave

  Plan(const MixtureScores& s, const Question& question, std::int64_t rows, std::int64_t parameters,
       std::int64_t budget) {
    const std::int64_t all = tiles_of(rows), row = kNumber * s.features;
    const std::int64_t workspace = kNumber * scoring_workspace(shape_of(s), question.about);
    const std::int64_t tile = kTile * row + Results(question, s.components, kTile).end;
    pipe = std::max((kTile + 1) * row, std::min({kPipe, budget / 16, all * kTile * row / 4}));
    blocks = workspace > 0 ? std::clamp<std::int64_t>(std::min(kWorkspace, budget / 4) / workspace, 1, all) : all;
    const std::int64_t others = parameters + 2 * pipe + blocks * workspace;
    if (others + tile > budget)
      throw DeviceError("to score " + std::to_string(kTile) + " rows takes " + std::to_string(others + tile) +
                        " bytes of device memory and there are " + std::to_string(budget) +
                        "; give the device a larger memory budget");
    tiles = std::clamp<std::int64_t>(std::min(kWave, budget - others) / tile, 1, all);
    blocks = std::min(blocks, tiles);
  }
};

class CudaPredictor final : public Predictor {
 public:
  CudaPredictor(const MixtureScores& scores, const Question& question, int ordinal, const Parameters& parameters,
                const Plan& plan)
      : scores_(scores),
        question_(question),
        ordinal_(ordinal),
        wave_(plan.tiles * kTile),
        parameters_(to_device(parameters.values, "copying parameters to the device", stream_)),
        x_(std::size_t(wave_ * scores.features * kNumber)),
        workspace_(std::size_t(plan.blocks * kNumber * scoring_workspace(shape_of(scores), question.about))),
        results_(std::size_t(Results(question, scores.components, wave_).end)),
        host_(results_.bytes()),
        pipe_(std::size_t(plan.pipe), stream_) {
    const auto* values = parameters_.as<const double>();
    s_.shape = shape_of(scores);
    s_.frame = parameters_.data();
    s_.constant = values + parameters.constant;
    s_.exponent = values + parameters.exponent;
    s_.factor = values + parameters.factor;
    s_.ab = values + parameters.ab;
    s_.x = x_.as<const double>();
    s_.workspace = workspace_.as<double>();
    s_.blocks = unsigned(plan.blocks);
    s_.failure = results_.as<Failure>();
    check(enqueue_scoring_frame(s_, stream_), "launching the frame of predictions");
  }

  std::int64_t wave() const override { return wave_; }

  void predict(const Rows& rows, std::int32_t* labels, double* numbers) override {
    const OnDevice on(ordinal_);
    const Range range("cavi: prediction");
    const Results at(question_, scores_.components, rows.count);
    s_.rows = rows.count;
    s_.labels = reinterpret_cast<std::int32_t*>(results_.data() + Results::labels);
    s_.numbers = reinterpret_cast<double*>(results_.data() + at.numbers);
    check(cudaMemsetAsync(s_.failure, 0xff, sizeof(Failure), stream_), "clearing the failure");
    pipe_.send({rows.source, rows.first, rows.count, scores_.origin.data()}, 0, rows.count, Scalar::float64, x_.data());
    check(enqueue_scoring(s_, scores_.family, question_, stream_), "launching predictions");
    check(cudaMemcpyAsync(host_.as<void>(), results_.data(), std::size_t(at.wanted), cudaMemcpyDeviceToHost, stream_),
          "copying predictions to the host");
    stream_.wait();
    const Failure failure = *host_.as<const Failure>();
    if (failure < Failure(scores_.features)) throw impossible_value(int(failure));
    if (failure != kNoFailure) throw too_far(rows.first + std::int64_t(failure) - scores_.features);
    std::memcpy(labels, host_.as<std::byte>() + Results::labels,
                std::size_t(rows.count * question_.labels()) * sizeof(std::int32_t));
    std::memcpy(numbers, host_.as<std::byte>() + at.numbers,
                std::size_t(rows.count * question_.numbers(scores_.components)) * sizeof(double));
  }

 private:
  const MixtureScores& scores_;
  const Question question_;
  const int ordinal_;
  const std::int64_t wave_;
  ScoredRows s_;
  Stream stream_;
  DeviceMemory parameters_, x_, workspace_, results_;
  PinnedMemory host_;
  RowPipe pipe_;  // the last: when it goes, it waits for the stream
};

}  // namespace
}  // namespace cavi::kernels::cuda

namespace cavi::kernels {

std::unique_ptr<Predictor> make_cuda_predictor(const MixtureScores& scores, const Question& question, std::int64_t rows,
                                               int ordinal, std::int64_t memory) {
  const cuda::OnDevice on(ordinal);
  const cuda::Parameters parameters(scores);
  const cuda::Plan plan(scores, question, rows, parameters.bytes(), cuda::usable_memory(memory));
  return std::make_unique<cuda::CudaPredictor>(scores, question, ordinal, parameters, plan);
}

}  // namespace cavi::kernels
