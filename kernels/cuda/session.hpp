// SPDX-License-Identifier: Apache-2.0
/// \file
/// The CUDA backend.
#pragma once

#include "kernels/ops.hpp"

#include <cstdint>
#include <memory>

namespace cavi::kernels::cuda {

/// A program on CUDA device `ordinal`, which may use `budget` bytes of its memory (0: what is free).
std::unique_ptr<Session> make_session(const Program& program, int ordinal, std::int64_t budget);

}  // namespace cavi::kernels::cuda
