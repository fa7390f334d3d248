// SPDX-License-Identifier: Apache-2.0
// Models in files: every bit comes back, damage is an error, and a fit goes on from its checkpoint as if nothing
// happened.
#include "src/io/file.hpp"
#include "src/io/npz.hpp"
#include "src/model_file.hpp"
#include "tests/fits.hpp"
#include "tests/numpy.hpp"

#include <cavi/io.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <limits>
#include <random>
#include <set>
#include <thread>

namespace {

using namespace cavi;
using namespace cavi::test;

// ---- save and load --------------------------------------------------------------------------------------------------

TEST(Model, ComesBackToTheLastBit) {
  const Folder folder;
  for (const Kind& kind : every_kind())
    for (const WeightPrior weights : kWeightPriors)
      for (const int d : {1, 3}) {
        MixtureOptions o = options(kind, weights);
        if (kind.family != ComponentFamily::gaussian && d == 1) o.component_prior = {1.0 / 3, 0.1};
        const Mixture m = fitted(o, three_clouds(kind, 50, d, 1));
        m.save(folder.path / "a.npz");
        const Mixture back = Mixture::load(folder.path / "a.npz", Device::cpu(1));
        EXPECT_EQ(bits(back.posterior()), bits(m.posterior()));
        EXPECT_EQ(bits(back.summary()), bits(m.summary()));
        EXPECT_EQ(back.summary().seconds, m.summary().seconds);
        EXPECT_EQ(bits(back.options()), bits(m.options()));
        back.save(folder.path / "b.npz");
        EXPECT_EQ(bytes_of(folder.path / "a.npz"), bytes_of(folder.path / "b.npz"));
      }
  EXPECT_EQ(folder.size(), 2);
}

/// Any number that an option may have, the awkward ones often.
double any_positive(std::mt19937_64& rng) {
  const double awkward[]{5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1.0 / 3, 1e-6,
                         1e22,   123456789012345680.0};
  if (rng() % 2) return awkward[rng() % std::size(awkward)];
  const double value = std::abs(std::bit_cast<double>(rng()));
  return value > 0 && std::isfinite(value) ? value : 1;
}

TEST(Model, OptionsComeBackToTheLastBit) {
  const Folder folder;
  std::mt19937_64 rng(7);
  ModelFile model;
  {
    const Mixture m = fitted(options(CovarianceType::diag, WeightPrior::pitman_yor), three_clouds(30, 2, 1));
    model.posterior = m.posterior();
    model.summary = m.summary();
  }
  for (int trial = 0; trial < 100; ++trial) {
    MixtureOptions& o = model.options = options(CovarianceType::diag, WeightPrior::pitman_yor);
    if (rng() % 2) o.weight_concentration_prior = std::max(any_positive(rng), 1e-10);
    if (rng() % 2) o.degrees_of_freedom_prior = std::min(any_positive(rng), 1e15);
    if (rng() % 2) o.mean_prior = {any_positive(rng), rng() % 2 ? -0.0 : -any_positive(rng)};
    if (rng() % 2) o.covariance_prior = {any_positive(rng), any_positive(rng)};
    o.discount = std::generate_canonical<double, 53>(rng);
    o.mean_precision_prior = any_positive(rng);
    o.reg_covar = rng() % 2 ? 0 : any_positive(rng);
    o.init_params = Init(rng() % 4);
    o.seed = rng() % 3 ? rng() : std::numeric_limits<std::uint64_t>::max();
    o.max_iter = int(rng() % 2 ? rng() >> 33 : std::numeric_limits<int>::max());
    o.tol = rng() % 4 ? any_positive(rng) : std::numeric_limits<double>::infinity();
    o.precision = Scalar(rng() % 2);
    o.fuse = rng() % 2;
    write_model(folder.path / "a.npz", model);
    ASSERT_EQ(bits(read_model(folder.path / "a.npz").options), bits(o)) << trial;
  }
}

TEST(Model, OpensInNumpy) {
  if (!python_with_numpy()) GTEST_SKIP() << "no python3 with numpy";
  const Folder folder;
  for (const Kind& kind : every_kind()) {
    const bool gaussian = kind.family == ComponentFamily::gaussian;
    MixtureOptions o = options(kind, WeightPrior::dirichlet, Scalar::float64);
    o.seed = 18446744073709551615u;
    if (gaussian)
      o.mean_prior = {0.1, 0.2, 0.3};
    else
      o.component_prior = {0.5, 0.25};
    const Mixture m = fitted(o, three_clouds(kind, 60, 3, 2));
    m.save(folder.path / "model.npz");
    const MixturePosterior& p = m.posterior();
    write_npy(folder.path / "means.npy", p.means, 4, 3);
    const std::vector<double>& own = gaussian ? p.covariances : p.component_parameters;
    write_npy(folder.path / "own.npy", own, std::int64_t(own.size()), 1);
    EXPECT_EQ(run_python(folder.path, R"(
import json, numpy
model = numpy.load('model.npz')
meta = json.loads(model['meta.json'])
options = meta['options']
assert (model['means'] == numpy.load('means.npy')).all()
gaussian = options['family'] == 'gaussian'
own = model['covariances' if gaussian else 'component_parameters']
assert (own.ravel() == numpy.load('own.npy').ravel()).all()
if gaussian:
  shape = {'full': (4, 3, 3), 'tied': (3, 3), 'diag': (4, 3), 'spherical': (4,)}[options['covariance_type']]
  assert own.shape == model['inverse_scale'].shape == shape
  assert model['degrees_of_freedom'].shape == (() if options['covariance_type'] == 'tied' else (4,))
  assert model['mean_precision'].shape == (4,)
  assert (model['mean_prior'] == [0.1, 0.2, 0.3]).all()
else:
  assert own.shape == (4, 3, 2) and 'covariances' not in model and 'mean_prior' not in model
  assert (model['component_prior'] == [0.5, 0.25]).all()
for name in ['weights', 'counts', 'weight_concentration']: assert model[name].shape == (4,), name
assert abs(model['weights'].sum() - 1) < 1e-12 and abs(model['counts'].sum() - 60) < 1e-9
assert options['seed'] == 2**64 - 1 and options['tol'] == 0 and options['weight_concentration_prior'] is None
assert 'covariance_prior' not in model
assert model['elbo_trace'].shape == (meta['summary']['n_iter'] + 1,)
assert meta['format_version'] == 1 and meta['summary']['termination'] == 'max_iter'
)"),
              0);
  }
}

TEST(Model, IsNeededToSave) {
  const Folder folder;
  const Mixture m(MixtureOptions{}, Device::cpu(1));
  EXPECT_THROW(m.save(folder.path / "a.npz"), Error);
  EXPECT_THROW(m.summary(), Error);
  EXPECT_EQ(folder.size(), 0);
}

// ---- damage ---------------------------------------------------------------------------------------------------------

/// Loads; anything but a model or an IoError naming the file fails the test.
bool loads(const std::filesystem::path& file) {
  try {
    const ModelFile m = read_model(file);
    for (const auto* v : {&m.posterior.weights, &m.posterior.means, &m.posterior.covariances,
                          &m.posterior.inverse_scale, &m.summary.elbo_trace})
      EXPECT_TRUE(std::all_of(v->begin(), v->end(), [](double x) { return std::isfinite(x); }));
    return true;
  } catch (const IoError& e) {
    EXPECT_EQ(std::string(e.what()).find(file.string() + ": "), 0u) << e.what();
    return false;
  }
}

std::filesystem::path small_checkpoint(const Folder& folder) {
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet);
  o.n_components = 2;
  o.max_iter = 2;
  o.checkpoint = folder.path / "good.npz";
  fitted(o, three_clouds(9, 1, 3));
  return o.checkpoint;
}

TEST(DamagedModel, EveryTruncationIsAnIoError) {
  const Folder folder;
  const std::string good = bytes_of(small_checkpoint(folder));
  ASSERT_TRUE(loads(folder.path / "good.npz"));
  for (std::size_t size = 0; size < good.size(); size += 7)
    EXPECT_FALSE(loads(folder.write("cut.npz", good.substr(0, size)))) << size;
}

TEST(DamagedModel, EveryFlippedByteIsAnIoErrorOrAValidModel) {
  const Folder folder;
  const std::string good = bytes_of(small_checkpoint(folder));
  std::mt19937 rng(5);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = char(bytes[at] ^ (1 + rng() % 255));
    refused += !loads(folder.write("x.npz", bytes));
  }
  EXPECT_GT(refused, good.size() * 3 / 4);
}

/// A model's file taken apart, to be put together wrongly: its checksums are right.
struct Forgery {
  const Folder& folder;
  nlohmann::ordered_json meta;
  std::vector<std::string> names;
  std::vector<std::vector<std::int64_t>> shapes;
  std::vector<std::vector<double>> values;

  Forgery(const Folder& where, const ModelFile& m) : folder(where) {
    write_model(folder.path / "genuine.npz", m);
    const io::NpzFile file(folder.path / "genuine.npz");
    meta = nlohmann::ordered_json::parse(file.meta());
    const std::int64_t k = m.posterior.n_components, d = m.posterior.n_features;
    for (const auto& [name, shape] :
         std::vector<std::pair<std::string, std::vector<std::int64_t>>>{{"weights", {k}},
                                                                        {"means", {k, d}},
                                                                        {"covariances", {k, d, d}},
                                                                        {"counts", {k}},
                                                                        {"mean_precision", {k}},
                                                                        {"degrees_of_freedom", {k}},
                                                                        {"inverse_scale", {k, d, d}},
                                                                        {"weight_concentration", {k}},
                                                                        {"elbo_trace", {m.summary.n_iter + 1}},
                                                                        {"state", {io::kAnySize}}}) {
      names.push_back(name);
      values.push_back(file.array(name, shape));
      shapes.push_back(shape[0] == io::kAnySize ? std::vector<std::int64_t>{std::int64_t(values.back().size())}
                                                : shape);
    }
  }
  std::size_t at(const std::string& name) const {
    return std::size_t(std::find(names.begin(), names.end(), name) - names.begin());
  }
  std::filesystem::path write(const std::string& without = "") const {
    std::vector<io::NpzArray> arrays;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] != without) arrays.push_back({names[i], shapes[i], values[i]});
    io::write_npz(folder.path / "forged.npz", meta.dump(), arrays);
    return folder.path / "forged.npz";
  }
};

TEST(DamagedModel, SaysWhatIsWrong) {
  const Folder folder;
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet);
  o.checkpoint = folder.path / "checkpoint.npz";
  fitted(o, three_clouds(40, 2, 3));
  const Forgery good(folder, read_model(o.checkpoint));
  const auto says = [&](auto change, const std::string& cause, const std::string& without = "") {
    Forgery forged = good;
    change(forged);
    const auto file = forged.write(without);
    const std::string message = message_of([&] { Mixture::load(file, Device::cpu(1)); });
    EXPECT_EQ(message.find(file.string() + ": "), 0u) << message;
    EXPECT_NE(message.find(cause), std::string::npos) << message << "\n  should say: " << cause;
  };
  const auto meta = [&](const char* pointer, nlohmann::json value, const std::string& cause) {
    says([&](Forgery& f) { f.meta[nlohmann::ordered_json::json_pointer(pointer)] = value; }, "meta.json: " + cause);
  };
  const auto number = [&](const char* array, std::size_t at, double value, const std::string& cause) {
    says([&](Forgery& f) { f.values[f.at(array)][at] = value; }, std::string(array) + ".npy: " + cause);
  };
  says([](Forgery&) {}, "weights.npy: is missing", "weights");
  says([](Forgery&) {}, "state.npy: is missing", "state");
  says([](Forgery& f) { f.meta = 3; }, "meta.json: is damaged");
  says([](Forgery& f) { f.meta.erase("format_version"); }, "meta.json: 'format_version' is missing");
  says([](Forgery& f) { f.meta["options"].erase("tol"); }, "options: 'tol' is missing");
  says([](Forgery& f) { f.shapes[f.at("means")] = {2, 4}; }, "means.npy: the shape must be (4, 2), not (2, 4)");
  meta("/format", "other", "'format' must be 'cavi mixture'");
  meta("/format_version", 2, "'format_version' is 2, written by cavi");
  meta("/format_version", 1e300, "'format_version' must be a whole number");
  meta("/format_version", -1, "'format_version' must be at least 1");
  says([](Forgery& f) { f.meta["n_features"] = 1 << 30; }, "means.npy: the shape must be (4, 1073741824)");
  meta("/n_features", 0, "'n_features' must be at least 1");
  meta("/column_names", {"one"}, "'column_names' must be 2 strings");
  meta("/column_names", {"one", 2}, "'column_names' must be 2 strings");
  meta("/column_names", "two", "'column_names' must be 2 strings");
  meta("/options", 1, "'options' must be an object");
  meta("/options/n_components", 0, "options: n_components must be at least 1");
  meta("/options/n_components", 1e9, "options: 'n_components' must be a whole number");
  says([](Forgery& f) { f.meta["options"]["n_components"] = 1 << 30; }, "weights.npy: the shape must be (1073741824)");
  meta("/options/seed", -1, "options: 'seed' must be a whole number from 0 to 18446744073709551615");
  meta("/options/covariance_type", "round", "options: 'covariance_type' is no value that this library knows");
  meta("/options/tol", "small", "options: 'tol' must be a number");
  meta("/options/tol", nullptr, "options: 'tol' must be a number");
  meta("/options/fuse", 1, "options: 'fuse' must be true or false");
  meta("/summary/n_iter", -1, "summary: 'n_iter' must be 0 or more");
  meta("/summary/device", 4, "summary: 'device' must be a string");
  meta("/summary/termination", "unknown", "summary: 'termination' is no value");
  meta("/data", 1, "'data' must be an object");
  meta("/data/rows", "many", "data: 'rows' must be a whole number");
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  number("means", 3, nan, "number 3 (from 0) is nan");
  number("weights", 1, -0.5, "number 1 (from 0) is -0.5");
  number("counts", 1, infinity, "number 1 (from 0) is inf");
  number("mean_precision", 0, 0, "number 0 (from 0) is 0");
  number("degrees_of_freedom", 0, 1, "must be greater than 1");
  number("covariances", 4, -1, "matrix 1 (from 0) is not symmetric and positive definite");
  number("inverse_scale", 8, nan, "number 8 (from 0) is nan");
  number("inverse_scale", 13, 1e9, "matrix 3 (from 0) is not symmetric and positive definite");
  number("elbo_trace", 0, -infinity, "number 0 (from 0) is -inf");
  number("weight_concentration", 0, 0, "number 0 (from 0) is 0");
  number("state", 0, nan, "number 0 (from 0) is nan");
  EXPECT_TRUE(loads(good.write()));
}

// ---- whole or not at all --------------------------------------------------------------------------------------------

TEST(SavingModel, FailsWithoutATrace) {
  const Folder folder;
  const Mixture m = fitted(options(CovarianceType::full, WeightPrior::dirichlet), three_clouds(40, 2, 3));
  const auto says = [&](const std::filesystem::path& file) { return message_of([&] { m.save(file); }); };
  EXPECT_NE(says(folder.path / "none" / "x.npz").find("none/x.npz: cannot be written: No such file"),
            std::string::npos);
  std::filesystem::create_directory(folder.path / "d.npz");
  EXPECT_NE(says(folder.path / "d.npz").find("d.npz: cannot be written: Is a directory"), std::string::npos);
  if (::geteuid() != 0) {
    std::filesystem::permissions(folder.path / "d.npz",
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    EXPECT_NE(says(folder.path / "d.npz" / "x.npz").find("Permission denied"), std::string::npos);
  }
  EXPECT_EQ(folder.size(), 1);

  const auto file = folder.path / "x.npz";
  m.save(file);
  const std::string before = bytes_of(file);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{}, small{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  small = limit;
  small.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = says(file);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_NE(message.find("x.npz: cannot be written: File too large"), std::string::npos) << message;
  EXPECT_EQ(bytes_of(file), before);
  EXPECT_EQ(folder.size(), 2);
}

TEST(SavingModel, OnAFullDiskKeepsTheOldFile) {
  enum Outcome { good, no_mount, no_error, wrong_message, old_file_gone, left_behind };
  const Folder folder;
  const Mixture m = fitted(options(CovarianceType::full, WeightPrior::dirichlet), three_clouds(200, 12, 3));
  const int outcome = in_child([&] {
    if (::unshare(CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", folder.path.c_str(), "tmpfs", 0, "size=16k") != 0)
      return no_mount;
    const auto file = folder.write("x.npz", "what was there before");
    try {
      m.save(file);
      return no_error;
    } catch (const IoError& e) {
      if (e.what() != file.string() + ": cannot be written: No space left on device") return wrong_message;
    }
    if (bytes_of(file) != "what was there before") return old_file_gone;
    return folder.size() == 1 ? good : left_behind;
  });
  if (outcome == no_mount) GTEST_SKIP() << "no right to mount a small disk";
  EXPECT_EQ(outcome, good);
}

TEST(SavingModel, KilledAtAnyMomentTheFileIsComplete) {
  const Folder folder;
  const auto file = folder.path / "x.npz";
  const Mixture a = fitted(options(CovarianceType::full, WeightPrior::dirichlet), three_clouds(200, 20, 3));
  const Mixture b = fitted(options(CovarianceType::diag, WeightPrior::pitman_yor), three_clouds(50, 2, 4));
  a.save(folder.path / "a.npz");
  b.save(folder.path / "b.npz");
  const std::string one = bytes_of(folder.path / "a.npz"), other = bytes_of(folder.path / "b.npz");
  a.save(file);
  std::mt19937 rng(9);
  std::set<std::string> seen;
  const int nameless = io::open_nameless(folder.path);  // where there are such files, not even a kill leaves a part
  for (int trial = 0; trial < 50 || (seen.size() < 2 && trial < 2000); ++trial) {
    const pid_t child = ::fork();
    if (child == 0)
      for (;;) a.save(file), b.save(file);
    std::this_thread::sleep_for(std::chrono::microseconds(rng() % 20000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string bytes = bytes_of(file);
    ASSERT_TRUE(bytes == one || bytes == other) << bytes.size();
    ASSERT_TRUE(loads(file));
    seen.insert(bytes);
    for (const auto& entry : std::filesystem::directory_iterator(folder.path))
      if (entry.path().extension() == ".part") {
        const std::string left = bytes_of(entry.path());
        ASSERT_TRUE(nameless < 0 || left == one || left == other) << left.size();
        std::filesystem::remove(entry.path());
      }
  }
  EXPECT_EQ(seen.size(), 2u) << "no file was replaced";
  ::close(nameless);
}

TEST(SavingModel, IsNotHinderedByWhatAKilledProcessLeft) {
  const Folder folder;
  const Mixture m = fitted(options(CovarianceType::diag, WeightPrior::dirichlet), three_clouds(30, 2, 3));
  for (int number = 0; number < 200; ++number)
    folder.write(fmt::format("x.npz.{}-{}.part", ::getpid(), number), "left behind");
  m.save(folder.path / "x.npz");
  EXPECT_TRUE(loads(folder.path / "x.npz"));
}

}  // namespace
