// SPDX-License-Identifier: Apache-2.0
// The definition of a mixture sweep in long double, and random problems to hold the kernels against it.
#pragma once

#include "kernels/cpu/mixture.hpp"
#include "kernels/ops.hpp"

#include <cavi/matrix.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace cavi::test {

using kernels::Component;
using Real = long double;

inline std::string name_of(Component c) {
  switch (c) {
    case Component::full: return "full";
    case Component::tied: return "tied";
    case Component::diag: return "diag";
    case Component::spherical: return "spherical";
    case Component::linear: break;
  }
  return "linear";
}

inline const std::vector<Component> kEveryComponent{Component::full, Component::tied, Component::diag,
                                                    Component::spherical, Component::linear};

/// A mixture in the way of natural parameters, with rows near its components.
struct MixtureProblem {
  Component component = Component::full;
  std::int64_t rows = 0;
  int components = 1, features = 1;
  std::vector<double> x;               ///< [N x D] as stored
  std::vector<double> weight, origin;  ///< empty: none
  std::vector<double> quadratic, linear, constant;
};

struct Shape {
  Component component;
  std::int64_t rows;
  int components, features;
  double kappa = 1;  ///< scale of the means, in standard deviations
  bool origin = false, weights = false;
  unsigned seed = 1;
  bool paired = false;  ///< every second mean is near the one before, so that rows are shared at any kappa
  double drift = 0;     ///< of the rows from the means, along every feature
  double spread = 1;    ///< every second mean is so many times as far away
};

inline MixtureProblem random_mixture(const Shape& s) {
  std::mt19937_64 rng(s.seed * 7919 + s.rows * 31 + s.components * 17 + s.features);
  std::normal_distribution<double> gauss;
  std::uniform_real_distribution<double> uniform(0, 1);
  const int K = s.components, D = s.features;
  MixtureProblem p;
  p.component = s.component;
  p.rows = s.rows, p.components = K, p.features = D;
  std::vector<double> mean(K * D), scale(K * D), root(std::size_t(K) * D * D);
  for (int k = 0; k < K; ++k) {
    double norm = 0;
    for (int d = 0; d < D; ++d) mean[k * D + d] = gauss(rng), norm += mean[k * D + d] * mean[k * D + d];
    for (int d = 0; d < D; ++d) mean[k * D + d] *= (k % 2 == 1 ? s.spread : 1) * s.kappa / std::sqrt(norm);
    for (int d = 0; d < D && s.paired && k % 2 == 1; ++d)
      mean[k * D + d] = mean[(k - 1) * D + d] + 1.5 * gauss(rng) / std::sqrt(D);
  }
  // root: an upper triangular square root of the precision, near the identity.
  for (int k = 0; k < K; ++k)
    for (int i = 0; i < D; ++i) {
      const bool first = k == 0 || (s.component != Component::tied);
      for (int j = i; j < D; ++j) {
        double v = i == j ? 0.7 + 0.6 * uniform(rng) : 0.3 * gauss(rng) / std::sqrt(D);
        if (i != j && s.component != Component::full && s.component != Component::tied) v = 0;
        if (s.component == Component::linear) v = i == j;  // the square of the row is common to all components
        if (s.component == Component::spherical && i == j && i > 0) v = root[std::size_t(k) * D * D];
        root[(std::size_t(k) * D + i) * D + j] = first ? v : root[std::size_t(i) * D + j];
      }
    }
  p.constant.resize(K), p.linear.resize(K * D);
  p.quadratic.assign(kernels::quadratic_size(s.component, K, D), 0);
  for (int k = 0; k < K; ++k) {
    const double* r = root.data() + std::size_t(k) * D * D;
    std::vector<Real> lambda(D * D, 0);
    for (int i = 0; i < D; ++i)
      for (int j = 0; j < D; ++j)
        for (int l = 0; l < D; ++l) lambda[i * D + j] += Real(r[l * D + i]) * (l <= i && l <= j ? r[l * D + j] : 0);
    Real square = 0;
    for (int i = 0; i < D; ++i) {
      Real l = 0;
      for (int j = 0; j < D; ++j) l += lambda[i * D + j] * mean[k * D + j];
      p.linear[k * D + i] = double(l);
      square += l * mean[k * D + i];
      for (int j = 0; j < D; ++j) {
        if (s.component == Component::full)
          p.quadratic[(std::size_t(k) * D + i) * D + j] = double(-lambda[i * D + j] / 2);
        if (s.component == Component::tied) p.quadratic[std::size_t(i) * D + j] = double(-lambda[i * D + j] / 2);
      }
      if (s.component == Component::diag) p.quadratic[k * D + i] = double(-lambda[i * D + i] / 2);
      if (s.component == Component::spherical) p.quadratic[k] = double(-lambda[0] / 2);
    }
    Real volume = 0;  // half the logarithm of the determinant: components compete on equal terms
    for (int i = 0; i < D; ++i) volume += std::log(r[i * D + i]);
    p.constant[k] = double(volume - square / 2) + 0.3 * gauss(rng) - 3;
  }
  if (s.origin)
    for (int d = 0; d < D; ++d) p.origin.push_back(3 * gauss(rng));
  p.x.resize(std::size_t(s.rows) * D);
  for (std::int64_t n = 0; n < s.rows; ++n) {
    const int k = int(rng() % K);
    for (int d = 0; d < D; ++d) {
      // A float32 number: the same row for every type of source.
      p.x[n * D + d] = float(mean[k * D + d] + s.drift + 1.2 * gauss(rng) + (s.origin ? p.origin[d] : 0));
    }
    if (s.weights) p.weight.push_back(rng() % 4 == 0 ? 0 : 2 * uniform(rng));
  }
  return p;
}

struct Moments {
  std::vector<Real> count, first, second;  ///< about the origin; [K], [K x D], quadratic_size()
  Real entropy = 0, lse = 0;
  Real magnitude = 1;   ///< largest logit of a component that matters to a row
  std::vector<Real> r;  ///< [N x K]
};

/// Row n minus the origin.
inline std::vector<Real> row(const MixtureProblem& p, std::int64_t n) {
  std::vector<Real> x(p.features);
  for (int d = 0; d < p.features; ++d) x[d] = Real(p.x[n * p.features + d]) - (p.origin.empty() ? 0 : p.origin[d]);
  return x;
}

inline Real logit(const MixtureProblem& p, const std::vector<Real>& x, int k) {
  const int D = p.features;
  Real sum = p.constant[k];
  for (int i = 0; i < D; ++i) {
    sum += p.linear[k * D + i] * x[i];
    switch (p.component) {
      case Component::full:
        for (int j = 0; j < D; ++j) sum += p.quadratic[(std::size_t(k) * D + i) * D + j] * x[i] * x[j];
        break;
      case Component::tied:
        for (int j = 0; j < D; ++j) sum += p.quadratic[std::size_t(i) * D + j] * x[i] * x[j];
        break;
      case Component::diag: sum += p.quadratic[k * D + i] * x[i] * x[i]; break;
      case Component::spherical: sum += p.quadratic[k] * x[i] * x[i]; break;
      case Component::linear: break;
    }
  }
  return sum;
}

inline void add_moments(const MixtureProblem& p, const std::vector<Real>& x, Real w, const Real* r, Moments& m) {
  const int K = p.components, D = p.features;
  for (int k = 0; k < K; ++k) {
    const Real a = w * r[k];
    m.count[k] += a;
    for (int i = 0; i < D; ++i) {
      m.first[k * D + i] += a * x[i];
      switch (p.component) {
        case Component::full:
          for (int j = 0; j < D; ++j) m.second[(std::size_t(k) * D + i) * D + j] += a * x[i] * x[j];
          break;
        case Component::tied:
          if (k == 0)
            for (int j = 0; j < D; ++j) m.second[std::size_t(i) * D + j] += w * x[i] * x[j];
          break;
        case Component::diag: m.second[k * D + i] += a * x[i] * x[i]; break;
        case Component::spherical: m.second[k] += a * x[i] * x[i]; break;
        case Component::linear: break;
      }
    }
    if (r[k] > 0) m.entropy -= a * std::log(r[k]);
  }
}

inline Moments no_moments(const MixtureProblem& p) {
  Moments m;
  m.count.assign(p.components, 0);
  m.first.assign(p.components * p.features, 0);
  m.second.assign(kernels::quadratic_size(p.component, p.components, p.features), 0);
  return m;
}

inline Moments definition(const MixtureProblem& p) {
  Moments m = no_moments(p);
  const int K = p.components;
  for (std::int64_t n = 0; n < p.rows; ++n) {
    const auto x = row(p, n);
    std::vector<Real> r(K);
    Real largest = -std::numeric_limits<Real>::infinity(), sum = 0;
    for (int k = 0; k < K; ++k) r[k] = logit(p, x, k), largest = std::max(largest, r[k]);
    for (int k = 0; k < K; ++k) sum += r[k] = std::exp(r[k] - largest);
    for (int k = 0; k < K; ++k) r[k] /= sum;
    const Real w = p.weight.empty() ? 1 : p.weight[n];
    m.lse += w * (largest + std::log(sum));
    m.magnitude = std::max(m.magnitude, std::abs(largest));
    add_moments(p, x, w, r.data(), m);
    m.r.insert(m.r.end(), r.begin(), r.end());
  }
  return m;
}

/// Statistics against the definition, errors in units of what the rows of a component add up to.
template <class Outputs>
void expect_moments(Outputs& got, const Moments& expected, const MixtureProblem& p, double tolerance) {
  Real total = 1, spread = 1;
  for (std::int64_t n = 0; n < p.rows; ++n) {
    const Real w = p.weight.empty() ? 1 : p.weight[n];
    total += w;
    for (const Real x : row(p, n)) spread = std::max(spread, std::abs(x));
  }
  for (int k = 0; k < p.components; ++k) EXPECT_NEAR(got.count()[k], expected.count[k], tolerance * total) << k;
  for (std::size_t i = 0; i < got.first().size(); ++i)
    EXPECT_NEAR(got.first()[i], expected.first[i], tolerance * total * spread) << "first " << i;
  for (std::size_t i = 0; i < got.second().size(); ++i)
    EXPECT_NEAR(got.second()[i], expected.second[i], tolerance * total * spread * spread * p.features)
        << "second " << i;
  EXPECT_NEAR(got.entropy(), expected.entropy, 10 * tolerance * total * p.features);
}

/// The share of pairs of row and component whose responsibility is negligible, where it is counted.
inline void expect_negligible(double share, const Moments& expected, const MixtureProblem& p, Scalar precision,
                              bool counted = true) {
  EXPECT_EQ(std::isnan(share), !counted || p.rows == 0) << share;
  if (std::isnan(share)) return;
  const Real least = precision == Scalar::float32 ? 0x1p-40L : 0x1p-80L;
  std::int64_t negligible = 0, unsure = 0;
  for (std::size_t i = 0; i < expected.r.size(); ++i) {
    const Real weighted = expected.r[i] * (p.weight.empty() ? 1 : p.weight[i / std::size_t(p.components)]);
    negligible += weighted < least;
    unsure += std::abs(std::log2(weighted / least)) < 0.01L;
  }
  EXPECT_NEAR(share * double(expected.r.size()), double(negligible), double(unsure) + 0.5);
}

/// A logit is a sum whose rounding errors, and so those of a responsibility, scale with its size.
inline double tolerance_of(Scalar precision, const Moments& m) {
  return (precision == Scalar::float32 ? 0x1p-24 : 0x1p-53) * 8 * double(1 + m.magnitude);
}

/// What the sweep adds to the bound under its own parameters: entropy + <statistics, natural parameters>.
template <class Outputs>
double bound(const MixtureProblem& p, Outputs& b) {
  Real sum = b.entropy();
  for (int k = 0; k < p.components; ++k) sum += Real(p.constant[k]) * b.count()[k];
  for (std::size_t i = 0; i < p.linear.size(); ++i) sum += Real(p.linear[i]) * b.first()[i];
  for (std::size_t i = 0; i < p.quadratic.size(); ++i) sum += Real(p.quadratic[i]) * b.second()[i];
  return double(sum);
}

/// Moments of component k about a point: N, sum r z, sum r z z' (its diagonal, its trace; nothing for tied).
struct Local {
  Real count;
  std::vector<Real> first, second;
};
template <class Outputs>
Local about(const MixtureProblem& p, Outputs& b, int k, const std::vector<Real>& centre) {
  const int D = p.features;
  Local out{b.count()[k], {}, {}};
  std::vector<Real> raw(D);
  for (int d = 0; d < D; ++d) raw[d] = b.first()[k * D + d], out.first.push_back(raw[d] - out.count * centre[d]);
  const auto moved = [&](Real second, int i, int j) {
    return second - centre[i] * raw[j] - raw[i] * centre[j] + out.count * centre[i] * centre[j];
  };
  if (p.component == Component::full)
    for (int i = 0; i < D; ++i)
      for (int j = 0; j < D; ++j) out.second.push_back(moved(b.second()[(k * D + i) * D + j], i, j));
  if (p.component == Component::diag)
    for (int i = 0; i < D; ++i) out.second.push_back(moved(b.second()[k * D + i], i, i));
  if (p.component == Component::spherical) {
    Real trace = b.second()[k];
    for (int i = 0; i < D; ++i) trace += moved(0, i, i);
    out.second.push_back(trace / D);
  }
  return out;
}

/// A source whose rows can only be read block by block.
class FileLike final : public MatrixSource {
 public:
  explicit FileLike(std::shared_ptr<const MatrixSource> source) : source_(std::move(source)) {}
  std::int64_t rows() const override { return source_->rows(); }
  int cols() const override { return source_->cols(); }
  Scalar scalar() const override { return source_->scalar(); }
  std::string name() const override { return "file"; }
  void read(std::int64_t first, std::int64_t count, void* out) const override { source_->read(first, count, out); }

 private:
  std::shared_ptr<const MatrixSource> source_;
};

enum class Storage { float32, float64, strided, file };

inline Matrix store(const MixtureProblem& p, Storage storage) {
  const std::vector<float> narrow(p.x.begin(), p.x.end());
  switch (storage) {
    case Storage::float32: return Matrix(narrow, p.rows, p.features);
    case Storage::float64: return Matrix(p.x, p.rows, p.features);
    case Storage::file: return Matrix(std::make_shared<FileLike>(Matrix(narrow, p.rows, p.features).source()));
    case Storage::strided: break;
  }
  // Poison between the rows; the vector lives as long as the matrix that views it.
  const int stride = p.features + 3;
  auto wide = std::make_shared<std::vector<float>>(p.rows * stride, std::numeric_limits<float>::quiet_NaN());
  for (std::int64_t n = 0; n < p.rows; ++n)
    for (int d = 0; d < p.features; ++d) (*wide)[n * stride + d] = narrow[n * p.features + d];
  const Matrix view = Matrix::view(wide->data(), p.rows, p.features, stride);
  return Matrix(std::shared_ptr<const MatrixSource>(view.source().get(), [view, wide](const MatrixSource*) {}));
}

/// The buffers of one problem, poisoned: an output that nobody writes fails every comparison.
class Bench {
 public:
  Bench(const MixtureProblem& p, Storage storage, Scalar precision) : matrix_(store(p, storage)), origin_(p.origin) {
    const double poison = std::numeric_limits<double>::quiet_NaN();
    const int K = p.components, D = p.features;
    buffers_ = {p.quadratic,
                p.linear,
                p.constant,
                p.weight,
                std::vector<double>(K, poison),
                std::vector<double>(K * D, poison),
                std::vector<double>(kernels::quadratic_size(p.component, K, D), poison),
                {poison}};
    for (auto& b : buffers_) problem_.buffers.push_back(b.data());
    problem_.rows = {{matrix_.source().get(), 0, p.rows, p.origin.empty() ? nullptr : origin_.data()}};
    kernels::MixtureShape& s = op_.shape;
    s.component = p.component, s.components = K, s.features = D, s.source = 0, s.precision = precision;
    s.weight = p.weight.empty() ? kernels::kNoBuffer : 3;
    s.count = 4, s.first = 5, s.second = 6, s.entropy = 7;
    op_.quadratic = 0, op_.linear = 1, op_.constant = 2;
  }
  Bench(const Bench&) = delete;

  kernels::MixtureSweep& op() { return op_; }
  kernels::Problem& problem() { return problem_; }
  const std::vector<double>& count() const { return buffers_[4]; }
  const std::vector<double>& first() const { return buffers_[5]; }
  std::vector<double>& second() { return buffers_[6]; }
  double entropy() const { return buffers_[7][0]; }
  double negligible() const { return negligible_; }
  /// Every output in one vector, for comparisons bit by bit.
  std::vector<double> outputs() const {
    std::vector<double> all;
    for (int b = 4; b < 8; ++b) all.insert(all.end(), buffers_[b].begin(), buffers_[b].end());
    return all;
  }

  void start(const kernels::Responsibilities& given, kernels::cpu::ThreadPool& pool) {
    kernels::MixtureStart start;
    start.shape = op_.shape;
    kernels::cpu::mixture_start(start, given, problem_, pool);
  }
  /// A sweep; the tied moment, which sweeps leave alone, comes from a start.
  void sweep(kernels::cpu::ThreadPool& pool) {
    if (op_.shape.component == Component::tied) start({}, pool);
    negligible_ = kernels::cpu::mixture_sweep(op_, problem_, pool).negligible;
  }

 private:
  Matrix matrix_;
  std::vector<double> origin_;
  std::vector<std::vector<double>> buffers_;
  kernels::Problem problem_;
  kernels::MixtureSweep op_;
  double negligible_ = 0;
};

}  // namespace cavi::test
