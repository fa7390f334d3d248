// SPDX-License-Identifier: Apache-2.0
// Rows scored for prediction, by the arithmetic of the float64 sweep.
//
//   work    a thread per point of a tile; a block takes one tile after the other
//   memory  rows and responsibilities are read along points, parameters by all threads of a block at once
//   order   components one after the other: what a row gets depends on that row alone
#include "kernels/cuda/mixture_predict.hpp"

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/mixture_frame.cuh"
#include "kernels/cuda/mixture_tile.cuh"
#include "kernels/math/components/independent_family.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace cavi::kernels::cuda {
namespace {

using components::with_family;
using components::with_gaussian_family;
using components::with_independent_family;

/// What a sweep sees.
template <class F>
__device__ inline MixtureView<F, double> view_of(const ScoredRows& s) {
  DeviceRows rows;
  rows.x = s.x;
  rows.count = s.rows;
  DeviceProblem problem;
  problem.rows = &rows;
  problem.scratch = s.frame;
  return MixtureView<F, double>(s.shape, problem);
}

/// visit(row, x) for the rows of a thread; x: of the point, features kTile apart.
template <class Visit>
__device__ inline void for_each_row(const ScoredRows& s, Visit visit) {
  for (std::int64_t row = std::int64_t(blockIdx.x) * kTile + threadIdx.x; row < s.rows;
       row += std::int64_t(gridDim.x) * kTile)
    visit(row, s.x + row / kTile * s.shape.features * kTile + threadIdx.x);
}

/// The point's part of the block's workspace.
__device__ inline double* workspace_of(const ScoredRows& s, std::int64_t size) {
  return s.workspace + std::int64_t(blockIdx.x) * size + threadIdx.x;
}

/// Rows as a family is scored by: whitened when it is tied.
template <class F>
__device__ inline const double* in_frame(const MixtureView<F, double>& view, const double* x, double* workspace) {
  if constexpr (!F::shared) {
    return x;
  } else {
    whiten_point(view, x, workspace);
    return workspace;
  }
}

template <class F>
__global__ void __launch_bounds__(kWarp) pack_frame(ScoredRows s) {
  const MixtureView<F, double> view = view_of<F>(s);
  const Warp warp;
  const int k = int(blockIdx.x), columns = padded(view.features);
  if (!F::shared || k == 0) round_root(view, k, view.packed_root_of(k), warp);
  for (int i = warp.rank(); i < columns; i += warp.size())
    view.packed_centre[std::int64_t(k) * columns + i] = i < view.features ? view.centre_of(k)[i] : 0;
  if (warp.rank() == 0) view.offsets[k] = view.offset[k];
}

/// Numbers of the gaussian family.
struct Finite {
  CAVI_HOST_DEVICE static bool holds(double x) { return std::fabs(x) <= DBL_MAX; }
};

template <class Values>
__global__ void __launch_bounds__(kTile) find_impossible(ScoredRows s) {
  for_each_row(s, [&](std::int64_t, const double* x) {
    for (int j = 0; j < s.shape.features; ++j)
      if (!Values::holds(x[std::int64_t(j) * kTile])) {
        atomicMin(s.failure, Failure(j));
        return;
      }
  });
}

/// The `top` largest of r, kTile apart, in falling order; the lower component comes first among equals.
__device__ inline void select(const double* r, int components, int top, std::int32_t* label, double* number) {
  for (int k = 0; k < components; ++k, r += kTile) {
    int place = min(k, top);
    for (; place > 0 && *r > number[place - 1]; --place)
      if (place < top) number[place] = number[place - 1], label[place] = label[place - 1];
    if (place < top) number[place] = *r, label[place] = k;
  }
}

/// top: how many, or 0: all of them as they come.
template <class F>
__global__ void __launch_bounds__(kTile, 4) respond(ScoredRows s, std::int64_t workspace, int top) {
  const MixtureView<F, double> view = view_of<F>(s);
  double* whitened = workspace_of(s, workspace);
  double* r = whitened + (F::shared ? std::int64_t(view.features) * kTile : 0);
  for_each_row(s, [&](std::int64_t row, const double* x) {
    respond_point(view, in_frame(view, x, whitened), 1.0, r);
    if (!Finite::holds(*r)) atomicMin(s.failure, Failure(view.features + row));
    double* numbers = s.numbers + row * (top > 0 ? top : view.components);
    if (top > 0)
      select(r, view.components, top, s.labels + row * top, numbers);
    else
      for (int k = 0; k < view.components; ++k) numbers[k] = r[std::int64_t(k) * kTile];
  });
}

/// log sum_k exp(score(k)).
template <class Score>
__device__ inline double log_sum(int components, Score score) {
  double largest = -DBL_MAX, sum = 0;
  for (int k = 0; k < components; ++k) {
    const double at = score(k), e = std::exp(-std::fabs(at - largest));
    sum = at > largest ? std::fma(sum, e, 1.0) : sum + e;
    largest = std::fmax(largest, at);
  }
  return largest + std::log(sum);
}

/// The logarithm of 1 + factor q; diag: of the product over features, kept as its difference to 1, so that small
/// distances lose nothing.
template <class F>
__device__ inline double log_distance(const MixtureView<F, double>& view, int k, const double* x, double factor) {
  if constexpr (F::kind != Component::diag) {
    return std::log1p(std::fmin(factor * shortfall_of(view, k, x), kFarthest));
  } else {
    const double *root = view.packed_root_of(k), *centre = view.packed_centre_of(k);
    double sum = 0, product = 0;
    for (int j = 0; j < view.features; ++j) {
      const double z = std::fma(root[j], x[std::int64_t(j) * kTile], centre[j]);
      product = std::fma(std::fmin(z * z, kFarthest), product + 1, product);
      if (product <= kProduct) continue;
      sum += std::log1p(product);
      product = 0;
    }
    return sum + std::log1p(product);
  }
}

template <class F>
__global__ void __launch_bounds__(kTile, 4) student_log_density(ScoredRows s, std::int64_t workspace) {
  const MixtureView<F, double> view = view_of<F>(s);
  double* whitened = workspace_of(s, workspace);
  for_each_row(s, [&](std::int64_t row, const double* x) {
    const double* z = in_frame(view, x, whitened);
    s.numbers[row] = log_sum(view.components, [&](int k) {
      return std::fma(-s.exponent[k], log_distance(view, k, z, s.factor[k]), s.constant[k]);
    });
  });
}

template <class F>
__global__ void __launch_bounds__(kTile) independent_log_density(ScoredRows s) {
  for_each_row(s, [&](std::int64_t row, const double* x) {
    s.numbers[row] = log_sum(s.shape.components, [&](int k) {
      const double* ab = s.ab + std::int64_t(k) * s.shape.features * 2;
      double score = s.constant[k];
      for (int j = 0; j < s.shape.features; ++j, ab += 2)
        score += components::log_predictive<F>(ab[0], ab[1], x[std::int64_t(j) * kTile]);
      return score;
    });
  });
}

}  // namespace

std::vector<double> scoring_frame(const MixtureSweepDevice& shape, const MixtureScores& scores) {
  const MixtureLayout at(shape, 0);
  const MixtureFrame frame = frame_of(scores, kBitsPerNat);
  std::vector<double> out(std::size_t(at.product) / sizeof(double));
  const auto put = [&](const std::vector<double>& values, std::int64_t where) {
    std::copy(values.begin(), values.end(), out.begin() + where / std::int64_t(sizeof(double)));
  };
  put(frame.root, at.root);
  put(frame.centre, at.centre);
  put(frame.offset, at.offset);
  return out;
}

std::int64_t scoring_workspace(const MixtureSweepDevice& shape, Question::About about) {
  return kTile * std::int64_t((shape.component == Component::tied ? shape.features : 0) +
                              (about == Question::About::log_density ? 0 : shape.components));
}

cudaError_t enqueue_scoring_frame(const ScoredRows& s, cudaStream_t stream) {
  return with_family(s.shape.component, [&]<class F>(F) {
    return launch(pack_frame<F>, dim3(unsigned(s.shape.components)), dim3(kWarp), 0, stream, s);
  });
}

cudaError_t enqueue_scoring(const ScoredRows& s, ComponentFamily family, const Question& question,
                            cudaStream_t stream) {
  const bool gaussian = family == ComponentFamily::gaussian;
  const auto enqueue = [&](auto kernel, const auto&... more) {
    return launch(kernel, dim3(s.blocks), dim3(kTile), 0, stream, s, more...);
  };
  const cudaError_t error =
      gaussian ? enqueue(find_impossible<Finite>)
               : with_independent_family(family, [&]<class F>(F) { return enqueue(find_impossible<F>); });
  if (error != cudaSuccess) return error;
  const std::int64_t workspace = scoring_workspace(s.shape, question.about);
  if (question.about != Question::About::log_density) {
    const int top = question.about == Question::About::responsibilities ? 0 : question.top;
    return with_family(s.shape.component, [&]<class F>(F) { return enqueue(respond<F>, workspace, top); });
  }
  if (!gaussian)
    return with_independent_family(family, [&]<class F>(F) { return enqueue(independent_log_density<F>); });
  return with_gaussian_family(s.shape.component,
                              [&]<class F>(F) { return enqueue(student_log_density<F>, workspace); });
}

}  // namespace cavi::kernels::cuda
