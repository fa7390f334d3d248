// SPDX-License-Identifier: Apache-2.0
// Rows that are on the device already, and tensors of other libraries: the bits of the same rows from the host.
#include "emulator/control.hpp"
#include "emulator/programs.hpp"
#include "tests/cuda/adversity.hpp"
#include "tests/models.hpp"

#include <cavi/cavi.hpp>
#include <cavi/device_matrix.hpp>

#include <dlpack/dlpack.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace {

using namespace cavi;
using programs::DeviceArray;

constexpr int kRows = 300, kFeatures = 3, kStride = 5;

std::vector<float> narrow(const std::vector<double>& x) { return {x.begin(), x.end()}; }

/// Rows with numbers between them that are none of theirs.
std::vector<float> spread(const std::vector<float>& x) {
  std::vector<float> out(kRows * kStride, -1e9f);
  for (int n = 0; n < kRows; ++n)
    std::copy_n(&x[std::size_t(n * kFeatures)], kFeatures, &out[std::size_t(n * kStride)]);
  return out;
}

std::vector<double> trace(const Matrix& x, Scalar precision, const Device& device) {
  MixtureOptions o;
  o.n_components = 3;
  o.precision = precision;
  o.max_iter = 4;
  o.tol = 0;
  return Mixture(o, device).fit(x).elbo_trace;
}

TEST(DeviceMatrix, GivesTheBitsOfTheSameRowsFromTheHost) {
  const std::vector<float> x = narrow(cavi::testing::clusters(kRows, kFeatures, 1));
  const DeviceArray<float> packed(x), strided(spread(x));
  for (const Scalar precision : {Scalar::float32, Scalar::float64}) {
    const auto expected = trace(Matrix(x, kRows, kFeatures), precision, Device::cuda(0));
    EXPECT_EQ(trace(device_view(packed.data(), kRows, kFeatures), precision, Device::cuda(0)), expected);
    EXPECT_EQ(trace(device_view(strided.data(), kRows, kFeatures, kStride), precision, Device::cuda(0)), expected);
    EXPECT_EQ(trace(device_view(strided.data(), kRows, kFeatures, kStride), precision, Device::cpu(1)),
              trace(Matrix(x, kRows, kFeatures), precision, Device::cpu(1)));
  }
}

void expect_to_wait(int seed_of_rows, const std::function<std::vector<double>(const Matrix&)>& bounds) {
  test::expect_to_wait_for_the_callers_stream(narrow(cavi::testing::clusters(kRows, kFeatures, seed_of_rows)), kRows,
                                              kFeatures, bounds);
}

TEST(DeviceMatrix, WaitsForTheCallersStream) {
  expect_to_wait(2, [](const Matrix& rows) { return trace(rows, Scalar::float64, Device::cuda(0)); });
}

// The estimator looks at the rows from the host first, which waits for them; the engine does not.
TEST(DeviceMatrix, TheEngineLetsTheDeviceWaitForTheCallersStream) {
  expect_to_wait(4, [](const Matrix& rows) {
    Model p;
    const cavi::testing::MixtureVariables v = cavi::testing::full_mixture(p, "one", rows);
    Factorisation q(p);
    q.joint({v.mu, v.lambda}).start_labels(v.z, cavi::testing::labels(kRows, 3));
    Options options;
    options.start_updates = {{v.pi}, {v.mu}};
    return infer(p, q, {{v.z}, {v.pi}, {v.mu}}, {3, 0}, Device::cuda(0), options).summary().elbo_trace;
  });
}

TEST(DeviceMatrix, RowsHaveArrivedWhenTheyHaveBeenRead) {
  const std::vector<float> x = narrow(cavi::testing::clusters(kRows, kFeatures, 5));
  for (std::uint32_t seed = 0; seed < 16; ++seed) {
    emulator::reset(emulator::options_for(seed));
    const DeviceArray<float> device(x);
    const programs::PinnedArray<float> host(x.size());  // copies to memory that is not pinned wait by themselves
    device_view(device.data(), kRows, kFeatures).source()->read(0, kRows, host.data());
    EXPECT_EQ(std::vector<float>(host.data(), host.data() + x.size()), x) << seed;
  }
}

struct Tensor {
  DLManagedTensor managed{};
  std::int64_t shape[2] = {kRows, kFeatures}, strides[2] = {kStride, 1};
  int* deleted;

  Tensor(void* data, DLDeviceType device, int* deleted_) : deleted(deleted_) {
    managed.dl_tensor = {data, {device, 0}, 2, {kDLFloat, 32, 1}, shape, strides, 0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor* t) { ++*static_cast<Tensor*>(t->manager_ctx)->deleted; };
  }
};

TEST(DeviceMatrix, TakesOverTensorsOfOtherLibraries) {
  const std::vector<float> x = narrow(cavi::testing::clusters(kRows, kFeatures, 3));
  std::vector<float> host = spread(x);
  const DeviceArray<float> device(host);
  const auto expected = trace(Matrix(x, kRows, kFeatures), Scalar::float32, Device::cuda(0));
  int deleted = 0;
  Tensor here(host.data(), kDLCPU, &deleted), there(device.data(), kDLCUDA, &deleted);
  {
    const Matrix a = from_dlpack(&here.managed), b = from_dlpack(&there.managed), copy = b;
    EXPECT_EQ(trace(a, Scalar::float32, Device::cuda(0)), expected);
    EXPECT_EQ(trace(b, Scalar::float32, Device::cuda(0)), expected);
    EXPECT_EQ(b.to_vector(), Matrix(x, kRows, kFeatures).to_vector());
    EXPECT_EQ(deleted, 0);
  }
  EXPECT_EQ(deleted, 2);
}

TEST(DeviceMatrix, RefusesWhatIsNoMatrixAndLeavesItToTheCaller) {
  std::vector<float> host(kRows * kStride);
  int deleted = 0;
  Tensor t(host.data(), kDLCPU, &deleted);
  const auto refused = [&](auto change) {
    Tensor wrong(host.data(), kDLCPU, &deleted);
    change(wrong);
    EXPECT_THROW(from_dlpack(&wrong.managed), Error);
  };
  refused([](Tensor& w) { w.managed.dl_tensor.ndim = 3; });
  refused([](Tensor& w) { w.managed.dl_tensor.dtype.code = kDLInt; });
  refused([](Tensor& w) { w.managed.dl_tensor.dtype.bits = 16; });
  refused([](Tensor& w) { w.managed.dl_tensor.device.device_type = kDLVulkan; });
  refused([](Tensor& w) { w.strides[1] = 2; });
  refused([](Tensor& w) { w.strides[0] = -5; });
  refused([](Tensor& w) { w.managed.dl_tensor.device = {kDLCUDA, 7}; });
  for (const DLDeviceType type : {kDLCPU, kDLCUDA}) {
    const auto refused_there = [&](auto change) {
      refused([&](Tensor& w) { w.managed.dl_tensor.device.device_type = type, change(w); });
    };
    refused_there([](Tensor& w) { w.shape[0] = -1; });
    refused_there([](Tensor& w) { w.shape[1] = -5; });
    refused_there([](Tensor& w) { w.managed.dl_tensor.data = nullptr; });
    refused_there([](Tensor& w) { w.managed.dl_tensor.data = nullptr, w.managed.dl_tensor.byte_offset = 64; });
  }
  EXPECT_EQ(deleted, 0);
  EXPECT_THROW(from_dlpack(nullptr), ShapeError);
  EXPECT_THROW(device_view(host.data(), 3, 4, 2), ShapeError);
  EXPECT_THROW(device_view(static_cast<const float*>(nullptr), 3, 4), ShapeError);
  EXPECT_THROW(device_view(host.data(), 3, 4, 4, 9), DeviceError);
}

}  // namespace
