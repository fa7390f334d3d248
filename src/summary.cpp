// SPDX-License-Identifier: Apache-2.0
#include <cavi/inference.hpp>

#include <fmt/format.h>

#include <cmath>

namespace cavi {

namespace {

const char* why(Termination t) {
  switch (t) {
    case Termination::converged: return "converged";
    case Termination::max_iter: return "not converged";
    case Termination::stopped: return "stopped";
    case Termination::numerical_error: return "failed";
    case Termination::no_data: return "no data";
  }
  return "";
}

}  // namespace

std::string Summary::brief_report() const {
  if (termination == Termination::numerical_error || termination == Termination::no_data)
    return fmt::format("{}: {}", why(termination), message);
  std::string line = fmt::format("{} after {} sweeps: bound {:.6f} nats", why(termination), n_iter, elbo);
  line += fmt::format(", {:g} rows, {}{} {}", rows, device, kernel.empty() ? "" : " (" + kernel + ")",
                      precision == Scalar::float32 ? "float32" : "float64");
  if (seconds > 0 && n_iter > 0)
    line += fmt::format(", {:.3g} s in sweeps ({:.3g} rows/s)", seconds, rows * n_iter / seconds);
  return line;
}

std::string Summary::full_report() const {
  std::string text = brief_report() + "\n";
  text += fused ? "one fused pass over the data per sweep" : "generic operations";
  if (!std::isnan(negligible))
    text += fmt::format("; {:.1f} % of rows x components were negligible in the last", 100 * negligible);
  if (!std::isnan(near)) text += fmt::format("; {:.0f} % of components were near the origin", 100 * near);
  text += "\n";
  text += fmt::format("{:>6} {:>22} {:>14}\n", "sweep", "bound", "gain");
  for (std::size_t i = 0; i < elbo_trace.size(); ++i)
    text += fmt::format("{:>6} {:>22.10f} {:>14}\n", i, elbo_trace[i],
                        i ? fmt::format("{:.6g}", elbo_trace[i] - elbo_trace[i - 1]) : "");
  return text;
}

}  // namespace cavi
