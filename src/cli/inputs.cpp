// SPDX-License-Identifier: Apache-2.0
#include "src/cli/inputs.hpp"

#include "src/covariance_type.hpp"
#include "src/linear_algebra.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

namespace cavi::cli {
namespace {

constexpr int kMostThreads = 1024;

/// A misspelt word is no file.
bool names_a_file(const std::string& text) { return std::filesystem::path(text).has_extension(); }

std::string neither(const char* option, const std::string& text, const std::string& words) {
  return fmt::format("{}: '{}' is none of {}, nor a .npy or .csv file", option, text, words);
}

/// A small file of rows x cols finite numbers, or turned by a quarter when it is a vector.
std::vector<double> read_small(const std::string& name, const char* what, std::int64_t rows, std::int64_t cols) {
  const Matrix file = open_matrix(name);
  const bool fits = file.rows() == rows && file.cols() == cols;
  if (!fits && !(cols == 1 && file.rows() == 1 && file.cols() == rows))
    throw IoError(fmt::format("{}: {} x {} numbers, expected {} x {} for the {}", name, file.rows(), file.cols(), rows,
                              cols, what));
  require_finite(file);
  return file.to_vector();
}

std::vector<double> identity(std::int64_t d) {
  std::vector<double> s(std::size_t(d * d));
  for (std::int64_t i = 0; i < d; ++i) s[std::size_t(i * d + i)] = 1;
  return s;
}

}  // namespace

Device read_device(const Text& device, const Text& threads, Complaints& complaints) {
  int n_threads = 0;
  read_number<int>("--threads", threads, n_threads, complaints);
  if (n_threads < 0 || n_threads > kMostThreads) {
    complaints.add(fmt::format("--threads must be 0 (all processors) to {}, not {}", kMostThreads, n_threads));
    n_threads = 0;
  }
  const std::string name = device.value_or("auto");
  std::optional<Device> found;
  if (name == "auto") {
    found = Device::best();
  } else if (name.starts_with("cuda")) {
    const std::string number = name == "cuda" ? "0" : name.starts_with("cuda:") ? name.substr(5) : "";
    int ordinal = -1;
    const char* end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, ordinal);
    if (error != std::errc() || stop != end || ordinal < 0)
      complaints.add(fmt::format("--device: '{}' is no device; write cuda:0, cuda:1, ...", name));
    else
      complaints.attempt([&] { found = Device::cuda(ordinal); });
  } else if (name != "cpu") {
    complaints.add(fmt::format("--device: '{}' is none of auto, cpu, cuda, cuda:N", name));
  }
  return found && found->kind() == Device::Kind::cuda ? *found : Device::cpu(n_threads);
}

std::optional<std::array<double, 2>> read_component_prior(const Text& text, Complaints& complaints) {
  if (!text) return {};
  const std::size_t comma = std::min(text->find(','), text->size());
  std::optional<double> a, b;
  read_number<double>("--component-prior", text->substr(0, comma), a, complaints);
  if (comma == text->size())
    complaints.add(fmt::format("--component-prior: '{}' is not two numbers A,B", *text));
  else
    read_number<double>("--component-prior", text->substr(comma + 1), b, complaints);
  return a && b ? std::optional(std::array{*a, *b}) : std::nullopt;
}

std::optional<std::vector<double>> read_mean_prior(const Text& text, const Matrix& x, Complaints& complaints) {
  if (!text || *text == "mean") return {};
  if (*text == "zero") return std::vector<double>(std::size_t(x.cols()));
  std::optional<std::vector<double>> mean;
  if (names_a_file(*text))
    complaints.attempt([&] { mean = read_small(*text, "mean prior", x.cols(), 1); });
  else
    complaints.add(neither("--mean-prior", *text, "mean, zero"));
  return mean;
}

std::optional<std::vector<double>> read_covariance_prior(const Text& text, CovarianceType type, const Matrix& x,
                                                         Complaints& complaints) {
  if (!text || *text == "empirical") return {};
  const bool matrix = is_matrix(type);
  const int rows = type == CovarianceType::spherical ? 1 : x.cols();
  if (*text == "identity") return matrix ? identity(rows) : std::vector<double>(std::size_t(rows), 1.0);
  std::optional<std::vector<double>> scale;
  if (!names_a_file(*text)) {
    complaints.add(neither("--covariance-prior", *text, "empirical, identity"));
    return scale;
  }
  complaints.attempt([&] {
    scale = read_small(*text, "covariance prior", rows, matrix ? rows : 1);
    if (matrix) log_determinant(*scale, rows, *text);  // throws unless it is a covariance
  });
  return scale;
}

std::vector<double> read_sample_weights(const Text& file, const Matrix& x, Complaints& complaints) {
  std::vector<double> weights;
  if (!file) return weights;
  complaints.attempt([&] {
    weights = read_small(*file, "sample weights", x.rows(), 1);
    const auto negative = std::find_if(weights.begin(), weights.end(), [](double w) { return w < 0; });
    if (negative != weights.end())
      throw IoError(
          fmt::format("{}: row {} (from 0): the weight {} is negative", *file, negative - weights.begin(), *negative));
    if (std::all_of(weights.begin(), weights.end(), [](double w) { return w == 0; }))
      throw IoError(*file + ": all weights are zero");
  });
  return weights;
}

void read_init(const Text& text, Init& method, Complaints& complaints) {
  if (!text) return;
  if (const auto found = find_choice(*text, kInits))
    method = *found;
  else if (!names_a_file(*text))
    complaints.add(neither("--init", *text, names(kInits)));
}

bool is_start_file(const Text& text) { return text && !find_choice(*text, kInits); }

InitialResponsibilities read_start(const Text& text, int n_components, const Matrix& x) {
  if (!is_start_file(text)) return {};
  if (!holds_labels(*text)) {
    Matrix r = open_matrix(*text);
    if (r.rows() != x.rows() || r.cols() != n_components)
      throw IoError(fmt::format("{}: {} x {} numbers, expected {} labels or {} x {} responsibilities", *text, r.rows(),
                                r.cols(), x.rows(), x.rows(), n_components));
    require_finite(r);
    return r;
  }
  std::vector<std::int32_t> labels = read_labels(*text);
  if (std::int64_t(labels.size()) != x.rows())
    throw IoError(fmt::format("{}: {} labels, expected {}", *text, labels.size(), x.rows()));
  const auto bad = std::find_if(labels.begin(), labels.end(), [&](auto l) { return l < 0 || l >= n_components; });
  if (bad != labels.end())
    throw IoError(fmt::format("{}: row {} (from 0): the label {} is not one of 0 to {}", *text, bad - labels.begin(),
                              *bad, n_components - 1));
  return labels;
}

std::string in_words_of_options(const std::string& problem) {
  const auto space = std::min(problem.find(' '), problem.size());
  std::string option = problem.substr(0, space);
  if (option == "weight_concentration_prior") option = "concentration";
  std::replace(option.begin(), option.end(), '_', '-');
  std::string rest = problem.substr(space);
  if (const auto at = rest.find("pitman_yor"); at != std::string::npos) rest.replace(at, 10, "pitman-yor");
  return "--" + option + rest;
}

void blame_rows(const Matrix& x, const MixtureOptions& options) {
  try {
    require_values(x, options);
  } catch (const NumericalError& cause) {
    throw InputError(cause.what());
  }
}

Summary fit_or_blame_input(Mixture& mixture, const Matrix& x, const std::vector<double>& weights,
                           const InitialResponsibilities& start, const std::filesystem::path& checkpoint) {
  try {
    return checkpoint.empty() ? mixture.fit(x, weights, start) : mixture.resume(checkpoint, x, weights);
  } catch (const NumericalError& failure) {
    blame_rows(x, mixture.options());
    throw;
  } catch (const ShapeError& failure) {
    if (const auto* responsibilities = std::get_if<Matrix>(&start))
      throw InputError(responsibilities->name() + ": " + failure.what());
    throw;
  }
}

}  // namespace cavi::cli
