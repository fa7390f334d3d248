// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a mixture's posterior to what rows are scored and drawn by. With S a component's inverse scale, nu its degrees
/// of freedom and c = beta / (1 + beta), both of one component (a feature of a diag one is a component with D = 1):
///
///     responsibilities   E ln pi_k + E ln N(x; mu_k, Lambda_k^-1)                  (Bishop, PRML, eq. 10.46)
///         full, tied     2 E ln N = sum_{i<D} psi((nu - i) / 2) - D ln pi - ln|S| - D / beta - nu z' S^-1 z
///         spherical      2 E ln N = D psi(nu / 2) - D ln pi - D ln S - D / beta - nu |z|^2 / S
///
///     predictive         sum_k w_k integral N(x; mu_k, Lambda_k^-1) q(mu_k, Lambda_k)     (eq. 10.81)
///         full, tied     Student-t, nu + 1 - D degrees of freedom:
///                        Gamma((nu + 1) / 2) / Gamma((nu + 1 - D) / 2) (c / pi)^(D/2) |S|^(-1/2)
///                        (1 + c z' S^-1 z)^(-(nu + 1) / 2)
///         spherical      Student-t, nu degrees of freedom, one scale for all features:
///                        Gamma((nu + D) / 2) / Gamma(nu / 2) (c / (pi S))^(D/2) (1 + c |z|^2 / S)^(-(nu + D) / 2)
///
/// where z = x - m_k. Features of the other families have closed forms of their own, in
/// math/components/independent.hpp. The weights w are E[pi], divided by their sum: sticks leave some of it to
/// components beyond K.
#pragma once

#include "kernels/mixture_draws.hpp"
#include "kernels/mixture_scores.hpp"

#include <cavi/mixture.hpp>

#include <vector>

namespace cavi {

/// All are for the only problem of a posterior. Throw NumericalError when an inverse scale is not positive definite.
kernels::MixtureScores responsibility_scores(const MixturePosterior& posterior);
kernels::MixtureScores predictive_scores(const MixturePosterior& posterior);
kernels::MixtureDraws predictive_draws(const MixturePosterior& posterior);

}  // namespace cavi
