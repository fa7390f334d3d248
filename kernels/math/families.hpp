// SPDX-License-Identifier: Apache-2.0
/// \file
/// The exponential families, one plate element at a time: (u, entropy) = family(eta) for the density exp(<eta, T(x)> -
/// A) with reference measure one, where u = E[T(x)] has the layout of eta. Matrices are row-major; a matrix in eta may
/// be unsymmetric and stands for its symmetric part, those in u are symmetric. eta and u do not overlap. Nothing
/// allocates. A team works on one element together (team.hpp); every member returns the same moment, and what it wrote
/// is seen by the others after team.sync().
///
/// A law holds for each of them: with A(eta) = entropy + <eta, u>, the gradient of A is u (Wainwright and Jordan,
/// Graphical Models, Exponential Families, and Variational Inference, 2008, section 3.5). Entropies are written in
/// closed forms in which the large terms of A and <eta, u> have cancelled on paper.
#pragma once

#include "kernels/math/cholesky.hpp"
#include "kernels/math/host_device.hpp"
#include "kernels/math/special.hpp"
#include "kernels/math/team.hpp"

#include <cmath>
#include <cstddef>

namespace cavi::kernels::math::inline CAVI_COMPILER {

enum class Failure {
  none,
  precision,
  inverse_scale,
  degrees_of_freedom,
  mean_precision,
  concentration,
  logits,
  not_finite
};

/// What a failure says after "factor 'w', element 3: ".
inline const char* message(Failure failure) {
  switch (failure) {
    case Failure::none: return "no failure";
    case Failure::precision: return "precision is not positive definite; give every coordinate a proper prior";
    case Failure::inverse_scale: return "inverse scale is not positive definite; use a proper prior or centre the data";
    case Failure::degrees_of_freedom: return "degrees of freedom do not exceed dimension - 1; use a proper prior";
    case Failure::mean_precision: return "precision of a mean is not positive; use a proper prior";
    case Failure::concentration: return "a concentration is not positive; use a proper prior";
    case Failure::logits: return "no category has a finite logit; give one a positive weight";
    case Failure::not_finite:
      return "natural parameters are not finite; look for NaN or infinity in the data, or rescale";
  }
  return "";
}

struct Moment {
  double entropy = 0;
  Failure failure = Failure::none;
};

/// A partition of the coordinates 0..M-1 of a vector: block b is coordinates[offsets[b]] .. coordinates[offsets[b+1] -
/// 1].
struct Partition {
  const int* coordinates = nullptr;
  const int* offsets = nullptr;
  int blocks = 0;
};

namespace detail {

CAVI_HOST_DEVICE inline bool finite(double x) { return x - x == 0; }

template <class Team = Alone>
CAVI_HOST_DEVICE bool finite(const double* x, int n, Team team = {}) {
  bool all = true;
  for (int i = team.rank(); i < n; i += team.size()) all = all && finite(x[i]);
  return team.all(all);
}

/// out = -(p + p'): minus twice the symmetric part.
template <class Team>
CAVI_HOST_DEVICE void symmetrise(const double* p, int n, double* out, Team team) {
  for (int i = 0; i < n; ++i)
    for (int j = team.rank(); j <= i; j += team.size()) {
      const std::ptrdiff_t ij = std::ptrdiff_t(i) * n + j, ji = std::ptrdiff_t(j) * n + i;
      out[ij] = out[ji] = -(p[ij] + p[ji]);
    }
  team.sync();
}

/// Entropy of a Gaussian vector whose precision has this logarithm of its determinant.
CAVI_HOST_DEVICE inline double gaussian_entropy(int n, double log_precision) {
  return 0.5 * (n * (1 + kLog2Pi) - log_precision);
}

/// From u_matrix = W^-1: u_matrix = nu W, u_log = E ln|L|, and the entropy. With a_i = (nu - i) / 2, i = 0..D-1,
///   H = sum_i [gamma_entropy(a_i) + (D - 1 - i) / 2 digamma(a_i)] + D (D - 1) / 4 (1 + ln pi) + (D + 1) / 2 ln|2 W|.
template <class Team>
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE Moment wishart_moments(double nu, int d, double* u_matrix, double* u_log, Team team) {
  if (!finite(nu)) return {0, Failure::not_finite};
  if (!(nu > d - 1)) return {0, Failure::degrees_of_freedom};
  if (cholesky(u_matrix, d, team) >= 0) return {0, Failure::inverse_scale};
  const double log_2w = d * kLog2 - log_determinant(u_matrix, d, team);
  double sum = 0, entropy = team.rank() == 0 ? 0.25 * d * (d - 1) * (1 + kLogPi) + 0.5 * (d + 1) * log_2w : 0;
  for (int i = team.rank(); i < d; i += team.size()) {
    const double a = 0.5 * (nu - i), psi = digamma(a);
    sum += psi;
    entropy += gamma_entropy(a) + 0.5 * (d - 1 - i) * psi;
  }
  sum = team.sum(sum);
  entropy = team.sum(entropy);
  inverse(u_matrix, d, team);
  for (std::ptrdiff_t i = team.rank(); i < std::ptrdiff_t(d) * d; i += team.size()) u_matrix[i] *= nu;
  if (team.rank() == 0) *u_log = sum + log_2w;
  team.sync();
  return {entropy};
}

}  // namespace detail

/// exp(h'x + x'Px): slots h [M], P [M x M]; u = E x, E xx'. Precision -2P, mean (-2P)^-1 h.
template <class Team = Alone>
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE Moment gaussian(const double* const* eta, double* const* u, int m, Team team = {}) {
  double *mean = u[0], *second = u[1];
  detail::symmetrise(eta[1], m, second, team);
  if (cholesky(second, m, team) >= 0) return {0, Failure::precision};
  const double entropy = detail::gaussian_entropy(m, log_determinant(second, m, team));
  for (int i = team.rank(); i < m; i += team.size()) mean[i] = eta[0][i];
  team.sync();
  solve(second, m, mean, team);
  if (!detail::finite(mean, m, team)) return {0, Failure::not_finite};
  inverse(second, m, team);
  for (int i = 0; i < m; ++i)
    for (int j = team.rank(); j < m; j += team.size()) second[std::ptrdiff_t(i) * m + j] += mean[i] * mean[j];
  return {entropy};
}

/// Numbers of workspace that gaussian_blocks() wants: one block's mean and the covariances of all.
CAVI_HOST_DEVICE inline std::ptrdiff_t workspace_size(const Partition& partition) {
  std::ptrdiff_t largest = 0, squares = 0;
  for (int b = 0; b < partition.blocks; ++b) {
    const std::ptrdiff_t n = partition.offsets[b + 1] - partition.offsets[b];
    largest = n > largest ? n : largest;
    squares += n * n;
  }
  return largest + squares;
}

/// The same density approximated by q(x) = prod_b q(x_b), one round of Gauss-Seidel over the blocks in their order. On
/// entry u[0] holds the means from before; on return E xx' holds products of means outside the blocks. The entropy is
/// the sum over blocks.
template <class Team = Alone>
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE Moment gaussian_blocks(const double* const* eta, double* const* u, int m,
                                                         const Partition& partition, double* workspace,
                                                         Team team = {}) {
  double *mean = u[0], *second = u[1];
  std::ptrdiff_t squares = 0;
  for (int b = 0; b < partition.blocks; ++b) {
    const std::ptrdiff_t n = partition.offsets[b + 1] - partition.offsets[b];
    squares += n * n;
  }
  double *covariance = workspace, *block_mean = workspace + squares, entropy = 0;

  detail::symmetrise(eta[1], m, second, team);
  for (int b = 0; b < partition.blocks; ++b) {
    const int* index = partition.coordinates + partition.offsets[b];
    const int n = partition.offsets[b + 1] - partition.offsets[b];
    // With the block's own means at zero a whole row of the precision sees the other blocks only.
    for (int i = team.rank(); i < n; i += team.size()) mean[index[i]] = 0;
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) {
      const double* row = second + std::ptrdiff_t(index[i]) * m;
      block_mean[i] = eta[0][index[i]] - dot(row, mean, m);
      for (int j = 0; j < n; ++j) covariance[std::ptrdiff_t(i) * n + j] = row[index[j]];
    }
    team.sync();
    if (cholesky(covariance, n, team) >= 0) return {0, Failure::precision};
    entropy += detail::gaussian_entropy(n, log_determinant(covariance, n, team));
    solve(covariance, n, block_mean, team);
    inverse(covariance, n, team);
    for (int i = team.rank(); i < n; i += team.size()) mean[index[i]] = block_mean[i];
    team.sync();
    covariance += std::ptrdiff_t(n) * n;
  }
  if (!detail::finite(mean, m, team)) return {0, Failure::not_finite};

  for (int i = 0; i < m; ++i)
    for (int j = team.rank(); j < m; j += team.size()) second[std::ptrdiff_t(i) * m + j] = mean[i] * mean[j];
  team.sync();
  covariance = workspace;
  for (int b = 0; b < partition.blocks; ++b) {
    const int* index = partition.coordinates + partition.offsets[b];
    const int n = partition.offsets[b + 1] - partition.offsets[b];
    for (int i = 0; i < n; ++i)
      for (int j = team.rank(); j < n; j += team.size())
        second[std::ptrdiff_t(index[i]) * m + index[j]] += covariance[std::ptrdiff_t(i) * n + j];
    covariance += std::ptrdiff_t(n) * n;
  }
  return {entropy};
}

/// exp(<E, L> + e ln|L|): slots E [D x D], e [1]; u = E L, E ln|L|. nu = 2 e + D + 1, W^-1 = -2E, E L = nu W. For D = 1
/// the Gamma of shape e + 1 and rate -E.
template <class Team = Alone>
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE Moment wishart(const double* const* eta, double* const* u, int d, Team team = {}) {
  detail::symmetrise(eta[0], d, u[0], team);
  return detail::wishart_moments(2 * *eta[1] + d + 1, d, u[0], u[1], team);
}

/// J Gaussian means that share one precision L: exp(<E, L> + e ln|L| + sum_j (h_j' L mu_j + p_j mu_j' L mu_j)).
/// Slots E [D x D], e [1], h [J x D], p [J]; u = E L, E ln|L|, E L mu_j, E mu_j' L mu_j. Given L, mu_j is normal with
/// mean m_j = h_j / beta_j and precision beta_j L, beta_j = -2 p_j; L is Wishart with nu = 2 e - J + D + 1 and
/// W^-1 = -2E - sum_j beta_j m_j m_j'.
template <class Team = Alone>
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE Moment normal_wishart(const double* const* eta, double* const* u, int d, int j_means,
                                                        Team team = {}) {
  const double *h = eta[2], *p = eta[3];
  double *precision = u[0], *precision_mean = u[2], *quadratic = u[3];
  detail::symmetrise(eta[0], d, precision, team);
  double log_beta = 0;
  for (int j = 0; j < j_means; ++j) {
    const double beta = -2 * p[j];
    const double* hj = h + std::ptrdiff_t(j) * d;
    if (!(beta > 0)) return {0, Failure::mean_precision};
    if (!detail::finite(beta) || !detail::finite(hj, d, team)) return {0, Failure::not_finite};
    log_beta += std::log(beta);
    for (int r = 0; r < d; ++r)
      for (int c = team.rank(); c < d; c += team.size()) precision[std::ptrdiff_t(r) * d + c] -= hj[r] * hj[c] / beta;
  }
  team.sync();
  Moment moment = detail::wishart_moments(2 * *eta[1] - j_means + d + 1, d, precision, u[1], team);
  if (moment.failure != Failure::none) return moment;
  moment.entropy += 0.5 * (j_means * (d * (1 + kLog2Pi) - *u[1]) - d * log_beta);
  for (int j = 0; j < j_means; ++j) {
    const double beta = -2 * p[j];
    const double* hj = h + std::ptrdiff_t(j) * d;
    double* lm = precision_mean + std::ptrdiff_t(j) * d;
    for (int r = team.rank(); r < d; r += team.size()) lm[r] = dot(precision + std::ptrdiff_t(r) * d, hj, d) / beta;
    team.sync();
    if (team.rank() == 0) quadratic[j] = (d + dot(hj, lm, d)) / beta;
  }
  return moment;
}

/// exp(sum_k eta_k ln pi_k) on the simplex: concentrations 1 + eta; u = E ln pi.
template <class Team = Alone>
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE Moment dirichlet(const double* const* eta, double* const* u, int k_categories,
                                                   Team team = {}) {
  double total = 0, entropy = 0;
  bool positive = true;
  for (int k = team.rank(); k < k_categories; k += team.size()) {
    const double a = 1 + eta[0][k];
    positive = positive && a > 0;
    total += a;
  }
  if (!team.all(positive)) return {0, Failure::concentration};
  total = team.sum(total);
  if (!detail::finite(total)) return {0, Failure::not_finite};
  const double psi = digamma(total);
  for (int k = team.rank(); k < k_categories; k += team.size()) {
    const double a = 1 + eta[0][k];
    u[0][k] = digamma(a) - psi;
    entropy += gamma_entropy(a);
  }
  return {team.sum(entropy) - gamma_entropy(total) - (k_categories - 1) * psi};
}

/// Sticks v_k and the weights they break off, pi_k = v_k prod_{j < k} (1 - v_j): slots [K] for ln v_k, ln(1 - v_k) and
/// ln pi_k, which are linearly dependent; u = the three expectations. v_k is Beta with parameters
/// a_k = 1 + eta0_k + eta2_k and b_k = 1 + eta1_k + sum_{j > k} eta2_j. For K = 1 with eta2 = 0 the Beta.
template <class Team = Alone>
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE Moment sticks(const double* const* eta, double* const* u, int k_sticks,
                                                Team team = {}) {
  if (team.rank() == 0) {
    double tail = 0;
    for (int k = k_sticks - 1; k >= 0; --k) {
      u[0][k] = 1 + eta[0][k] + eta[2][k];
      u[1][k] = 1 + eta[1][k] + tail;
      tail += eta[2][k];
    }
  }
  team.sync();
  bool positive = true, finite = true;
  for (int k = team.rank(); k < k_sticks; k += team.size()) {
    positive = positive && u[0][k] > 0 && u[1][k] > 0;
    finite = finite && detail::finite(u[0][k] + u[1][k]);
  }
  if (!team.all(positive)) return {0, Failure::concentration};
  if (!team.all(finite)) return {0, Failure::not_finite};
  double entropy = 0;
  for (int k = team.rank(); k < k_sticks; k += team.size()) {
    const double a = u[0][k], b = u[1][k], psi = digamma(a + b);
    entropy += gamma_entropy(a) + gamma_entropy(b) - gamma_entropy(a + b) - psi;
    u[0][k] = digamma(a) - psi;
    u[1][k] = digamma(b) - psi;
  }
  team.sync();
  if (team.rank() == 0) {
    double log_rest = 0;
    for (int k = 0; k < k_sticks; ++k) {
      u[2][k] = u[0][k] + log_rest;
      log_rest += u[1][k];
    }
  }
  return {team.sum(entropy)};
}

/// exp(sum_k eta_k z_k) on one-hot z: u = the probabilities, softmax(eta). A category of logit -infinity gets 0.
template <class Team = Alone>
CAVI_OUT_OF_LINE CAVI_HOST_DEVICE Moment categorical(const double* const* eta, double* const* u, int k_categories,
                                                     Team team = {}) {
  double largest = -HUGE_VAL, sum = 0, spread = 0;
  for (int k = 0; k < k_categories; ++k) largest = std::fmax(largest, eta[0][k]);
  if (largest == -HUGE_VAL) return {0, Failure::logits};
  for (int k = team.rank(); k < k_categories; k += team.size()) sum += u[0][k] = std::exp(eta[0][k] - largest);
  sum = team.sum(sum);
  if (!detail::finite(sum)) return {0, Failure::not_finite};
  for (int k = team.rank(); k < k_categories; k += team.size()) {
    u[0][k] /= sum;
    if (u[0][k] > 0) spread += u[0][k] * (largest - eta[0][k]);
  }
  return {std::log(sum) + team.sum(spread)};
}

}  // namespace cavi::kernels::math::inline CAVI_COMPILER
