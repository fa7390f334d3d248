// SPDX-License-Identifier: Apache-2.0
// Golden numbers of tests/reference/, and how closely they are met.
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <string>
#include <vector>

namespace cavi::testing {

using Json = nlohmann::json;

inline Json reference(const std::string& file) {
  std::ifstream in(std::string(CAVI_TEST_DIR) + "/reference/" + file);
  EXPECT_TRUE(in.good()) << file;
  return Json::parse(in);
}

/// The numbers of a nested array, row-major.
inline std::vector<double> flat(const Json& j) {
  if (j.is_number()) return {j.get<double>()};
  std::vector<double> out;
  for (const Json& element : j) {
    const std::vector<double> inner = flat(element);
    out.insert(out.end(), inner.begin(), inner.end());
  }
  return out;
}

/// Every number within `tolerance` of the expected one, relative to the larger of it and `floor`.
inline void expect_close(const std::vector<double>& got, const std::vector<double>& expected, double tolerance,
                         double floor, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], tolerance * std::max(std::abs(expected[i]), floor)) << what << ", number " << i;
}

/// The first entries of a trace of bounds against a reference that may be cut short.
inline void expect_trace(const std::vector<double>& got, std::vector<double> expected, double tolerance,
                         const std::string& what) {
  ASSERT_GE(got.size(), std::min(got.size(), expected.size()));
  ASSERT_GE(got.size(), 1u) << what;
  expected.resize(std::min(got.size(), expected.size()));
  expect_close({got.begin(), got.begin() + std::ptrdiff_t(expected.size())}, expected, tolerance, 1e-6, what);
}

}  // namespace cavi::testing
