// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/tables.hpp"

#include "kernels/cpu/mixture_start.hpp"
#include "kernels/cpu/thread_pool.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <thread>

namespace cavi::kernels::cuda {

const std::int32_t* DeviceTables::put(const std::vector<std::int32_t>& values) {
  memory_.push_back(to_device(values, "copying a table to the device", stream_));
  return memory_.back().as<const std::int32_t>();
}

const std::int32_t* DeviceTables::map(int number) {
  maps_.resize(program_.maps.size(), nullptr);
  const std::int32_t*& map = maps_.at(std::size_t(number));
  if (!map) map = put(program_.maps[std::size_t(number)]);
  return map;
}

DeviceResponsibilities DeviceTables::responsibilities(int number, std::int64_t rows, int components) {
  constexpr std::int64_t kBlock = 1024;
  const Responsibilities& given = program_.responsibilities.at(std::size_t(number));
  DeviceResponsibilities out;
  out.seed = given.seed;
  const std::int64_t have = !given.labels.empty() ? std::int64_t(given.labels.size()) : given.dense.rows();
  if (have > 0 && (have < rows || (given.labels.empty() && given.dense.cols() != components)))
    throw ShapeError("first responsibilities: those of " + std::to_string(have) + " rows are given, " +
                     std::to_string(rows) + " are needed, for " + std::to_string(components) + " components");
  if (!given.labels.empty()) {
    cpu::check_labels(given.labels.data(), 0, std::int64_t(given.labels.size()), components);
    out.labels = put(given.labels);
  } else if (given.dense.rows() > 0) {
    // Most are a label per row in disguise, and take a fraction of the memory then.
    std::vector<std::int32_t> labels(std::size_t(rows), 0);
    std::vector<double> dense;
    std::atomic<bool> hard = true;
    cpu::ThreadPool pool(int(std::max(1u, std::thread::hardware_concurrency())));
    const auto read = [&](std::int64_t block, int) {
      const std::int64_t k = components, first = block * kBlock, count = std::min(kBlock, rows - first);
      std::vector<double> raw(std::size_t(count * k)), r(raw.size());
      if (dense.empty() && !hard) return;
      cpu::given_responsibilities(given, 0, first, count, components, raw.data(), r.data(), count);
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t j = 0; j < k; ++j) {
          const double value = r[std::size_t(j * count + i)];
          if (!dense.empty()) dense[std::size_t((first + i) * k + j)] = value;
          if (value == 1) labels[std::size_t(first + i)] = std::int32_t(j);
          if (value != 1 && value != 0) hard = false;
        }
    };
    const std::int64_t blocks = (rows + kBlock - 1) / kBlock;
    pool.run(blocks, std::cref(read));
    if (hard) {
      out.labels = put(labels);
    } else {
      dense.resize(std::size_t(rows * components));
      pool.run(blocks, std::cref(read));
      memory_.push_back(to_device(dense, "copying responsibilities to the device", stream_));
      out.dense = memory_.back().as<const double>();
    }
  }
  return out;
}

}  // namespace cavi::kernels::cuda
