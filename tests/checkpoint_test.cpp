// SPDX-License-Identifier: Apache-2.0
// Checkpoints: a fit goes on from one as if nothing had happened.
#include "src/model_file.hpp"
#include "tests/fits.hpp"

#include <cavi/io.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <stdexcept>

namespace {

using namespace cavi;
using namespace cavi::test;

TEST(Checkpoint, ResumedFitIsTheUninterruptedOne) {
  const Folder folder;
  const auto file = folder.path / "fit.npz";
  std::vector<double> weight(120);
  for (int n = 0; n < 120; ++n) weight[std::size_t(n)] = 0.25 * (n % 5);
  for (const Kind& kind : every_kind())
    for (const WeightPrior weights : kWeightPriors)
      for (const bool fuse : {true, false})
        for (const double tol : {0.0, 1e-4}) {
          if (kind.family != ComponentFamily::gaussian && weights != WeightPrior::dirichlet_process) continue;
          const Matrix x = three_clouds(kind, 120, 3, 8);
          MixtureOptions o = options(kind, weights, fuse ? Scalar::float32 : Scalar::float64);
          o.fuse = fuse;
          o.tol = tol;
          Mixture whole(o, Device::cpu(2));
          const Summary expected = whole.fit(x, weight);
          for (const int stop : {1, 4, 9}) {
            MixtureOptions interrupted = o;
            interrupted.checkpoint = file;
            interrupted.checkpoint_every = 3;
            interrupted.on_sweep = [&](const Sweep& s) { return s.index < stop; };
            Mixture(interrupted, Device::cpu(1)).fit(x, weight);
            MixtureOptions rest = o;
            rest.checkpoint = file;
            rest.checkpoint_every = 2;
            Mixture resumed(rest, Device::cpu(2));
            const Summary got = resumed.resume(file, x, weight);
            ASSERT_EQ(bits(got), bits(expected));
            ASSERT_EQ(bits(resumed.posterior()), bits(whole.posterior()));
            ASSERT_EQ(bits(resumed.summary()), bits(expected));
            // The last checkpoint is that of the finished fit: nothing is left to do.
            Mixture again(o, Device::cpu(1));
            ASSERT_EQ(bits(again.resume(file, x, weight)), bits(expected));
            ASSERT_EQ(bits(again.posterior()), bits(whole.posterior()));
          }
        }
  EXPECT_EQ(folder.size(), 1);
}

TEST(Checkpoint, IsAModel) {
  const Folder folder;
  for (const Kind& kind : every_kind()) {
    const Matrix x = three_clouds(kind, 120, 3, 8);
    MixtureOptions o = options(kind, WeightPrior::dirichlet_process), shorter = o;
    o.checkpoint = folder.path / "fit.npz";
    o.checkpoint_every = 5;
    o.on_sweep = [&](const Sweep& s) {
      if (s.index == 8) throw std::runtime_error("power cut");
      return true;
    };
    EXPECT_THROW(Mixture(o, Device::cpu(2)).fit(x), std::runtime_error);
    const Mixture loaded = Mixture::load(o.checkpoint, Device::cpu(1));
    shorter.max_iter = 5;
    const Mixture expected = fitted(shorter, x);
    EXPECT_EQ(bits(loaded.posterior()), bits(expected.posterior()));
    EXPECT_EQ(bits(loaded.summary()), bits(expected.summary()));
    EXPECT_EQ(loaded.options().max_iter, 17);
  }
}

TEST(Checkpoint, OutlivesAKilledProcess) {
  const Folder folder;
  const Matrix x = three_clouds(2000, 4, 8);
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet_process);
  Mixture whole(o, Device::cpu(2));
  const Summary expected = whole.fit(x);
  o.checkpoint = folder.path / "fit.npz";
  o.checkpoint_every = 1;
  for (const int last : {2, 7, 16}) {
    MixtureOptions doomed = o;
    doomed.on_sweep = [&](const Sweep& s) { return s.index < last || ::raise(SIGKILL) == 0; };
    ASSERT_EQ(in_child([&] { return Mixture(doomed, Device::cpu(2)).fit(x), 0; }), -1);
    Mixture resumed(o, Device::cpu(2));
    EXPECT_EQ(bits(resumed.resume(o.checkpoint, x)), bits(expected));
    EXPECT_EQ(bits(resumed.posterior()), bits(whole.posterior()));
  }
}

TEST(Checkpoint, GoesOnForLonger) {
  const Folder folder;
  const Matrix x = three_clouds(120, 3, 8);
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet), longer = o;
  longer.max_iter = 40;
  longer.tol = 1e-9;
  Mixture whole(longer, Device::cpu(1));
  const Summary expected = whole.fit(x);
  o.tol = 1e-2;
  o.checkpoint = folder.path / "fit.npz";
  EXPECT_TRUE(Mixture(o, Device::cpu(1)).fit(x).converged());
  Mixture resumed(longer, Device::cpu(1));
  EXPECT_EQ(bits(resumed.resume(o.checkpoint, x)), bits(expected));
  EXPECT_EQ(bits(resumed.posterior()), bits(whole.posterior()));
}

TEST(Checkpoint, OfAnotherFitIsRefused) {
  const Folder folder;
  const Matrix x = three_clouds(120, 3, 8);
  const std::vector<double> weight(120, 2.0);
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet);
  o.checkpoint = folder.path / "fit.npz";
  const Mixture m = fitted(o, x);
  const std::string name = o.checkpoint.string() + ": ";
  const auto data = [&](const Matrix& y, const std::vector<double>& w = {}) {
    return message_of<ShapeError>([&] { Mixture(o, Device::cpu(1)).resume(o.checkpoint, y, w); });
  };
  EXPECT_EQ(data(three_clouds(119, 3, 8)), name + "a checkpoint of 120 rows x 3 columns, the data have 119 x 3");
  EXPECT_EQ(data(three_clouds(120, 2, 8)), name + "a checkpoint of 120 rows x 3 columns, the data have 120 x 2");
  const std::string other = name + "a checkpoint of other data or weights of that size";
  EXPECT_EQ(data(three_clouds(120, 3, 9)), other);
  EXPECT_EQ(data(x, weight), other);
  for (const std::size_t at : {0, 1, 179, 358, 359}) {  // the least change of any number
    std::vector<double> values = x.to_vector();
    values[at] = std::nextafter(values[at], 1e9);
    EXPECT_EQ(data(Matrix(values, 120, 3)), other) << at;
  }

  MixtureOptions different = o;
  different.n_components = 5;
  different.seed = 6;
  different.mean_prior = {0, 0, 0};
  different.weight_concentration_prior = 0.5;
  try {
    Mixture(different, Device::cpu(1)).resume(o.checkpoint, x);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const OptionError& e) {
    EXPECT_EQ(std::string(e.what()), name + "n_components is 5, not 4\n" + name +
                                         "weight_concentration_prior is 0.5, not null\n" + name + "seed is 6, not 5\n" +
                                         name + "mean_prior has other numbers");
  }
  m.save(folder.path / "model.npz");
  const std::string model = message_of([&] { Mixture(o, Device::cpu(1)).resume(folder.path / "model.npz", x); });
  EXPECT_NE(model.find("model.npz: a model without the state of its fit"), std::string::npos) << model;
}

TEST(Checkpoint, WithAStateOfAnotherLengthIsAnError) {
  const Folder folder;
  const Matrix x = three_clouds(40, 2, 8);
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet);
  o.checkpoint = folder.path / "fit.npz";
  fitted(o, x);
  ModelFile file = read_model(o.checkpoint);
  for (const int change : {-1, 1}) {
    ModelFile wrong = file;
    wrong.checkpoint->q.resize(std::size_t(int(wrong.checkpoint->q.size()) + change));
    write_model(folder.path / "wrong.npz", wrong);
    message_of<ShapeError>([&] { Mixture(o, Device::cpu(1)).resume(folder.path / "wrong.npz", x); });
  }
}

TEST(Checkpoint, ThatCannotBeWrittenEndsTheFit) {
  const Folder folder;
  MixtureOptions o = options(CovarianceType::full, WeightPrior::dirichlet);
  o.checkpoint = folder.path / "none" / "fit.npz";
  message_of([&] { fitted(o, three_clouds(40, 2, 8)); });
  o.checkpoint_every = 0;
  message_of<OptionError>([&] { Mixture(o, Device::cpu(1)); });
  o.checkpoint_every = 10;
  message_of<OptionError>([&] { fit_batch(o, three_clouds(40, 2, 8), {0, 20, 40}, Device::cpu(1)); });
}

TEST(Checkpoint, AndModelKeepTheNamesOfColumns) {
  const Folder folder;
  const std::filesystem::path rows = folder.write("x.csv", "width,\"a, \"\"b\"\"\"\n1,2\n3,5\n4,4\n0,1\n");
  MixtureOptions o = options(CovarianceType::diag, WeightPrior::dirichlet);
  o.checkpoint = folder.path / "checkpoint.npz";
  const std::vector<std::string> names{"width", "a, \"b\""};
  const Mixture m = fitted(o, open_matrix(rows));
  m.save(folder.path / "a.npz");
  EXPECT_EQ(m.posterior().column_names, names);
  for (const char* file : {"a.npz", "checkpoint.npz"}) {
    const Mixture back = Mixture::load(folder.path / file, Device::cpu(1));
    EXPECT_EQ(back.posterior().column_names, names) << file;
    EXPECT_EQ(message_of<ShapeError>([&] {
                back.predict(Matrix(std::vector<double>{1, 2, 3}, 1, 3));
              }),
              "array: 3 columns, but the mixture was fitted to data with 2 (width, a, \"b\")");
  }
}

}  // namespace
