// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sweeps of resident problems as one CUDA graph: a WHILE node whose body is a sweep, until no problem goes on.
#pragma once

#include "kernels/cuda/launch_plan.hpp"
#include "kernels/cuda/runtime.hpp"

#include <memory>
#include <type_traits>

namespace cavi::kernels::cuda {

class SweepGraph {
 public:
  /// Records the plan for a group. Throws DeviceError.
  SweepGraph(const LaunchPlan& sweep, const Group& group, const Stream& stream);

  /// At least one sweep; some problem must be active.
  void launch(const Stream& stream) const { check(cudaGraphLaunch(executable_.get(), stream), "launching the sweeps"); }

 private:
  struct Destroy {
    void operator()(cudaGraph_t graph) const { static_cast<void>(cudaGraphDestroy(graph)); }
    void operator()(cudaGraphExec_t graph) const { static_cast<void>(cudaGraphExecDestroy(graph)); }
  };
  std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, Destroy> graph_;
  std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, Destroy> executable_;
};

}  // namespace cavi::kernels::cuda
