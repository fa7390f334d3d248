// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops.hpp"
#include "src/plan.hpp"
#include "src/posterior_impl.hpp"

#include <cavi/error.hpp>
#include <cavi/inference.hpp>

#include <algorithm>

namespace cavi {

namespace {

void check(const StoppingRule& rule) {
  std::string complaints;
  if (rule.max_iter < 0) complaints += "max_iter must be 0 or more, not " + std::to_string(rule.max_iter);
  if (!(rule.tol >= 0)) complaints += std::string(complaints.empty() ? "" : "\n") + "tol must be 0 or more";
  if (!complaints.empty()) throw OptionError(complaints);
}

std::unique_ptr<kernels::Backend> backend_of(const Device& device) {
  return device.kind() == Device::Kind::cpu ? kernels::make_cpu_backend(device.threads())
                                            : kernels::make_cuda_backend(device.ordinal(), device.memory());
}

State snapshot(kernels::Session& session, const Plan& plan, const std::vector<Summary>& summaries) {
  State state;
  state.summaries = summaries;
  for (std::size_t b = 0; b < summaries.size(); ++b) {
    std::vector<double>& q = state.q.emplace_back();
    for (kernels::Buffer buffer : plan.state) {
      const std::vector<double> values = session.read(buffer, std::int64_t(b));
      q.insert(q.end(), values.begin(), values.end());
    }
  }
  return state;
}

void restore(kernels::Session& session, const Plan& plan, const State& state) {
  if (std::int64_t(state.q.size()) != plan.program.problems || state.summaries.size() != state.q.size())
    throw ShapeError("resume: the state holds " + std::to_string(state.q.size()) + " problems, the model " +
                     std::to_string(plan.program.problems));
  session.start();
  for (std::size_t b = 0; b < state.q.size(); ++b) {
    auto next = state.q[b].begin();
    for (kernels::Buffer buffer : plan.state) {
      std::vector<double> values = session.read(buffer, std::int64_t(b));
      if (state.q[b].end() - next < std::ptrdiff_t(values.size()))
        throw ShapeError("resume: the state is another model's");
      std::copy_n(next, values.size(), values.begin());
      next += std::ptrdiff_t(values.size());
      session.write(buffer, std::int64_t(b), values);
    }
    if (next != state.q[b].end()) throw ShapeError("resume: the state is another model's");
    session.set_summary(std::int64_t(b), state.summaries[b]);
  }
}

/// Problems that cannot be fitted have ended before they began.
void end_refused(kernels::Session& session, const std::vector<std::string>& complaints) {
  for (std::size_t b = 0; b < complaints.size(); ++b) {
    if (complaints[b].empty()) continue;
    Summary s;
    s.termination = Termination::numerical_error;
    s.message = complaints[b];
    session.set_summary(std::int64_t(b), s);
  }
}

/// Sweeps in rounds, with a snapshot after each.
void run_with_checkpoints(const std::shared_ptr<Posterior::Impl>& fit, const StoppingRule& stopping,
                          const Options& options) {
  int done = 0;
  if (options.resume)
    for (const Summary& s : options.resume->summaries) done = std::max(done, s.n_iter);
  while (true) {
    done = std::min(stopping.max_iter, (done / options.checkpoint_every + 1) * options.checkpoint_every);
    fit->summaries = fit->session->run({done, stopping.tol}, options.on_sweep);
    options.on_checkpoint(snapshot(*fit->session, fit->plan, fit->summaries), Posterior(fit));
    const bool unfinished = std::any_of(fit->summaries.begin(), fit->summaries.end(),
                                        [](const Summary& s) { return s.termination == Termination::max_iter; });
    if (done == stopping.max_iter || !unfinished) return;
  }
}

}  // namespace

Posterior infer(const Model& model, const Factorisation& q, const Schedule& schedule, const StoppingRule& stopping,
                const Device& device, const Options& options) {
  check(stopping);
  if (&q.model() != &model) throw ShapeError("infer: the factorisation was made for another model");
  auto impl = std::make_shared<Posterior::Impl>();
  impl->model = model.impl();
  impl->plan = make_plan(model.impl(), q, schedule, options);
  impl->session = backend_of(device)->prepare(impl->plan.program);
  end_refused(*impl->session, impl->plan.complaints);
  if (options.resume) restore(*impl->session, impl->plan, *options.resume);
  if (options.checkpoint_every > 0 && options.on_checkpoint)
    run_with_checkpoints(impl, stopping, options);
  else
    impl->summaries = impl->session->run(stopping, options.on_sweep);
  return Posterior(std::move(impl));
}

}  // namespace cavi
