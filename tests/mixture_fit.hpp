// SPDX-License-Identifier: Apache-2.0
/// \file
/// Short fits of the estimator, on the device that the tests run on.
#pragma once

#include "tests/device.hpp"
#include "tests/kinds.hpp"

#include <cavi/mixture.hpp>

#include <vector>

namespace cavi::mixture_test {

using cavi::testing::Kind;

inline MixtureOptions options(Kind kind, int components, Scalar precision = Scalar::float64) {
  MixtureOptions o = kind.options();
  o.n_components = components;
  o.precision = precision;
  o.tol = 0;
  o.max_iter = 12;
  o.seed = 3;
  return o;
}

inline MixtureOptions options(CovarianceType type, int components, Scalar precision = Scalar::float64) {
  return options(Kind{ComponentFamily::gaussian, type}, components, precision);
}

struct Fit {
  Summary summary;
  MixturePosterior q;
};

inline Fit fit(const MixtureOptions& o, const Matrix& x, const std::vector<double>& weight = {},
               const InitialResponsibilities& start = {}, int threads = 1) {
  Mixture m(o, cavi::testing::test_device(threads));
  Fit f{m.fit(x, weight, start), {}};
  f.q = m.posterior();
  return f;
}

}  // namespace cavi::mixture_test
