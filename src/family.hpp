// SPDX-License-Identifier: Apache-2.0
/// \file
/// Component families whose features are independent, as rows of a table: the struct of each, for those who are told at
/// run time which one it is. What the entries mean is said in kernels/math/components/independent.hpp.
#pragma once

#include "kernels/math/components/independent.hpp"

#include <cavi/component_family.hpp>

#include <span>

namespace cavi {

struct IndependentFamily {
  using Pair = kernels::components::Pair;

  ComponentFamily family = ComponentFamily::gaussian;
  const char *name = "", *parameter = "", *about = "", *values = "";
  bool whole = false;
  bool (*holds)(double x) = nullptr;
  kernels::components::Conjugate prior = kernels::components::Conjugate::gamma;
  std::span<const kernels::components::LogTerm> terms;
  double (*log_base)(double x) = nullptr;    ///< nullptr: zero
  double (*prior_b)(double mean) = nullptr;  ///< nullptr: 1, whatever the data
  double (*variance)(double theta) = nullptr;
  kernels::components::Affine (*expected_log)(double a, double b) = nullptr;
  double (*rows_between)(const Pair& prior, const Pair& posterior) = nullptr;
};

/// All, in the order of ComponentFamily.
std::span<const IndependentFamily> independent_families();
/// One of them: not for gaussian.
const IndependentFamily& family_of(ComponentFamily family);

}  // namespace cavi
