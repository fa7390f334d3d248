// SPDX-License-Identifier: Apache-2.0
/// \file
/// Datasets in HDF5 files, where the build has libhdf5.
#pragma once

#include <cavi/matrix.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace cavi::io {

struct Hdf5Place {
  std::string file, dataset;
};

/// "file.h5:dataset" or "file.hdf5:group/dataset" in its parts; nothing for another name. The dataset is empty when the
/// name ends with the file.
std::optional<Hdf5Place> split_hdf5(const std::filesystem::path& name);

/// Rows stay in the file. Throws IoError; see open_matrix().
Matrix open_hdf5(const Hdf5Place& place);

}  // namespace cavi::io
