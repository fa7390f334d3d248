# SPDX-License-Identifier: Apache-2.0
# Everything comes from the system's packages; nothing is downloaded.
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(hwy 1.0 REQUIRED)
find_package(libzip MODULE REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)

option(CAVI_WITH_HDF5 "Read HDF5 datasets where libhdf5 is found" ON)
if(CAVI_WITH_HDF5)
  enable_language(C)  # which FindHDF5 compiles a test in
  find_package(HDF5 1.10 COMPONENTS C)
endif()

find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)
add_library(Random123::Random123 INTERFACE IMPORTED)
target_include_directories(Random123::Random123 SYSTEM INTERFACE ${RANDOM123_INCLUDE_DIR})

find_path(DLPACK_INCLUDE_DIR dlpack/dlpack.h REQUIRED)

if(CAVI_BUILD_CLI OR CAVI_BUILD_BENCHMARKS)
  find_package(CLI11 2.1 REQUIRED)
endif()
if(CAVI_BUILD_TESTS)
  find_package(GTest 1.12 REQUIRED)
  find_package(Boost 1.74 REQUIRED)
  find_package(rapidcheck REQUIRED)
endif()
if(CAVI_BUILD_BENCHMARKS)
  find_package(benchmark 1.7 REQUIRED)
endif()
