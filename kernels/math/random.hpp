// SPDX-License-Identifier: Apache-2.0
/// \file
/// Counter-based random numbers: Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011).
///
/// A number is a function of (seed, stream, i, j) and of nothing else: not of threads, devices or batch. A stream is a
/// use of its own, so that two uses of one seed never meet.
#pragma once

#if defined(__CUDACC__) && !defined(R123_CUDA_DEVICE)
#define R123_CUDA_DEVICE __host__ __device__  // Random123 alone would leave out the host
#endif
#include <Random123/philox.h>

#include <cstdint>

namespace cavi::kernels::random {

enum class Stream : std::uint32_t { responsibilities, seeds, sampling, restarts };

struct Block {
  std::uint32_t word[4];
};

R123_CUDA_DEVICE inline Block block(std::uint64_t seed, Stream stream, std::uint64_t i, std::uint32_t j) {
  const philox4x32_ctr_t counter = {{std::uint32_t(i), std::uint32_t(i >> 32), j, static_cast<std::uint32_t>(stream)}};
  const philox4x32_key_t key = {{std::uint32_t(seed), std::uint32_t(seed >> 32)}};
  const philox4x32_ctr_t r = philox4x32(counter, key);
  return {{r.v[0], r.v[1], r.v[2], r.v[3]}};
}

/// In the open interval (0, 1), a multiple of 2^-33: exact in float64.
R123_CUDA_DEVICE inline double uniform(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }

/// In the open interval (0, 1) with 52 random bits.
R123_CUDA_DEVICE inline double uniform(std::uint64_t seed, Stream stream, std::uint64_t i, std::uint32_t j = 0) {
  const Block b = block(seed, stream, i, j);
  return double((std::uint64_t(b.word[0]) << 20) + (b.word[1] >> 12)) * 0x1p-52 + 0x1p-53;
}

/// Unnormalised responsibility of component k for a row, before the row is divided by its sum.
R123_CUDA_DEVICE inline double start_responsibility(std::uint64_t seed, std::uint64_t row, int k) {
  return uniform(block(seed, Stream::responsibilities, row, std::uint32_t(k) / 4).word[k % 4]);
}

}  // namespace cavi::kernels::random
