// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace emulator {

/// "cavi::kernels::cuda::assign<float>" for the address of a function, static ones included: read from the symbol table
/// of the file that holds it, so nothing needs to be exported. "?" when it was stripped.
std::string function_name(const void* address);

/// "assign<float> (assign_cuda.cuh:40)" for an address inside code; without the line where addr2line or -g is missing.
std::string code_name(const void* address);

}  // namespace emulator
