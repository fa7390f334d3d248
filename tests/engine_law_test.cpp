// SPDX-License-Identifier: Apache-2.0
// Laws that hold for every model and every subdivision.
#include "kernels/ops.hpp"
#include "src/plan.hpp"
#include "tests/device.hpp"
#include "tests/models.hpp"

#include <cavi/cavi.hpp>

#include <gtest/gtest.h>

namespace {

using namespace cavi;
using cavi::testing::all_models;
using cavi::testing::Case;
using cavi::testing::NamedModel;

class EngineLaw : public ::testing::TestWithParam<NamedModel> {};

std::string name_of(const ::testing::TestParamInfo<NamedModel>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Models, EngineLaw, ::testing::ValuesIn(all_models()), name_of);

Posterior fit(const Case& c, int sweeps, Options options = {}, int threads = 1) {
  return infer(*c.model, *c.q, c.schedule, {sweeps, 0.0}, cavi::testing::test_device(threads), options);
}

TEST_P(EngineLaw, BoundRisesAtEverySingleUpdate) {
  const Case c = GetParam().make();
  for (const bool fuse : {true, false}) {
    Options o;
    o.fuse = fuse;
    o.bound_after_every_update = true;
    const std::vector<double> trace = fit(c, 25, o).summary().update_trace;
    ASSERT_EQ(trace.size(), 1 + 25 * c.schedule.size());
    for (std::size_t i = 1; i < trace.size(); ++i)
      EXPECT_GE(trace[i], trace[i - 1] - 1e-12 * std::abs(trace[i - 1]))
          << "update " << i << (fuse ? ", fused" : ", generic");
    EXPECT_GT(trace.back(), trace.front());
  }
}

TEST_P(EngineLaw, FusedEqualsUnfused) {
  const Case c = GetParam().make();
  Options generic;
  generic.fuse = false;
  const Posterior a = fit(c, 15), b = fit(c, 15, generic);
  EXPECT_EQ(a.summary().fused, GetParam().name.find("_mixture") != std::string::npos);
  EXPECT_FALSE(b.summary().fused);
  for (std::size_t i = 0; i < a.summary().elbo_trace.size(); ++i)
    EXPECT_NEAR(a.summary().elbo_trace[i], b.summary().elbo_trace[i], 1e-11 * std::abs(b.elbo())) << "sweep " << i;
  for (int v = 0; v < int(c.model->impl().variables.size()); ++v) {
    const std::vector<double> x = a.mean(Variable{v}), y = b.mean(Variable{v});
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(x[i], y[i], 1e-9 * (1 + std::abs(y[i]))) << c.model->impl().variables[std::size_t(v)].name;
  }
}

TEST_P(EngineLaw, ThreadsDoNotChangeABit) {
  const Case c = GetParam().make();
  for (const bool fuse : {true, false}) {
    Options o;
    o.fuse = fuse;
    const std::vector<double> one = fit(c, 6, o, 1).summary().elbo_trace;
    EXPECT_EQ(one, fit(c, 6, o, 2).summary().elbo_trace);
    EXPECT_EQ(one, fit(c, 6, o, 8).summary().elbo_trace);
  }
}

TEST_P(EngineLaw, ResumingIsGoingOn) {
  const Case c = GetParam().make();
  std::vector<State> states;
  Options o;
  o.checkpoint_every = 3;
  o.on_checkpoint = [&](const State& s, const Posterior&) { states.push_back(s); };
  const Posterior whole = fit(c, 10), in_rounds = fit(c, 10, o);
  EXPECT_EQ(whole.summary().elbo_trace, in_rounds.summary().elbo_trace);
  ASSERT_EQ(states.size(), 4u);
  EXPECT_EQ(states[1].summaries[0].n_iter, 6);
  for (const State& s : states) {
    Options resumed;
    resumed.resume = &s;
    const Posterior rest = fit(c, 10, resumed);
    EXPECT_EQ(rest.summary().elbo_trace, whole.summary().elbo_trace);
    EXPECT_EQ(rest.summary().n_iter, 10);
    for (int v = 0; v < int(c.model->impl().variables.size()); ++v)
      EXPECT_EQ(rest.mean(Variable{v}), whole.mean(Variable{v}));
  }
}

TEST_P(EngineLaw, BoundAfterEveryUpdateDoesNotDisturbTheFit) {
  const Case c = GetParam().make();
  Options o;
  o.bound_after_every_update = true;
  const Posterior a = fit(c, 8), b = fit(c, 8, o);
  for (std::size_t i = 0; i < a.summary().elbo_trace.size(); ++i)
    EXPECT_NEAR(a.summary().elbo_trace[i], b.summary().elbo_trace[i], 1e-11 * std::abs(b.elbo()));
}

// The terms of the bound are linear in each slot of a factor, and the slope is the factor's natural parameter: so the
// bound of a state whose slot is moved by one number tells what the message must be.
TEST_P(EngineLaw, MessageIsTheGradientOfTheBound) {
  using namespace kernels;
  const Case c = GetParam().make();
  Options o;
  o.fuse = false;
  const Plan still = make_plan(c.model->impl(), *c.q, c.schedule, o);
  const auto run = [](Program p) {
    auto session = make_cpu_backend(1)->prepare(p);
    const double bound = session->run({0, 0.0}, {})[0].elbo;
    return std::pair(bound, std::move(session));
  };
  const double at_rest = run(still.program).first;
  // Everything behind the last start only computes the bound.
  std::size_t bound_begins = still.program.init.size();
  for (; bound_begins > 0; --bound_begins) {
    const Op& op = still.program.init[bound_begins - 1];
    if (std::holds_alternative<Moments>(op) || std::holds_alternative<AssignStart>(op)) break;
  }
  ASSERT_GT(bound_begins, 0u);

  int checked = 0;
  for (const auto& entry : c.schedule) {
    const std::size_t f = std::size_t(still.owner[std::size_t(entry[0].id)]);
    Options updated = o;
    updated.start_updates = {entry};
    const Plan moved = make_plan(c.model->impl(), *c.q, c.schedule, updated);
    const auto session = run(moved.program).second;
    for (std::size_t s = 0; s < still.factors[f].eta.size(); ++s) {
      const std::vector<double> eta = session->read(moved.factors[f].eta[s], 0);
      for (std::size_t i = 0; i < eta.size(); i += 1 + eta.size() / 7) {
        const double step = 0.5;
        Program p = still.program;
        p.init.insert(p.init.begin() + std::ptrdiff_t(bound_begins),
                      Contract{step, {}, {}, {still.factors[f].u[s], std::int64_t(i), {}}, true});
        double slope = (run(std::move(p)).first - at_rest) / step;
        // The bound counts an element of a weighted plate by its weight; its factor does not.
        const int plate = still.factors[f].plates.empty() ? -1 : still.factors[f].plates[0];
        if (plate >= 0 && c.model->impl().plates[std::size_t(plate)].weights >= 0)
          slope /= 0.25 + 0.5 * double((i / std::size_t(still.factors[f].slot_sizes[s])) % 4);
        EXPECT_NEAR(slope, eta[i], 1e-8 * (1 + std::abs(eta[i])) + 1e-12 * std::abs(at_rest))
            << still.factors[f].name << ", slot " << s << ", number " << i;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 0);
}

}  // namespace
