// SPDX-License-Identifier: Apache-2.0
#include "src/model_file.hpp"

#include "src/covariance_type.hpp"
#include "src/io/npz.hpp"
#include "src/json_fields.hpp"
#include "src/linear_algebra.hpp"

#include <cavi/error.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace cavi {
namespace {

using Shape = std::vector<std::int64_t>;

constexpr int kFormatVersion = 1;
constexpr const char* kFormat = "cavi mixture";

/// The options that shape a fit, but for priors with as many numbers as the data have columns.
template <class Archive, class Options>
void visit_model(Archive&& archive, Options& o) {
  archive("n_components", o.n_components);
  archive("family", o.family);
  archive("covariance_type", o.covariance_type);
  archive("weight_concentration_prior_type", o.weight_concentration_prior_type);
  archive("weight_concentration_prior", o.weight_concentration_prior);
  archive("discount", o.discount);
  archive("mean_precision_prior", o.mean_precision_prior);
  archive("degrees_of_freedom_prior", o.degrees_of_freedom_prior);
  archive("reg_covar", o.reg_covar);
  archive("init_params", o.init_params);
  archive("n_init", o.n_init);
  archive("seed", o.seed);
  archive("precision", o.precision);
  archive("fuse", o.fuse);
}

template <class Archive, class Options>
void visit(Archive&& archive, Options& o) {
  visit_model(archive, o);
  archive("max_iter", o.max_iter);
  archive("tol", o.tol);
}

template <class Archive, class S>
void visit_summary(Archive&& archive, S& s) {
  archive("termination", s.termination);
  archive("message", s.message);
  archive("n_iter", s.n_iter);
  archive("rows", s.rows);
  archive("seconds", s.seconds);
  archive("device", s.device);
  archive("precision", s.precision);
  archive("fused", s.fused);
  archive("restart", s.restart);
}

template <class Archive, class F>
void visit_fingerprint(Archive&& archive, F& f) {
  archive("rows", f.rows);
  archive("cols", f.cols);
  archive("hash", f.hash);
}

// ---- arrays ---------------------------------------------------------------------------------------------------------

/// Sizes of what has a covariance per component.
Shape covariance_shape(CovarianceType type, std::int64_t k, std::int64_t d) {
  switch (type) {
    case CovarianceType::full: return {k, d, d};
    case CovarianceType::tied: return {d, d};
    case CovarianceType::diag: return {k, d};
    case CovarianceType::spherical: return {k};
  }
  return {};
}

Shape prior_shape(CovarianceType type, std::int64_t d) {
  switch (type) {
    case CovarianceType::full:
    case CovarianceType::tied: return {d, d};
    case CovarianceType::diag: return {d};
    case CovarianceType::spherical: return {1};
  }
  return {};
}

enum class Demand { finite, not_negative, positive, not_nan };

/// The arrays of a posterior: archive(name, shape, numbers, what must hold for each of them).
template <class Archive, class Posterior>
void visit_arrays(Archive&& archive, Posterior& p) {
  const std::int64_t k = p.n_components, d = p.n_features;
  archive("weights", Shape{k}, p.weights, Demand::not_negative);
  archive("means", Shape{k, d}, p.means, Demand::finite);
  archive("counts", Shape{k}, p.counts, Demand::not_negative);
  archive("weight_concentration", p.weight_prior == WeightPrior::dirichlet ? Shape{k} : Shape{k, 2},
          p.weight_concentration, Demand::positive);
  if (p.family != ComponentFamily::gaussian)
    return archive("component_parameters", Shape{k, d, 2}, p.component_parameters, Demand::positive);
  const Shape covariance = covariance_shape(p.covariance_type, k, d);
  archive("covariances", covariance, p.covariances, is_matrix(p.covariance_type) ? Demand::finite : Demand::positive);
  archive("mean_precision", Shape{k}, p.mean_precision, Demand::positive);
  archive("degrees_of_freedom", p.covariance_type == CovarianceType::tied ? Shape{} : Shape{k}, p.degrees_of_freedom,
          Demand::positive);
  archive("inverse_scale", covariance, p.inverse_scale,
          is_matrix(p.covariance_type) ? Demand::finite : Demand::positive);
}

bool symmetric(std::span<const double> a, std::size_t d) {
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (!(std::abs(a[i * d + j] - a[j * d + i]) <= 1e-8 * std::sqrt(a[i * d + i]) * std::sqrt(a[j * d + j])))
        return false;
  return true;
}

struct ArrayReader {
  const io::NpzFile& file;

  void operator()(const char* name, const Shape& shape, std::vector<double>& values, Demand demand) const {
    values = file.array(name, shape);
    const auto wrong = [&](double v) {
      switch (demand) {
        case Demand::finite: return !std::isfinite(v);
        case Demand::not_negative: return !(v >= 0 && std::isfinite(v));
        case Demand::positive: return !(v > 0 && std::isfinite(v));
        case Demand::not_nan: return std::isnan(v);
      }
      return true;
    };
    if (const auto bad = std::find_if(values.begin(), values.end(), wrong); bad != values.end())
      throw IoError(fmt::format("{}: {}.npy: number {} (from 0) is {}, which it must not be", file.name(), name,
                                bad - values.begin(), *bad));
  }

  /// A covariance, or the inverse of one, per component.
  void require_positive_definite(const char* name, const std::vector<double>& values, int d) const {
    const std::size_t size = std::size_t(d) * std::size_t(d);
    for (std::size_t i = 0; i < values.size(); i += size)
      if (const auto a = std::span(values).subspan(i, size);
          !symmetric(a, std::size_t(d)) || !positive_definite(a, d, 0))
        throw IoError(fmt::format("{}: {}.npy: matrix {} (from 0) is not symmetric and positive definite", file.name(),
                                  name, i / size));
  }
};

Json parse_meta(const io::NpzFile& file) {
  Json meta = Json::parse(file.meta(), nullptr, false);
  if (!meta.is_object()) throw IoError(file.name() + ": meta.json: is damaged");
  const Reader reader{meta, file.name() + ": meta.json: "};
  std::string format, writer;
  int version = 0;
  reader("format", format);
  if (format == kBatchFormat)
    throw IoError(file.name() + ": the results of a batch, not one model: numpy.load reads its arrays");
  if (format != kFormat) reader.fail("format", fmt::format("must be '{}'", kFormat));
  reader("format_version", version);
  reader("library_version", writer);
  if (version > kFormatVersion)
    reader.fail("format_version", fmt::format("is {}, written by cavi {}; this is cavi {}, which reads up to {}",
                                              version, writer, CAVI_VERSION, kFormatVersion));
  if (version < 1) reader.fail("format_version", "must be at least 1");
  for (const char* part : {"options", "summary"})
    if (!reader.at(part).is_object()) reader.fail(part, "must be an object");
  if (meta.contains("data") && !meta["data"].is_object()) reader.fail("data", "must be an object");
  return meta;
}

/// Older files have none.
std::vector<std::string> read_column_names(const Reader& meta, int n_features) {
  const auto found = meta.from.find("column_names");
  if (found == meta.from.end()) return {};
  const auto is_string = [](const Json& name) { return name.is_string(); };
  if (!found->is_array() || found->size() != std::size_t(n_features) ||
      !std::all_of(found->begin(), found->end(), is_string))
    meta.fail("column_names", fmt::format("must be {} strings", n_features));
  return found->get<std::vector<std::string>>();
}

Json model_options(const MixtureOptions& o) {
  Json json;
  visit_model(Writer{json}, o);
  json["component_prior"] = o.component_prior ? Json(*o.component_prior) : Json();
  json["mean_prior"] = o.mean_prior ? Json(*o.mean_prior) : Json();
  json["covariance_prior"] = o.covariance_prior ? Json(*o.covariance_prior) : Json();
  return json;
}

}  // namespace

std::vector<std::string> differences(const MixtureOptions& a, const MixtureOptions& b) {
  const Json ours = model_options(a), theirs = model_options(b);
  std::vector<std::string> lines;
  for (const auto& [name, value] : ours.items())
    if (value != theirs[name])
      lines.push_back(value.is_array() || theirs[name].is_array()
                          ? name + " has other numbers"
                          : fmt::format("{} is {}, not {}", name, value.dump(), theirs[name].dump()));
  return lines;
}

void write_model(const std::filesystem::path& file, const ModelFile& model) {
  Json meta;
  meta["format"] = kFormat;
  meta["format_version"] = kFormatVersion;
  meta["library_version"] = CAVI_VERSION;
  meta["n_features"] = model.posterior.n_features;
  if (!model.posterior.column_names.empty()) meta["column_names"] = model.posterior.column_names;
  visit(Writer{meta["options"]}, model.options);
  visit_summary(Writer{meta["summary"]}, model.summary);
  if (model.checkpoint) visit_fingerprint(Writer{meta["data"]}, model.checkpoint->data);

  std::vector<io::NpzArray> arrays;
  const auto add = [&](const char* name, const Shape& shape, const std::vector<double>& values,
                       Demand = Demand::finite) {
    arrays.push_back({name, shape, values});
  };
  const auto add_all = [&](const char* name, const std::vector<double>& values) {
    add(name, {std::int64_t(values.size())}, values);
  };
  visit_arrays(add, model.posterior);
  if (const auto& ab = model.options.component_prior) arrays.push_back({"component_prior", {2}, *ab});
  if (model.options.mean_prior) add_all("mean_prior", *model.options.mean_prior);
  if (model.options.covariance_prior)
    add("covariance_prior", prior_shape(model.options.covariance_type, model.posterior.n_features),
        *model.options.covariance_prior);
  add_all("elbo_trace", model.summary.elbo_trace);
  if (!model.summary.update_trace.empty()) add_all("update_trace", model.summary.update_trace);
  if (model.checkpoint) add_all("state", model.checkpoint->q);
  io::write_npz(file, meta.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", arrays);
}

ModelFile read_model(const std::filesystem::path& file) {
  const io::NpzFile npz(file);
  const Json meta = parse_meta(npz);
  const std::string where = npz.name() + ": meta.json: ";
  const ArrayReader arrays{npz};

  ModelFile model;
  MixtureOptions& o = model.options;
  MixturePosterior& p = model.posterior;
  Summary& s = model.summary;
  visit(Reader{meta["options"], where + "options: "}, o);
  visit_summary(Reader{meta["summary"], where + "summary: "}, s);
  Reader{meta, where}("n_features", p.n_features);
  if (p.n_features < 1) Reader{meta, where}.fail("n_features", "must be at least 1");
  p.column_names = read_column_names({meta, where}, p.n_features);
  const std::int64_t d = p.n_features;
  if (npz.has("component_prior")) {
    std::vector<double> ab;
    arrays("component_prior", {2}, ab, Demand::positive);
    o.component_prior = {ab[0], ab[1]};
  }
  if (npz.has("mean_prior")) arrays("mean_prior", {d}, o.mean_prior.emplace(), Demand::finite);
  if (npz.has("covariance_prior"))
    arrays("covariance_prior", prior_shape(o.covariance_type, d), o.covariance_prior.emplace(), Demand::finite);
  if (const auto problems = o.problems(p.n_features); !problems.empty())
    throw IoError(where + "options: " + problems[0]);

  p.n_problems = 1;
  p.n_components = o.n_components;
  p.family = o.family;
  p.covariance_type = o.covariance_type;
  p.weight_prior = o.weight_concentration_prior_type;
  visit_arrays(arrays, p);
  if (p.family == ComponentFamily::gaussian && is_matrix(p.covariance_type)) {
    arrays.require_positive_definite("inverse_scale", p.inverse_scale, p.n_features);
    arrays.require_positive_definite("covariances", p.covariances, p.n_features);
    if (*std::min_element(p.degrees_of_freedom.begin(), p.degrees_of_freedom.end()) <= p.n_features - 1)
      throw IoError(fmt::format("{}: degrees_of_freedom.npy: must be greater than {}", npz.name(), p.n_features - 1));
  }

  if (s.n_iter < 0) Reader{meta["summary"], where + "summary: "}.fail("n_iter", "must be 0 or more");
  arrays("elbo_trace", {std::int64_t(s.n_iter) + 1}, s.elbo_trace, Demand::finite);
  if (npz.has("update_trace")) arrays("update_trace", {io::kAnySize}, s.update_trace, Demand::finite);
  s.elbo = s.elbo_trace.back();
  if (!meta.contains("data")) return model;
  Checkpoint& checkpoint = model.checkpoint.emplace();
  visit_fingerprint(Reader{meta["data"], where + "data: "}, checkpoint.data);
  arrays("state", {io::kAnySize}, checkpoint.q, Demand::not_nan);
  return model;
}

}  // namespace cavi
