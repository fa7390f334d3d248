// SPDX-License-Identifier: Apache-2.0
#include "src/io/file.hpp"
#include "src/io/npy.hpp"

#include <cavi/error.hpp>
#include <cavi/io.hpp>

#include <fmt/format.h>

#include <string>
#include <type_traits>
#include <vector>

namespace cavi {
namespace {

template <class T>
constexpr const char* kType = std::is_same_v<T, float>    ? "<f4"
                              : std::is_same_v<T, double> ? "<f8"
                                                          : "<i4";

/// Numbers that the shape holds.
__int128 size_of_shape(const std::vector<std::int64_t>& shape) {
  __int128 size = 1;
  for (const std::int64_t n : shape) size *= n;
  return size;
}

template <class T>
void write(const std::filesystem::path& file, std::vector<std::int64_t> shape, std::span<const T> values) {
  NpyWriter<T> out(file, std::move(shape));
  out.append(values);
  out.commit();
}

template <class T>
void write_matrix(const std::filesystem::path& file, std::span<const T> values, std::int64_t rows, int cols) {
  if (rows < 0 || cols < 0 || size_of_shape({rows, cols}) != __int128(values.size()))
    throw ShapeError(fmt::format("{}: {} numbers are not {} x {}", file.string(), values.size(), rows, cols));
  write(file, {rows, cols}, values);
}

}  // namespace

template <class T>
struct NpyWriter<T>::Impl {
  std::string name;
  __int128 missing;  ///< numbers
  io::OutputFile file;
};

template <class T>
NpyWriter<T>::NpyWriter(const std::filesystem::path& file, std::vector<std::int64_t> shape) {
  for (const std::int64_t n : shape)
    if (n < 0) throw ShapeError(fmt::format("{}: {} is no size", file.string(), n));
  impl_.reset(new Impl{file.string(), size_of_shape(shape), io::OutputFile(file)});
  const std::string start = io::npy_start(kType<T>, shape);
  impl_->file.write(start.data(), start.size());
}

template <class T>
NpyWriter<T>::~NpyWriter() = default;
template <class T>
NpyWriter<T>::NpyWriter(NpyWriter&&) noexcept = default;
template <class T>
NpyWriter<T>& NpyWriter<T>::operator=(NpyWriter&&) noexcept = default;

template <class T>
void NpyWriter<T>::append(std::span<const T> values) {
  impl_->missing -= __int128(values.size());
  if (impl_->missing < 0) throw ShapeError(impl_->name + ": more numbers than the shape has");
  impl_->file.write(values.data(), values.size_bytes());
}

template <class T>
void NpyWriter<T>::commit() {
  if (impl_->missing != 0) throw ShapeError(impl_->name + ": fewer numbers than the shape has");
  impl_->file.commit();
}

template class NpyWriter<float>;
template class NpyWriter<double>;
template class NpyWriter<std::int32_t>;

void write_npy(const std::filesystem::path& file, std::span<const double> values, std::int64_t rows, int cols) {
  write_matrix(file, values, rows, cols);
}

void write_npy(const std::filesystem::path& file, std::span<const float> values, std::int64_t rows, int cols) {
  write_matrix(file, values, rows, cols);
}

void write_npy(const std::filesystem::path& file, std::span<const std::int32_t> values) {
  write(file, {std::int64_t(values.size())}, values);
}

}  // namespace cavi
