// SPDX-License-Identifier: Apache-2.0
// Reading a fitted q: moments cut out of slots, parameters decoded from natural ones.
#include "src/linear_algebra.hpp"
#include "src/posterior_impl.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <cmath>

namespace cavi {

using kernels::Family;

namespace {

const char* name_of(Family f) {
  switch (f) {
    case Family::gaussian: return "Gaussian";
    case Family::wishart: return "Gamma or Wishart";
    case Family::normal_wishart: return "Normal-Wishart";
    case Family::dirichlet: return "Dirichlet";
    case Family::sticks: return "Beta";
    case Family::categorical: return "categorical";
  }
  return "";
}

const Factor& require(const Posterior::Impl& p, Variable v, Family family) {
  const Factor& f = p.factor_of(v);
  if (f.family != family) throw Error(f.name + " is " + name_of(f.family) + ", not " + name_of(family));
  return f;
}

std::int64_t numbers(const std::vector<double>& buffer, std::int64_t of_one) {
  return of_one > 0 ? std::int64_t(buffer.size()) / of_one : 0;
}

/// Beta parameters of sticks from natural ones: what rides on ln pi_k counts for its own stick and all before it.
std::vector<double> stick_parameters(const std::vector<double>& v, const std::vector<double>& rest,
                                     const std::vector<double>& pi, int k) {
  std::vector<double> out(v.size() * 2);
  for (std::size_t first = 0; first < v.size(); first += std::size_t(k)) {
    double tail = 0;
    for (int i = k - 1; i >= 0; --i) {
      const std::size_t at = first + std::size_t(i);
      out[2 * at] = 1 + v[at] + pi[at];
      out[2 * at + 1] = 1 + rest[at] + tail;
      tail += pi[at];
    }
  }
  return out;
}

}  // namespace

const Factor& Posterior::Impl::factor_of(Variable v) const {
  if (v.id < 0 || v.id >= int(plan.owner.size())) throw ShapeError("posterior: a variable of another model");
  return plan.factors[std::size_t(plan.owner[std::size_t(v.id)])];
}

void Posterior::Impl::check_problem(int problem) const {
  if (problem < 0 || problem >= int(summaries.size()))
    throw ShapeError("posterior: problem " + std::to_string(problem) + " of " + std::to_string(summaries.size()));
}

std::vector<double> Posterior::Impl::read(kernels::Buffer b, int problem) const {
  check_problem(problem);
  return session->read(b, problem);
}

std::vector<double> Posterior::Impl::extract(Variable v, int statistic, int problem) const {
  const Factor& f = factor_of(v);
  const VariableInfo& info = model.variables[std::size_t(v.id)];
  if (statistic < 0 || statistic >= model.statistics_of(info.domain))
    throw ShapeError("'" + info.name + "' has no sufficient statistic number " + std::to_string(statistic));
  if (const auto& sweep = plan.fused[std::size_t(v.id)]) {
    check_problem(problem);
    return session->responsibilities(*sweep, problem);
  }
  Reference r{Reference::Kind::variable, v.id, statistic, model.labels_of(info, statistic)};
  const SlotView view = *resolve(model, f, Term{1, {r}, {}, -1});
  const std::vector<double> slot = read(f.u[std::size_t(view.slot)], problem);

  // Walks the labels in the variable's own order and reads where the slot's strides say.
  std::vector<std::int64_t> sizes, strides;
  std::int64_t total = 1;
  for (const Label& l : r.labels) {
    const PlateInfo& p = model.plates[std::size_t(l.plate)];
    sizes.push_back(p.ragged() ? p.offsets[std::size_t(problem) + 1] - p.offsets[std::size_t(problem)] : p.size);
    strides.push_back(0);
    for (const auto& a : view.axes)
      if (a.label == l) strides.back() += a.stride;
    total *= sizes.back();
  }
  std::vector<double> out(static_cast<std::size_t>(total));
  for (std::int64_t i = 0; i < total; ++i) {
    std::int64_t at = view.offset, rest = i;
    for (std::size_t l = sizes.size(); l-- > 0; rest /= sizes[l]) at += rest % sizes[l] * strides[l];
    out[std::size_t(i)] = slot[std::size_t(at)];
  }
  return out;
}

std::vector<double> Posterior::expected_statistic(Variable v, int index, int problem) const {
  return impl_->extract(v, index, problem);
}

std::vector<double> Posterior::mean(Variable v, int problem) const {
  const Factor& f = impl_->factor_of(v);
  if (f.family == Family::normal_wishart && f.variables[0] == v.id) return normal_wishart(v, problem).mean;
  if (f.family == Family::dirichlet) {
    std::vector<double> alpha = dirichlet(v, problem);
    for (std::size_t first = 0; first < alpha.size(); first += std::size_t(f.dimension)) {
      double sum = 0;
      for (int k = 0; k < f.dimension; ++k) sum += alpha[first + std::size_t(k)];
      for (int k = 0; k < f.dimension; ++k) alpha[first + std::size_t(k)] /= sum;
    }
    return alpha;
  }
  if (f.family == Family::sticks) {
    const std::vector<double> ab = beta(v, problem);
    const bool unit = impl_->model.variables[std::size_t(v.id)].domain == Domain::unit;
    std::vector<double> out(ab.size() / 2);
    double left = 1;  // E of what earlier sticks leave
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (unit || i % std::size_t(f.dimension) == 0) left = 1;
      const double sum = ab[2 * i] + ab[2 * i + 1];
      out[i] = left * ab[2 * i] / sum;
      left *= ab[2 * i + 1] / sum;
    }
    return out;
  }
  return impl_->extract(v, 0, problem);
}

GaussianParameters Posterior::gaussian(Variable v, int problem) const {
  const Factor& f = require(*impl_, v, Family::gaussian);
  const std::size_t d = std::size_t(f.dimension);
  GaussianParameters out;
  out.dimension = f.dimension;
  out.mean = impl_->read(f.u[0], problem);
  out.covariance = impl_->read(f.u[1], problem);
  out.count = numbers(out.mean, f.dimension);
  for (std::size_t e = 0; e < std::size_t(out.count); ++e)
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j)
        out.covariance[(e * d + i) * d + j] -= out.mean[e * d + i] * out.mean[e * d + j];
  return out;
}

GammaParameters Posterior::gamma(Variable v, int problem) const {
  const Factor& f = require(*impl_, v, Family::wishart);
  if (impl_->model.variables[std::size_t(v.id)].domain != Domain::positive)
    throw Error(f.name + " is Wishart, not Gamma");
  GammaParameters out{impl_->read(f.eta[1], problem), impl_->read(f.eta[0], problem)};
  for (double& a : out.shape) a += 1;
  for (double& b : out.rate) b = -b;
  return out;
}

WishartParameters Posterior::wishart(Variable v, int problem) const {
  const Factor& f = require(*impl_, v, Family::wishart);
  WishartParameters out{f.dimension, impl_->read(f.eta[1], problem), impl_->read(f.eta[0], problem)};
  for (double& nu : out.degrees_of_freedom) nu = 2 * nu + f.dimension + 1;
  for (double& w : out.inverse_scale) w *= -2;
  return out;
}

NormalWishartParameters Posterior::normal_wishart(Variable v, int problem) const {
  const Factor& f = require(*impl_, v, Family::normal_wishart);
  const std::size_t d = std::size_t(f.dimension), inner = std::size_t(f.inner);
  NormalWishartParameters out;
  out.dimension = f.dimension;
  out.inner = f.inner;
  out.inverse_scale = impl_->read(f.eta[0], problem);
  out.degrees_of_freedom = impl_->read(f.eta[1], problem);
  out.mean = impl_->read(f.eta[2], problem);
  out.mean_precision = impl_->read(f.eta[3], problem);
  for (double& b : out.mean_precision) b *= -2;
  for (double& nu : out.degrees_of_freedom) nu = 2 * nu - f.inner + f.dimension + 1;
  for (double& w : out.inverse_scale) w *= -2;
  for (std::size_t e = 0; e < out.degrees_of_freedom.size(); ++e) {
    double* w = &out.inverse_scale[e * d * d];
    for (std::size_t j = 0; j < inner; ++j) {
      double* m = &out.mean[(e * inner + j) * d];
      const double beta = out.mean_precision[e * inner + j];
      for (std::size_t i = 0; i < d; ++i) m[i] /= beta;
      for (std::size_t a = 0; a < d; ++a)
        for (std::size_t b = 0; b < d; ++b) w[a * d + b] -= beta * m[a] * m[b];
    }
  }
  return out;
}

std::vector<double> Posterior::dirichlet(Variable v, int problem) const {
  const Factor& f = require(*impl_, v, Family::dirichlet);
  std::vector<double> alpha = impl_->read(f.eta[0], problem);
  for (double& a : alpha) a += 1;
  return alpha;
}

std::vector<double> Posterior::beta(Variable v, int problem) const {
  const Factor& f = require(*impl_, v, Family::sticks);
  return stick_parameters(impl_->read(f.eta[0], problem), impl_->read(f.eta[1], problem),
                          impl_->read(f.eta[2], problem), f.dimension);
}

int Posterior::n_problems() const { return int(impl_->summaries.size()); }

const Summary& Posterior::summary(int problem) const {
  impl_->check_problem(problem);
  return impl_->summaries[std::size_t(problem)];
}

}  // namespace cavi
