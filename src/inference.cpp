// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops.hpp"
#include "src/plan.hpp"
#include "src/posterior_impl.hpp"

#include <cavi/error.hpp>
#include <cavi/inference.hpp>

namespace cavi {

namespace {

void check(const StoppingRule& rule) {
  std::string complaints;
  if (rule.max_iter < 0) complaints += "max_iter must be 0 or more, not " + std::to_string(rule.max_iter);
  if (!(rule.tol >= 0)) complaints += std::string(complaints.empty() ? "" : "\n") + "tol must be 0 or more";
  if (!complaints.empty()) throw OptionError(complaints);
}

}  // namespace

Posterior infer(const Model& model, const Factorisation& q, const Schedule& schedule, const StoppingRule& stopping,
                const Device& device, const Options& options) {
  check(stopping);
  if (&q.model() != &model) throw ShapeError("infer: the factorisation was made for another model");
  auto impl = std::make_shared<Posterior::Impl>();
  impl->model = model.impl();
  impl->plan = make_plan(model.impl(), q, schedule, options);
  impl->session = kernels::make_cpu_backend(device.threads())->prepare(impl->plan.program);
  impl->summaries = impl->session->run(stopping, options.on_sweep);
  return Posterior(std::move(impl));
}

}  // namespace cavi
