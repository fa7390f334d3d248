// SPDX-License-Identifier: Apache-2.0
#include "src/cli/report.hpp"

#include "src/cli/text.hpp"
#include "src/family.hpp"
#include "src/json_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cavi::cli {
namespace {

constexpr int kShownComponents = 32;
constexpr int kFixedWidth = 30, kFeatureWidth = 12, kMoreWidth = 4;  // of the table's columns

/// Of the rows of a component, whose parameters are taken at their expected values.
double variance(const MixturePosterior& p, int k, int d) {
  const std::size_t D = std::size_t(p.n_features), row = std::size_t(k), column = std::size_t(d);
  const double parameter = p.means[row * D + column];
  if (p.family != ComponentFamily::gaussian) return family_of(p.family).variance(parameter);
  switch (p.covariance_type) {
    case CovarianceType::full: return p.covariances[row * D * D + column * D + column];
    case CovarianceType::tied: return p.covariances[column * D + column];
    case CovarianceType::diag: return p.covariances[row * D + column];
    case CovarianceType::spherical: return p.covariances[row];
  }
  return 0;
}

/// Row-major `values` as nested arrays.
Json nested(const std::vector<double>& values, std::size_t& next, const std::vector<int>& shape,
            std::size_t level = 0) {
  if (level == shape.size()) return values[next++];
  Json array = Json::array();
  for (int i = 0; i < shape[level]; ++i) array.push_back(nested(values, next, shape, level + 1));
  return array;
}

Json nested(const std::vector<double>& values, const std::vector<int>& shape) {
  std::size_t next = 0;
  return nested(values, next, shape);
}

Json covariances(const MixturePosterior& p) {
  const int k = p.n_components, d = p.n_features;
  switch (p.covariance_type) {
    case CovarianceType::full: return nested(p.covariances, {k, d, d});
    case CovarianceType::tied: return nested(p.covariances, {d, d});
    case CovarianceType::diag: return nested(p.covariances, {k, d});
    case CovarianceType::spherical: return nested(p.covariances, {k});
  }
  return {};
}

}  // namespace

int active_components(const MixturePosterior& posterior) {
  return int(
      std::count_if(posterior.counts.begin(), posterior.counts.end(), [](double n) { return n >= kActiveCount; }));
}

std::string component_table(const MixturePosterior& p, const std::vector<std::string>& names, int width) {
  std::vector<int> order;
  for (int k = 0; k < p.n_components; ++k)
    if (p.counts[std::size_t(k)] >= kActiveCount) order.push_back(k);
  const int active = int(order.size()), empty = p.n_components - active;
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return p.weights[std::size_t(a)] > p.weights[std::size_t(b)]; });
  order.resize(std::size_t(std::min(active, kShownComponents)));

  const bool all_fit = kFixedWidth + 2 * kFeatureWidth * std::int64_t(p.n_features) <= width;
  const int room = (width - kFixedWidth - 2 * kMoreWidth) / (2 * kFeatureWidth);
  const int shown = all_fit ? p.n_features : std::clamp(room, 1, p.n_features);
  const char* more = shown < p.n_features ? "   …" : "";
  const int group = shown * kFeatureWidth - 2;

  const char* parameter = p.family == ComponentFamily::gaussian ? "mean" : family_of(p.family).parameter;
  std::string out = fmt::format("{:{}}  {:-^{}}{:{}}  {:-^{}}\n", "", kFixedWidth, fmt::format(" {} ", parameter),
                                group, "", *more ? kMoreWidth : 0, " std. dev. ", group);
  out += fmt::format("{:>9}{:>9}{:>12}", "component", "weight", "N_k");
  for (int half = 0; half < 2; ++half) {
    for (int d = 0; d < shown; ++d) {
      const std::string name = names.empty() ? fmt::format("x{}", d) : one_line(names[std::size_t(d)]);
      out += fmt::format("{:>{}.{}}", name, kFeatureWidth, kFeatureWidth - 2);
    }
    out += more;
  }
  out += '\n';
  for (int k : order) {
    out += fmt::format("{:>9}{:>9.4f}{:>12.1f}", k, p.weights[std::size_t(k)], p.counts[std::size_t(k)]);
    for (int d = 0; d < shown; ++d)
      out +=
          fmt::format("{:>{}.5g}", p.means[std::size_t(k) * std::size_t(p.n_features) + std::size_t(d)], kFeatureWidth);
    out += more;
    for (int d = 0; d < shown; ++d) out += fmt::format("{:>{}.5g}", std::sqrt(variance(p, k, d)), kFeatureWidth);
    out += fmt::format("{}\n", more);
  }
  if (active > kShownComponents) out += fmt::format("{} more components; --json has all\n", active - kShownComponents);
  if (shown < p.n_features) out += fmt::format("{} of {} features; --json has all\n", shown, p.n_features);
  out += fmt::format("{} of {} components are active", active, p.n_components);
  out += empty > 0 ? fmt::format(", {} hold less than {:g} rows\n", empty, kActiveCount) : "\n";
  return out;
}

std::string json_report(const Summary& summary, const MixturePosterior& p, std::int64_t rows) {
  Json j;
  const bool fitted =
      summary.termination != Termination::numerical_error && summary.termination != Termination::no_data;
  j["elbo"] = fitted ? Json(summary.elbo) : Json();
  j["elbo_trace"] = summary.elbo_trace;
  j["n_iter"] = summary.n_iter;
  j["converged"] = summary.converged();
  j["status"] = word_for(summary.termination);
  if (!summary.message.empty()) j["message"] = summary.message;
  j["n_components"] = p.n_components;
  j["active_components"] = active_components(p);
  j["rows"] = rows;
  j["features"] = p.n_features;
  j["device"] = summary.device;
  j["precision"] = summary.precision == Scalar::float32 ? "float32" : "float64";
  j["seconds"] = summary.seconds;
  j["rows_per_second"] = summary.seconds > 0 ? double(rows) * summary.n_iter / summary.seconds : 0.0;
  if (!std::isnan(summary.negligible)) j["negligible"] = summary.negligible;
  if (!std::isnan(summary.near)) j["near"] = summary.near;
  j["weights"] = p.weights;
  j["counts"] = p.counts;
  j["means"] = nested(p.means, {p.n_components, p.n_features});
  if (p.family == ComponentFamily::gaussian)
    j["covariances"] = covariances(p);
  else
    j["component_parameters"] = nested(p.component_parameters, {p.n_components, p.n_features, 2});
  return j.dump() + "\n";
}

}  // namespace cavi::cli
